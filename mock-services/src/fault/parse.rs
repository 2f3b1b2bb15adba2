//! Reading a rule, with errors for the person who typed it.

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::{Cut, Fault, FaultError, Knobs, Target};
use crate::catalogue::{SERVICES, Service};

const KNOBS: [&str; 13] = [
    "status",
    "effect",
    "retry_after",
    "delay",
    "late",
    "cut",
    "malformed",
    "fence",
    "closed",
    "times",
    "after",
    "probability",
    "seed",
];

/// Longer than anybody waits, and short enough that no sum of times overflows.
const LONGEST: Duration = Duration::from_hours(24);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(rule: &str) -> Result<Fault, FaultError> {
        parse(rule.trim()).map_err(|problem| FaultError { rule: rule.to_owned(), problem })
    }
}

/// A rule from JSON: its text, or an object such as
/// `{"service": "payment", "endpoint": "process", "status": 503, "times": 2}`.
pub(super) fn from_json(value: &Value) -> Result<Fault, FaultError> {
    let object = match value {
        Value::String(text) => return text.parse(),
        Value::Object(object) => object,
        other => {
            return Err(FaultError {
                rule: other.to_string(),
                problem: "must be a rule as text, or an object with `service`, `endpoint` and knobs".to_owned(),
            });
        }
    };
    let mut target = String::new();
    let mut knobs = Vec::new();
    for (name, value) in object {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (name.as_str(), value) {
            ("service", _) => target.insert_str(0, &text),
            ("endpoint", _) => target = format!("{target}/{text}"),
            (_, Value::Bool(true)) => knobs.push(name.clone()),
            (_, Value::Null | Value::Bool(false)) => {}
            _ => knobs.push(format!("{name}={text}")),
        }
    }
    format!("{target}:{}", knobs.join(",")).parse()
}

fn parse(rule: &str) -> Result<Fault, String> {
    let (target, knobs) = rule.split_once(':').ok_or(
        "must be `TARGET:KNOB[,KNOB…]`, for example `payment/process:status=503,times=2` or `inventory:closed`",
    )?;
    let target = parse_target(target.trim())?;
    let mut parsed = Knobs::default();
    let mut seen: Vec<&str> = Vec::new();
    for knob in knobs.split(',').map(str::trim).filter(|knob| !knob.is_empty()) {
        let (name, value) = match knob.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (knob, None),
        };
        if seen.contains(&name) {
            return Err(format!("`{name}` is given twice"));
        }
        seen.push(name);
        set_knob(&mut parsed, name, value)?;
    }
    check(target, &parsed)?;
    Ok(Fault { target, knobs: parsed })
}

fn parse_target(target: &str) -> Result<Target, String> {
    let (service, endpoint) = match target.split_once('/') {
        Some((service, endpoint)) => (service, Some(endpoint.trim_matches('/'))),
        None => (target, None),
    };
    if service == "*" && endpoint.is_none_or(|endpoint| endpoint == "*") {
        return Ok(Target::Everything);
    }
    let service = Service::named(service).ok_or_else(|| unknown("service", service, &SERVICES))?;
    let Some(endpoint) = endpoint.filter(|endpoint| *endpoint != "*") else {
        return Ok(Target::Service(service));
    };
    let found = service.endpoints().find(|known| known.name() == endpoint || known.pattern() == endpoint);
    found.map(Target::Endpoint).ok_or_else(|| {
        let known: Vec<&str> = service.endpoints().map(super::Endpoint::name).collect();
        unknown(&format!("endpoint of `{}`", service.name()), endpoint, &known)
    })
}

