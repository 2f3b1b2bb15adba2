//! What every service offers besides its endpoints: its health, the ledger, and the fault rules.
//! The ledger and the rules are those of all six services, whichever port is asked.

use serde_json::{Map, Value, json};

use crate::call::Answer;
use crate::catalogue::Service;
use crate::desk::Desk;
use crate::fault::{Fault, Origin, Rule};
use crate::shared::Shared;

pub(crate) fn handle(shared: &Shared, service: Service, method: &str, path: &str, body: &[u8]) -> Answer {
    match (method, path) {
        ("GET" | "POST", "/health") => Answer::ok(&json!({ "status": "healthy", "service": service.name() })),
        ("GET", "/__ledger") => Answer::ok(&shared.desk().to_json()),
        ("GET", "/__faults") => show(shared),
        ("POST", "/__faults") => change(shared, body, |desk, faults| desk.book().with(faults, Origin::Admin)),
        ("DELETE", "/__faults") => change(shared, b"[]", |_, _| Vec::new()),
        (_, "/health" | "/__ledger" | "/__faults") => Answer::refused(405, "this method is not for this path"),
        _ => Answer::refused(404, "there are: GET /health, GET /__ledger, GET, POST and DELETE /__faults"),
    }
}

fn change(shared: &Shared, body: &[u8], rules: impl Fn(&Desk, Vec<Fault>) -> Vec<Rule>) -> Answer {
    let faults = match parse(body) {
        Ok(faults) => faults,
        Err(problem) => return Answer::refused(400, &problem),
    };
    let mut desk = shared.desk();
    let rules = rules(&desk, faults);
    let changed = desk.set_rules(rules);
    drop(desk);
    if let Err(error) = changed {
        return Answer::refused(503, &format!("the mock's journal cannot be written: {error}"));
    }
    shared.doors.notify_one();
    show(shared)
}

/// One rule or a list of rules, each as text or as an object; or `{"rules": [...]}`.
fn parse(body: &[u8]) -> Result<Vec<Fault>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let rules = match value {
        Value::Array(rules) => rules,
        Value::Object(mut object) if object.contains_key("rules") => match object.remove("rules") {
            Some(Value::Array(rules)) => rules,
            _ => return Err("`rules` must be a list".to_owned()),
        },
        single => vec![single],
    };
    rules.into_iter().map(|rule| serde_json::from_value(rule).map_err(|error| error.to_string())).collect()
}

fn show(shared: &Shared) -> Answer {
    let rules: Vec<Value> = shared
        .desk()
        .book()
        .rules()
        .iter()
        .map(|rule| json!({ "rule": rule.fault, "origin": rule.origin, "calls": rule.calls, "fired": rule.fired }))
        .collect();
    let services: Map<String, Value> = Service::ALL
        .into_iter()
        .map(|service| {
            let open = shared.is_open(service);
            (service.name().to_owned(), json!({ "url": shared.url(service), "open": open }))
        })
        .collect();
    Answer::ok(&json!({ "rules": rules, "services": services }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn ask(shared: &Shared, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = handle(shared, Service::Payment, method, path, body.as_bytes());
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    #[test]
    fn rules_are_added_shown_and_deleted() {
        let shared = Shared::new(Desk::default(), BTreeMap::new());
        let (status, shown) = ask(&shared, "POST", "/__faults", r#""payment/process:status=503,times=2""#);
        assert_eq!(status, 200);
        assert_eq!(shown["rules"][0]["rule"], "payment/process:status=503,times=2");
        let object = r#"{"rules": [{"service": "inventory", "closed": true}, "order:delay=1s"]}"#;
        let (_, shown) = ask(&shared, "POST", "/__faults", object);
        assert_eq!(shown["rules"].as_array().unwrap().len(), 3);
        assert_eq!(shown["rules"][1]["rule"], "inventory:closed");
        assert_eq!(ask(&shared, "GET", "/__faults", "").1, shown);
        assert_eq!(ask(&shared, "DELETE", "/__faults", "").1["rules"], json!([]));
    }

    #[test]
    fn mistakes_are_told() {
        let shared = Shared::new(Desk::default(), BTreeMap::new());
        let (status, answer) = ask(&shared, "POST", "/__faults", r#"["paymen/process:status=503"]"#);
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains("did you mean `payment`?"));
        assert_eq!(ask(&shared, "POST", "/__faults", "{").0, 400);
        assert_eq!(ask(&shared, "POST", "/__ledger", "").0, 405);
        assert_eq!(ask(&shared, "GET", "/__what", "").0, 404);
        assert_eq!(ask(&shared, "GET", "/health", "").1, json!({ "status": "healthy", "service": "payment" }));
    }
}
