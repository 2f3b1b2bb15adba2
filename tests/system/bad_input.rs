//! What is wrong is refused before anything runs: exit 2, a message with file, line and pointer, nothing stored.

use serde_json::{Value, json};

use crate::support::{Engine, input, saga};

/// Runs a file with this text; it must be refused with these words, and nothing stored.
#[track_caller]
fn assert_refused(text: &str, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broken.json");
    std::fs::write(&file, text).unwrap();
    let engine = Engine::new(&dir.path().join("data"));
    let ran = engine.run(&file, &["--example"]);
    ran.assert_exit(2).assert_says(words).assert_says(&["broken.json"]);
    assert!(!engine.data_dir.exists(), "something was stored");
    assert!(ran.text().len() < 5_000, "one clear message, not {} bytes", ran.text().len());
    engine.verb(&["check", file.to_str().unwrap()]).assert_exit(2).assert_says(words);
}

#[track_caller]
fn assert_change_refused(change: impl FnOnce(&mut Value), words: &[&str]) {
    let mut file = saga();
    change(&mut file);
    assert_refused(&serde_json::to_string_pretty(&file).unwrap(), words);
}

#[test]
fn what_is_no_workflow_file() {
    assert_refused("", &["broken.json:1"]);
    assert_refused("not json", &["broken.json:1:"]);
    assert_refused("{\n  \"format\": \"engine/1\",\n  oops\n}", &["broken.json:3:"]);
    assert_refused("[]", &["broken.json:1:"]);
    assert_change_refused(|file| file["format"] = json!("engine/9"), &["/format", "engine/1"]);
}

#[test]
fn unknown_keys_are_named_with_a_suggestion() {
    assert_change_refused(
        |file| {
            let after = file["steps"]["charge"]["after"].take();
            file["steps"]["charge"].as_object_mut().unwrap().remove("after");
            file["steps"]["charge"]["afer"] = after;
        },
        &["/steps/charge/afer", "did you mean `after`?"],
    );
    // Kinds of steps that come later are unknown keys until then.
    assert_change_refused(|file| file["steps"]["charge"]["sleep"] = json!({ "for": "1s" }), &["/steps/charge/sleep"]);
}

#[test]
fn duplicates_are_refused() {
    let text = serde_json::to_string_pretty(&saga()).unwrap();
    assert_refused(&text.replacen("\"version\"", "\"name\": \"order_saga\",\n  \"version\"", 1), &["/name", "twice"]);
    let step = "\"charge\": { \"value\": 1 },\n    \"charge\": {";
    assert_refused(&text.replacen("\"charge\": {", step, 1), &["/steps/charge", "twice"]);
}

#[test]
fn dependencies_must_exist_and_have_an_order() {
    assert_change_refused(
        |file| file["steps"]["charge"]["after"] = json!(["validate_usr"]),
        &["/steps/charge/after", "validate_usr", "did you mean `validate_user`?"],
    );
    assert_change_refused(
        |file| {
            file["steps"] = json!({
                "a": { "after": ["c"], "value": 1 },
                "b": { "after": ["a"], "value": 1 },
                "c": { "after": ["b"], "value": 1 },
            });
            file.as_object_mut().unwrap().remove("output");
        },
        &["/steps/a", "a → b → c → a"],
    );
}

#[test]
fn a_step_is_of_one_kind() {
    assert_change_refused(|file| file["steps"]["charge"]["value"] = json!(1), &["/steps/charge", "http", "value"]);
}

#[test]
fn compensations_read_only_what_came_before() {
    assert_change_refused(
        |file| {
            let body = json!({ "record": "${ .steps.create_record.record_id }" });
            file["steps"]["charge"]["compensate"]["http"]["body"] = body;
        },
        &["/steps/charge/compensate/http/body/record", "create_record"],
    );
}

#[test]
fn expressions_are_checked_with_their_column() {
    let with = |expression: &'static str| {
        move |file: &mut Value| file["steps"]["charge"]["http"]["body"] = json!({ "x": expression })
    };
    assert_change_refused(with("${ .input. }"), &["/steps/charge/http/body/x", "broken.json:"]);
    for (expression, word) in [
        ("${ def f: 1; f }", "def"),
        ("${ env }", "env"),
        ("${ now }", "now"),
        ("${ .input | recurse }", "recurse"),
        ("${ .steps[.input.x] }", ".steps"),
    ] {
        assert_change_refused(with(expression), &["/steps/charge/http/body/x", word]);
    }
    let long = format!("${{ \"{}\" }}", "x".repeat(1_000_000));
    assert_change_refused(|file| file["steps"]["charge"]["http"]["body"] = json!(long), &["4096"]);
}

#[test]
fn a_pivot_is_one_and_has_nothing_beside_it() {
    assert_change_refused(|file| file["steps"]["charge"]["pivot"] = json!(true), &["pivot", "charge", "create_record"]);
    assert_change_refused(
        |file| {
            file["steps"]["aside"] = json!({ "after": ["validate_user"], "value": 1 });
        },
        &["pivot", "aside", "create_record"],
    );
}

#[test]
fn durations_are_checked() {
    assert_change_refused(
        |file| file["defaults"]["timeout"] = json!("10 seconds"),
        &["/defaults/timeout", "10 seconds"],
    );
}

#[test]
fn sizes_are_bounded() {
    assert_refused(&" ".repeat(10 << 20), &["4 MiB"]);
    assert_refused(&"[".repeat(100_000), &["broken.json:1"]);
    assert_change_refused(
        |file| {
            let steps = (0..10_000).map(|number| (format!("s{number}"), json!({ "value": number })));
            file["steps"] = Value::Object(steps.collect());
            file.as_object_mut().unwrap().remove("output");
        },
        &["2000"],
    );
}

#[test]
fn an_input_that_breaks_the_schema_is_refused_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("saga.json");
    std::fs::write(&file, saga().to_string()).unwrap();
    let engine = Engine::new(&dir.path().join("data"));
    let mut broken = input();
    broken["items"][0]["quantity"] = json!("two");
    broken.as_object_mut().unwrap().remove("user_id");
    let ran = engine.run(&file, &["--input", &broken.to_string()]);
    ran.assert_exit(2).assert_says(&["/items/0/quantity", "user_id"]);
    engine.run(&file, &["--input", "{nonsense"]).assert_exit(2);
    engine.run(&file, &["--input", "@no-such-file"]).assert_exit(2).assert_says(&["no-such-file"]);
    engine.run(&file, &[]).assert_exit(2).assert_says(&["--input"]);
    engine.run(&file, &["--example", "--override", "paymnt.url=http://x"]).assert_exit(2).assert_says(&["payment"]);
    let nowhere = dir.path().join("nowhere.json");
    engine.run(&nowhere, &["--example"]).assert_exit(2).assert_says(&["nowhere.json"]);
    let stored = engine.verb(&["list", "-o", "json"]);
    assert!(stored.exit == Some(3) || stored.json()["runs"] == json!([]), "{stored:?}");
}

#[test]
fn a_service_that_is_not_mocked_is_refused_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("saga.json");
    let mut content = saga();
    content["services"]["warehouse"] = json!({ "url": "http://127.0.0.1:9" });
    content["steps"]["create_record"]["http"]["service"] = json!("warehouse");
    std::fs::write(&file, content.to_string()).unwrap();
    let engine = Engine::new(&dir.path().join("data"));
    let refused = engine.run(&file, &["--mock-services"]);
    refused.assert_exit(2).assert_says(&["warehouse", "--override warehouse.url=URL", "payment"]);
    assert!(!engine.data_dir.exists(), "nothing was stored");
}
