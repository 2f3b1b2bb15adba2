//! Faults: rules that make an endpoint misbehave, by text.
//!
//! One rule is `TARGET:KNOB[,KNOB…]`. See [`Fault`] for the grammar.

mod book;
mod parse;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub(crate) use book::{Book, Origin, Rule, Verdict};

use crate::catalogue::{Endpoint, Service};

/// A rule that makes a service misbehave.
///
/// As text (`FromStr`): `TARGET:KNOB[,KNOB…]`, for example `payment/process:status=503,times=2`,
/// `inventory:closed`, `user/validate:status=500`.
///
/// The target is `service/endpoint`, where the endpoint is its path (`user/users/*/validate`) or
/// the last part of it (`user/validate`); `service` alone is all its endpoints, `*` is everything.
///
/// | knob | what happens |
/// |---|---|
/// | `status=503` | this answer instead of the effect. A definite refusal (4xx but 408, 409, 425, 429) is remembered under the request's key, other errors are not |
/// | `effect` | with `status`: the effect is done first |
/// | `retry_after=1` | with `status`: a `Retry-After` header, in seconds |
/// | `delay=500ms` | the answer comes that much later |
/// | `late=3s` | the effect happens that long after the request arrived, and the answer comes then; meanwhile the key answers 409. Decided anew when due; what the client is told was written down when the request arrived |
/// | `cut=before` | the connection is cut, and nothing was done |
/// | `cut=after` | the connection is cut without an answer, and the effect was done (with `late`: cut at once, the effect comes later) |
/// | `malformed` | the effect is done, the answer is 2xx with broken JSON |
/// | `fence=off` | `Idempotency-Key-Of` is ignored: a late forward request is carried out after its compensation |
/// | `closed` | alone, for a whole service: its port refuses connections |
/// | `times=2` | fires at most this often (default: always) |
/// | `after=3` | not for the first 3 calls |
/// | `probability=0.3` | fires for this share of the calls, chosen by `seed=7` and the number of the call: the same every time |
///
/// Where several rules cover an endpoint, the first one that fires decides, and only it counts as
/// fired; so `status=503,times=2` followed by `status=500,times=1` gives 503, 503, 500.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub(crate) target: Target,
    pub(crate) knobs: Knobs,
}

/// What a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Everything,
    Service(Service),
    Endpoint(Endpoint),
}

impl Target {
    pub(crate) fn covers(self, endpoint: Endpoint) -> bool {
        match self {
            Target::Everything => true,
            Target::Service(service) => endpoint.service() == service,
            Target::Endpoint(one) => one == endpoint,
        }
    }
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Before,
    After,
}

/// What a rule does, and when.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a knob of its own in the rule's text")]
pub(crate) struct Knobs {
    pub(crate) status: Option<u16>,
    pub(crate) effect: bool,
    pub(crate) retry_after: Option<u64>,
    pub(crate) delay: Option<Duration>,
    pub(crate) late: Option<Duration>,
    pub(crate) cut: Option<Cut>,
    pub(crate) malformed: bool,
    pub(crate) fence_off: bool,
    pub(crate) closed: bool,
    pub(crate) times: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) probability: Option<f64>,
    pub(crate) seed: Option<u64>,
}

/// A rule that cannot be read. The message is for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault rule `{rule}`: {problem}")]
pub struct FaultError {
    pub(crate) rule: String,
    pub(crate) problem: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Everything => f.write_str("*"),
            Target::Service(service) => f.write_str(service.name()),
            Target::Endpoint(endpoint) => {
                write!(f, "{}/{}", endpoint.service().name(), endpoint.name())
            }
        }
    }
}

impl fmt::Display for Fault {
    /// The canonical text: parsing it gives the same rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let knobs = &self.knobs;
        let mut parts: Vec<String> = Vec::new();
        let mut value = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| format!("{name}={value}")));
        };
        value("status", knobs.status.map(|n| n.to_string()));
        value("retry_after", knobs.retry_after.map(|n| n.to_string()));
        value("delay", knobs.delay.map(milliseconds));
        value("late", knobs.late.map(milliseconds));
        value("cut", knobs.cut.map(|cut| if cut == Cut::Before { "before" } else { "after" }.to_owned()));
        value("fence", knobs.fence_off.then(|| "off".to_owned()));
        value("times", knobs.times.map(|n| n.to_string()));
        value("after", knobs.after.map(|n| n.to_string()));
        value("probability", knobs.probability.map(|p| p.to_string()));
        value("seed", knobs.seed.map(|n| n.to_string()));
        for (name, set) in [("effect", knobs.effect), ("malformed", knobs.malformed), ("closed", knobs.closed)] {
            parts.extend(set.then(|| name.to_owned()));
        }
        write!(f, "{}:{}", self.target, parts.join(","))
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    /// The text, or an object with `service`, `endpoint` and the knobs as keys.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fault, D::Error> {
        let value = Value::deserialize(deserializer)?;
        parse::from_json(&value).map_err(serde::de::Error::custom)
    }
}