fn set_knob(knobs: &mut Knobs, name: &str, value: Option<&str>) -> Result<(), String> {
    match name {
        "status" => {
            knobs.status = Some(number(name, value, "a status from 300 to 599", |n| (300..=599).contains(n))?);
        }
        "effect" => knobs.effect = flag(name, value)?,
        "malformed" => knobs.malformed = flag(name, value)?,
        "closed" => knobs.closed = flag(name, value)?,
        "retry_after" => {
            knobs.retry_after = Some(number(name, value, "a whole number of seconds", |_: &u64| true)?);
        }
        "times" => knobs.times = Some(number(name, value, "a whole number from 1", |n: &u64| *n > 0)?),
        "after" => knobs.after = Some(number(name, value, "a whole number", |_: &u64| true)?),
        "seed" => knobs.seed = Some(number(name, value, "a whole number", |_: &u64| true)?),
        "probability" => {
            let range = 0.0..=1.0;
            knobs.probability = Some(number(name, value, "a number from 0 to 1", |p: &f64| range.contains(p))?);
        }
        "delay" => knobs.delay = Some(duration(name, value)?),
        "late" => knobs.late = Some(duration(name, value)?),
        "cut" => {
            knobs.cut = Some(match value {
                Some("before") => Cut::Before,
                Some("after") => Cut::After,
                _ => return Err(bad_value(name, value, "`before` or `after`")),
            });
        }
        "fence" => {
            knobs.fence_off = match value {
                Some("off") => true,
                _ => return Err(bad_value(name, value, "`off` (without the knob it is on)")),
            };
        }
        _ => return Err(unknown("knob", name, &KNOBS)),
    }
    Ok(())
}

fn number<N: FromStr>(
    name: &str,
    value: Option<&str>,
    expected: &str,
    allowed: impl Fn(&N) -> bool,
) -> Result<N, String> {
    value
        .and_then(|text| text.parse().ok())
        .filter(|number| allowed(number))
        .ok_or_else(|| bad_value(name, value, expected))
}

fn flag(name: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None => Ok(true),
        Some(_) => Err(bad_value(name, value, "no value: write it alone")),
    }
}

fn duration(name: &str, value: Option<&str>) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    value
        .and_then(|text| {
            // `ms` comes before `s` and `m`, so the first unit that leaves a number is the right one.
            units.iter().find_map(|(unit, factor)| {
                let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
                Some(Duration::from_millis(count.checked_mul(*factor)?))
            })
        })
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| bad_value(name, value, "a duration such as `500ms`, `3s` or `2m`, at most a day"))
}

fn bad_value(name: &str, value: Option<&str>, expected: &str) -> String {
    match value {
        Some(value) => format!("`{name}={value}`: expected {expected}"),
        None => format!("`{name}` needs a value: {expected}"),
    }
}

/// Knobs that say nothing together, or contradict each other.
fn check(target: Target, knobs: &Knobs) -> Result<(), String> {
    let acts = knobs.status.is_some()
        || knobs.delay.is_some()
        || knobs.late.is_some()
        || knobs.cut.is_some()
        || knobs.malformed
        || knobs.fence_off;
    if knobs.closed {
        let alone = Knobs { closed: true, ..Knobs::default() };
        return match target {
            Target::Service(_) if *knobs == alone => Ok(()),
            Target::Service(_) => Err("`closed` stands alone: remove the other knobs".to_owned()),
            _ => Err("`closed` is for one whole service, for example `inventory:closed`".to_owned()),
        };
    }
    let front = knobs.status.is_some() && !knobs.effect;
    let problems = [
        (
            !acts,
            "nothing would happen: add one of `status=503`, `delay=500ms`, `late=3s`, `cut=after`, `malformed`, `fence=off`, `closed`",
        ),
        (knobs.effect && knobs.status.is_none(), "`effect` needs a `status`"),
        (knobs.retry_after.is_some() && knobs.status.is_none(), "`retry_after` needs a `status` such as 429 or 503"),
        (knobs.seed.is_some() && knobs.probability.is_none(), "`seed` needs a `probability`"),
        (knobs.status.is_some() && knobs.malformed, "`status` and `malformed` are two different answers: choose one"),
        (
            knobs.cut.is_some() && (knobs.status.is_some() || knobs.malformed || knobs.delay.is_some()),
            "a cut connection has no answer: remove `status`, `malformed` and `delay`",
        ),
        (
            knobs.late.is_some() && (front || knobs.cut == Some(Cut::Before)),
            "`late` has an effect: it cannot go with `cut=before`, and with `status` only together with `effect`",
        ),
        (knobs.late.is_some() && knobs.delay.is_some(), "`late` already delays the answer: remove `delay`"),
    ];
    match problems.iter().find(|(wrong, _)| *wrong) {
        Some((_, problem)) => Err((*problem).to_owned()),
        None => Ok(()),
    }
}

