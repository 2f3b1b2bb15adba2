//! The workflow files that ship load, mean what they should, and stay what they are.

#![allow(clippy::unwrap_used, reason = "a test may end by panic")]
use std::path::PathBuf;

use std::time::Duration;

use engine_core::definition::{Definition, HttpTarget, Jitter, Kind, RetryPolicy, StepIndex};
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
    let Kind::Call(charge) = &step("charge").kind else { panic!() };
    let http = charge.template.http().unwrap();
    assert!(http.idempotent);
    assert_eq!(charge.timeout, Duration::from_secs(10));
    assert_eq!(charge.retry, RetryPolicy::FORWARD);
    let HttpTarget::Service { name, .. } = &http.target else { panic!() };
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

/// Every key at least once.
const EVERY_KEY: &str = r#"{
  "$comment": "a remark", "format": "engine/1", "name": "every_key", "version": "2", "description": "d", "timeout": "1h30m",
  "labels": { "$comment": "a remark", "team": "shop" },
  "input": { "$comment": 1, "schema": true, "example": null },
  "services": {
    "$comment": "a remark",
    "slow": { "url": "${env:SLOW_URL}", "headers": { "X-Key": "k ${secret:KEY}" }, "timeout": "5m", "idempotency": "key" },
    "open": { "url": "https://example.com/api", "auth": { "bearer": "${secret:TOKEN}" }, "idempotency": "unknown" },
    "shut": { "url": "http://${env:HOST}:${env:PORT}", "auth": { "basic": { "user": "u", "password": "${secret:P}" } } }
  },
  "defaults": {
    "timeout": "7s", "retry": { "max_attempts": 9, "jitter": "none" }, "compensation_retry": { "max_interval": "1m" }
  },
  "steps": {
    "look": {
      "description": "d", "if_skipped": "run", "join": "all", "on_unknown": "stuck", "timeout": "2s", "output": "response",
      "http": { "service": "slow", "get": "/${ .key }", "query": { "q": "${ .input.q }", "n": 1, "b": true } },
      "expect": { "that": "${ .output.status == 200 and .steps.look != 1 }", "message": "m ${ .output.status }", "effect": "none" },
      "retry": { "initial": "1s", "factor": 1.5, "max_elapsed": "10m" }
    },
    "book": {
      "when": "${ .steps.look.body.free }", "otherwise": { "fail": "NOTHING_FREE", "message": "none for ${ .input.q }" },
      "http": { "service": "open", "put": "/x", "headers": { "X-A": "${ .key }" }, "body": [null, "${ .steps.look }"],
                "classify": { "404": "success", "409": { "retry": false, "effect": "none" } } },
      "output": { "id": "${ .output.id }" },
      "compensate": {
        "http": { "service": "slow", "delete": "/x/${ .forward.key }" }, "retry": { "factor": 3 }, "timeout": "1s",
        "unknown": { "http": { "service": "shut", "patch": "/x", "body": "${ .steps.look }" } }
      }
    },
    "elsewhere": { "optional": true, "after": ["book"], "otherwise": "skip", "when": "${ true }", "http": { "head": "https://example.com/${ .run.id }" } },
    "sum": { "value": { "of": ["${ .steps.book.id }", 1.10] } }
  },
  "on_failure": {
    "first": { "http": { "service": "open", "post": "/e", "body": "${ [.error.code, .steps.book] }" } },
    "second": { "when": "${ .error != null }", "value": "${ .steps.first }" }
  },
  "output": "${ .steps.sum.of }"
}"#;

