//! What services do when they are asked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// What a service does with one request.
#[derive(Clone, PartialEq, Debug)]
pub enum Behaviour {
    /// Carries it out and says so.
    Succeed,
    /// Carries it out after this long, which may be longer than the caller waits; the effect is there at once.
    SucceedAfter(Duration),
    /// Carries it out and answers with this body.
    Say(Value),
    /// Refuses it for good with this status, having done nothing.
    Refuse(u16),
    /// Answers with this status before it looks at the request: nothing is done.
    Fail(u16),
    /// Carries it out and answers with this status all the same.
    FailThoughDone(u16),
    /// Asks to be asked again after this long (429).
    Throttle(Duration),
    /// The connection breaks before anything is done.
    CutBefore,
    /// The connection breaks once it is carried out.
    CutAfter,
    /// No connection can be made.
    Unreachable,
    /// Takes it into work and carries it out after this long, whoever waits or does not.
    Late(Duration),
    /// Carries it out and answers with half a body.
    Malformed,
}

/// What kind of thing is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    /// Something is done that may have to be undone.
    Effect,
    /// Nothing is changed.
    Look,
    /// What was done under the key in `Idempotency-Key-Of` at this endpoint is undone.
    Undo {
        of: String,
        /// The status where there is nothing to undo.
        nothing: u16,
    },
}

/// One endpoint of a service.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(super) deed: Deed,
    pub(super) answer: Value,
    pub(super) honours_keys: bool,
    pub(super) latency: Duration,
    pub(super) first: Vec<Behaviour>,
    pub(super) then: Behaviour,
}

/// How long an answer takes where nothing else is said: so that requests are really in flight.
const LATENCY: Duration = Duration::from_millis(10);

impl Endpoint {
    fn of(deed: Deed) -> Self {
        let (answer, first) = (json!({ "ok": true }), Vec::new());
        Self { deed, answer, honours_keys: true, latency: LATENCY, first, then: Behaviour::Succeed }
    }

    /// An endpoint where something is done.
    pub fn effect() -> Self {
        Self::of(Deed::Effect)
    }

    /// An endpoint that changes nothing.
    pub fn look() -> Self {
        Self::of(Deed::Look)
    }

    /// An endpoint that undoes what was done at another one; where nothing was, it answers 404.
    pub fn undo(of: &str) -> Self {
        Self::of(Deed::Undo { of: of.to_owned(), nothing: 404 })
    }

    /// The body of its answer when all is well.
    pub fn answers(self, answer: Value) -> Self {
        Self { answer, ..self }
    }

    /// It does what it is asked each time, whatever the key.
    pub fn ignores_keys(self) -> Self {
        Self { honours_keys: false, ..self }
    }

    /// Its answers take this long.
    pub fn takes(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// The first requests end so, each request counted whatever its key.
    pub fn first(self, times: usize, behaviour: Behaviour) -> Self {
        let mut first = self.first;
        first.extend(std::iter::repeat_n(behaviour, times));
        Self { first, ..self }
    }

    /// All requests after the first end so.
    pub fn then(self, then: Behaviour) -> Self {
        Self { then, ..self }
    }

    pub(super) fn behaviour(&self, asked: usize) -> &Behaviour {
        self.first.get(asked).unwrap_or(&self.then)
    }
}

/// The services of a case: endpoints by `service/path`, where a `*` stands for any one part of the path.
///
/// What is not named is an endpoint where something is done, which honours keys.
#[derive(Clone, Debug, Default)]
pub struct Script {
    endpoints: BTreeMap<String, Endpoint>,
    fence_off: bool,
}

impl Script {
    /// Services without endpoints of their own.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this endpoint.
    pub fn on(mut self, path: &str, endpoint: Endpoint) -> Self {
        self.endpoints.insert(path.to_owned(), endpoint);
        self
    }

    /// With this endpoint changed; one that is not there yet is an effect.
    pub fn with(mut self, path: &str, change: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        let endpoint = self.endpoints.remove(path).unwrap_or_else(Endpoint::effect);
        self.on(path, change(endpoint))
    }

    /// No service refuses a request that comes after its compensation.
    pub fn without_fences(self) -> Self {
        Self { fence_off: true, ..self }
    }

    pub(super) fn fences(&self) -> bool {
        !self.fence_off
    }

    /// The name under which this path is known, and what happens there.
    pub(super) fn find(&self, path: &str) -> (String, Endpoint) {
        let found = self.endpoints.iter().find(|(pattern, _)| matches(pattern, path));
        found.map_or_else(
            || (path.to_owned(), Endpoint::effect()),
            |(pattern, endpoint)| (pattern.clone(), endpoint.clone()),
        )
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == "*" || wanted == found => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}
