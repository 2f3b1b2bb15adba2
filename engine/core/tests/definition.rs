//! The workflow files that ship load, mean what they should, and stay what they are.

#![allow(clippy::unwrap_used, reason = "a test may end by panic")]
use std::path::PathBuf;

use std::time::Duration;

use engine_core::definition::{Definition, HttpTarget, Kind, RetryPolicy, StepIndex};
use engine_core::format;
use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

fn order_saga() -> Definition {
    Definition::from_json(&text("order_saga.json")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn names(definition: &Definition, steps: &[StepIndex]) -> Vec<String> {
    steps.iter().map(|step| definition.step(*step).name.to_string()).collect()
}

#[test]
fn the_order_saga_means_what_it_says() {
    let saga = order_saga();
    let step = |name: &str| saga.step(saga.find(name).unwrap());
    assert_eq!(saga.name().as_str(), "order_saga");
    assert_eq!(saga.steps().len(), 8);
    assert_eq!(saga.on_failure().len(), 2);
    assert_eq!(saga.pivot(), saga.find("create_record"));
    assert_eq!(names(&saga, &step("charge").after), ["validate_user", "check_inventory", "validate_payment"]);
    // `after` and what its expressions read, together.
    assert_eq!(names(&saga, &step("create_record").after), ["charge", "update_inventory"]);
    assert_eq!(names(&saga, &step("create_record").before), ["confirm", "analytics"]);
    let Kind::Http(charge) = &step("charge").kind else { panic!() };
    assert!(charge.idempotent);
    assert_eq!(charge.timeout, Duration::from_secs(10));
    assert_eq!(charge.retry, RetryPolicy::FORWARD);
    let HttpTarget::Service { name, .. } = &charge.target else { panic!() };
    assert_eq!(name.as_str(), "payment");
    let refund = &step("charge").compensate.as_ref().unwrap().call;
    assert_eq!(refund.retry, RetryPolicy::COMPENSATION);
    let order = names(&saga, saga.topological());
    assert_eq!(order.first().unwrap(), "validate_user");
    assert_eq!(order.last().unwrap(), "notify_error");
    let (validate, confirm) = (saga.find("validate_user").unwrap(), saga.find("confirm").unwrap());
    assert!(saga.is_ancestor(validate, confirm));
    assert!(!saga.is_ancestor(confirm, validate));
}

#[test]
fn shipped_inputs_fit_the_order_saga() {
    let saga = order_saga();
    saga.check_input(saga.example().unwrap()).unwrap();
    for name in ["order_saga.out_of_stock.input.json", "order_saga.declined.input.json"] {
        saga.check_input(&serde_json::from_str(&text(name)).unwrap()).unwrap();
    }
}

#[test]
fn an_input_that_does_not_fit_is_told_where() {
    let mut input = order_saga().example().unwrap().clone();
    input["items"][0]["quantity"] = json!(0);
    input["total_amount"] = json!(199.98);
    input.as_object_mut().unwrap().remove("user_id");
    let error = order_saga().check_input(&input).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(error.contains("/items/0/quantity: this value is less than the minimum of 1"), "{error}");
    assert!(error.contains("/total_amount: this value is not of type \"string\""), "{error}");
    assert!(error.contains("the input: \"user_id\" is a required property"), "{error}");
    assert!(order_saga().check_input(&Value::Null).is_err());
}

#[test]
fn the_canonical_text_gives_the_same_definition() {
    let saga = order_saga();
    let again = Definition::from_source(saga.source()).unwrap();
    assert_eq!(saga.digest(), again.digest());
    assert_eq!(saga.source(), again.source());
    // Neither remarks nor white space nor the order of fixed keys are part of a workflow's identity.
    let value: Value = serde_json::from_str(&text("order_saga.json")).unwrap();
    let mut keys: Vec<_> = value.as_object().unwrap().clone().into_iter().rev().collect();
    keys.push(("$comment".into(), json!("a remark")));
    let reordered = serde_json::to_string(&keys.into_iter().collect::<serde_json::Map<_, _>>()).unwrap();
    assert_eq!(Definition::from_json(&reordered).unwrap().digest(), saga.digest());
}

#[test]
fn definitions_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&order_saga());
}

#[test]
fn numbers_keep_their_text() {
    let file = r#"{"format":"engine/1","name":"n","version":"1","steps":{"a":{"value":[1.10,1e+400,100000000000000000000001]}}}"#;
    let definition = Definition::from_json(file).unwrap();
    assert_eq!(std::str::from_utf8(definition.source()).unwrap(), file);
}

/// The digest names stored definitions for ever: a change of the canonical text would orphan them.
#[test]
fn the_canonical_text_stays() {
    let minimal =
        r#"{ "version": "1", "format": "engine/1", "steps": { "a": { "value": 1, "optional": false } }, "name": "n" }"#;
    let definition = Definition::from_json(minimal).unwrap();
    let canonical = r#"{"format":"engine/1","name":"n","version":"1","steps":{"a":{"value":1,"optional":false}}}"#;
    assert_eq!(std::str::from_utf8(definition.source()).unwrap(), canonical);
}

#[test]
fn the_schema_is_up_to_date() {
    let generated = format!("{}\n", serde_json::to_string_pretty(&format::schema()).unwrap());
    let path = path("engine-1.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "workflows/engine-1.schema.json differs from the types of the format; write it anew with \
         `UPDATE=1 cargo test -p engine-core --test definition the_schema_is_up_to_date`"
    );
}

#[test]
fn the_order_saga_follows_the_schema() {
    let schema = jsonschema::validator_for(&format::schema()).unwrap();
    let saga: Value = serde_json::from_str(&text("order_saga.json")).unwrap();
    let errors: Vec<_> = schema.iter_errors(&saga).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    for (pointer, wrong) in [
        ("/name", json!("Order")),
        ("/defaults/timeout", json!("10")),
        ("/steps/charge/after", json!("x")),
        ("/steps/charge/aftr", json!([])),
        ("/steps/charge/timeout", json!(null)),
        ("/services/user/idempotency", json!("yes")),
    ] {
        let mut broken = saga.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.into(), wrong);
        assert!(!schema.is_valid(&broken), "{pointer}");
    }
}