#[test]
fn every_key_is_read() {
    let definition = Definition::from_json(EVERY_KEY).unwrap_or_else(|errors| panic!("{errors}"));
    let step = |name: &str| definition.step(definition.find(name).unwrap());
    assert_eq!(definition.timeout(), Some(Duration::from_mins(90)));
    assert_eq!(definition.labels(), [("team".to_owned(), "shop".to_owned())]);
    assert_eq!(definition.example(), Some(&Value::Null));
    assert_eq!(definition.services().len(), 3);
    // What conditions read counts; what compensations read does not.
    assert_eq!(names(&definition, &step("book").after), ["look"]);
    assert_eq!(names(&definition, &step("second").after), ["first"]);
    assert!(names(&definition, &step("first").after).is_empty());
    let schema = jsonschema::validator_for(&format::schema()).unwrap();
    let errors: Vec<_> = schema.iter_errors(&serde_json::from_str(EVERY_KEY).unwrap()).map(|e| e.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    let again = Definition::from_source(definition.source()).unwrap();
    assert_eq!(again.digest(), definition.digest());
    assert!(!std::str::from_utf8(definition.source()).unwrap().contains("remark"));
}

#[test]
fn policies_are_merged_key_by_key() {
    let definition = Definition::from_json(EVERY_KEY).unwrap();
    let step = |name: &str| definition.step(definition.find(name).unwrap());
    let look = step("look").call().unwrap();
    let expected = RetryPolicy {
        max_attempts: 9,
        initial: Duration::from_secs(1),
        factor: 1.5,
        jitter: Jitter::None,
        max_elapsed: Some(Duration::from_mins(10)),
        ..RetryPolicy::FORWARD
    };
    assert_eq!(look.retry, expected);
    let undo = step("book").compensate.as_ref().unwrap();
    let expected = RetryPolicy { factor: 3.0, max_interval: Duration::from_mins(1), ..RetryPolicy::COMPENSATION };
    assert_eq!(undo.call.retry, expected);
    // The step's own timeout, else that of its service, else that of the file, else a minute.
    assert_eq!(look.timeout, Duration::from_secs(2));
    assert_eq!(undo.call.timeout, Duration::from_secs(1));
    assert_eq!(step("book").call().unwrap().timeout, Duration::from_secs(7));
    let without = EVERY_KEY.replace(r#""timeout": "2s", "#, "").replace(r#""timeout": "7s", "#, "");
    let definition = Definition::from_json(&without).unwrap();
    let timeout = |name: &str| definition.step(definition.find(name).unwrap()).call().unwrap().timeout;
    assert_eq!(timeout("look"), Duration::from_mins(5));
    assert_eq!(timeout("book"), Duration::from_mins(1));
}

#[test]
fn listed_delays_stand_for_themselves() {
    let file = r#"{ "format": "engine/1", "name": "test", "version": "1.0.0",
        "services": { "svc": { "url": "http://test" } },
        "defaults": { "retry": { "intervals": ["1m", "1h"] } },
        "steps": {
            "inherits": { "http": { "service": "svc", "post": "/" } },
            "shortens": { "http": { "service": "svc", "post": "/" }, "retry": { "max_attempts": 2 } },
            "lists": { "http": { "service": "svc", "post": "/" },
                       "retry": { "intervals": ["5s"], "max_attempts": 7, "jitter": "full", "max_elapsed": "1h" } },
            "grows": { "http": { "service": "svc", "post": "/" }, "retry": { "initial": "2s" } }
        } }"#;
    let definition = Definition::from_json(file).unwrap();
    let policy = |name: &str| definition.step(definition.find(name).unwrap()).call().unwrap().retry.clone();
    let minutes: Vec<_> = [1, 60].map(Duration::from_mins).into();
    // Nothing of the built-in policy cuts it off: not its four attempts, and not its two minutes.
    let listed = RetryPolicy {
        max_attempts: 3,
        intervals: minutes,
        jitter: Jitter::None,
        max_elapsed: None,
        ..RetryPolicy::FORWARD
    };
    assert_eq!(policy("inherits"), listed);
    assert_eq!(policy("shortens"), RetryPolicy { max_attempts: 2, ..listed.clone() });
    let expected = RetryPolicy {
        max_attempts: 7,
        intervals: vec![Duration::from_secs(5)],
        jitter: Jitter::Full,
        max_elapsed: Some(Duration::from_hours(1)),
        ..RetryPolicy::FORWARD
    };
    assert_eq!(policy("lists"), expected);
    assert_eq!(policy("grows"), RetryPolicy { initial: Duration::from_secs(2), intervals: Vec::new(), ..listed });
    let schema = jsonschema::validator_for(&format::schema()).unwrap();
    assert!(schema.is_valid(&serde_json::from_str(file).unwrap()));
    assert!(!schema.is_valid(&serde_json::from_str(&file.replace("\"5s\"", "\"soon\"")).unwrap()));
}

#[test]
fn what_the_schema_does_not_speak_of_is_noted() {
    let notes = |schema: Value| {
        let file = json!({
            "format": "engine/1", "name": "orders", "version": "1",
            "input": { "schema": schema },
            "steps": { "a": { "when": "${ .input.express }", "value": ["${ .input.order_idd }", "${ .input }"] } },
        });
        let definition = Definition::from_json(&file.to_string()).unwrap();
        definition.notes().iter().map(|note| (note.pointer.clone(), note.message.clone())).collect::<Vec<_>>()
    };
    let listed = json!({ "properties": { "order_id": {}, "express": {} } });
    let expected = "the schema of the input does not speak of `order_idd`: did you mean `order_id`?";
    assert_eq!(notes(listed.clone()), [("/steps/a/value/0".to_owned(), expected.to_owned())]);
    assert_eq!(notes(json!({ "additionalProperties": false })).len(), 2);
    let mut open = listed;
    open["additionalProperties"] = json!(true);
    assert_eq!(notes(open), []);
    assert_eq!(notes(json!({ "type": "object" })), []);
}

#[test]
fn the_shipped_workflow_reads_only_what_its_schema_speaks_of() {
    assert_eq!(order_saga().notes(), []);
}