/// "unknown knob `tims` (did you mean `times`?); there are: …".
fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (distance(given, name), *name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min();
    let hint = near.map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"));
    format!("unknown {what} `{given}`{hint}; there are: {}", known.join(", "))
}

/// How many letters must be added, removed or replaced to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((other, above), above_left) in to.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let replaced = above_left + usize::from(letter != *other);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Endpoint;
    use serde_json::json;

    fn problem(rule: &str) -> String {
        rule.parse::<Fault>().unwrap_err().problem
    }

    #[test]
    fn targets_are_read() {
        let target = |rule: &str| rule.parse::<Fault>().unwrap().target;
        assert_eq!(target("user/users/*/validate:status=500"), Target::Endpoint(Endpoint::UserValidate));
        assert_eq!(target("user/validate:status=500"), Target::Endpoint(Endpoint::UserValidate));
        assert_eq!(target("payment/*:delay=1s"), Target::Service(Service::Payment));
        assert_eq!(target("payment:delay=1s"), Target::Service(Service::Payment));
        assert_eq!(target("*:status=503,probability=0.1"), Target::Everything);
    }

    #[test]
    fn the_canonical_text_reads_back_as_the_same_rule() {
        for rule in [
            "payment/process:status=503,times=2",
            "payment/process:status=500,retry_after=1,times=2,after=3,probability=0.3,seed=7,effect",
            "order/mark_failed:delay=500ms",
            "inventory/update:late=3000ms,cut=after,fence=off",
            "analytics/track:malformed",
            "inventory:closed",
        ] {
            let fault: Fault = rule.parse().unwrap();
            assert_eq!(fault.to_string(), rule);
        }
        let spaced: Fault = " payment/process : status = 503 , late=2m, effect".parse().unwrap();
        assert_eq!(spaced.to_string(), "payment/process:status=503,late=120000ms,effect");
    }

    #[test]
    fn errors_say_what_exists_and_guess() {
        assert_eq!(
            "paiment/process:status=503".parse::<Fault>().unwrap_err().to_string(),
            "fault rule `paiment/process:status=503`: unknown service `paiment` (did you mean `payment`?); \
             there are: user, order, payment, notification, inventory, analytics"
        );
        assert_eq!(
            problem("payment/proces:status=503"),
            "unknown endpoint of `payment` `proces` (did you mean `process`?); there are: validate, process, refund"
        );
        assert!(problem("payment/process:tims=2").contains("did you mean `times`?"));
        assert!(problem("payment/process").contains("TARGET:KNOB"));
        assert_eq!(problem("payment/process:status"), "`status` needs a value: a status from 300 to 599");
        assert!(problem("payment/process:status=200").contains("300 to 599"));
        assert!(problem("payment/process:delay=5").contains("`500ms`"));
        assert!(problem("payment/process:delay=5m,delay=1s").contains("twice"));
        assert!(problem("payment/process:closed").contains("whole service"));
        assert!(problem("payment:closed,times=1").contains("alone"));
        assert!(problem("payment/process:times=1").contains("nothing would happen"));
        assert!(problem("payment/process:late=1s,status=503").contains("`effect`"));
        assert!(problem("payment/process:probability=1.5,status=500").contains("from 0 to 1"));
    }

    #[test]
    fn rules_come_as_json_too() {
        let fault: Fault = serde_json::from_value(json!({
            "times": 2, "endpoint": "process", "service": "payment", "status": 503, "effect": true, "malformed": false,
        }))
        .unwrap();
        assert_eq!(fault.to_string(), "payment/process:status=503,times=2,effect");
        let text: Fault = serde_json::from_value(json!("inventory:closed")).unwrap();
        assert_eq!(serde_json::to_value(&text).unwrap(), json!("inventory:closed"));
        assert!(serde_json::from_value::<Fault>(json!(7)).is_err());
    }
}
