//! What is wrong with steps: their order, their calls, their expressions, how they are undone.

use engine_core::definition::Definition;

use crate::{A, B_BODY, C, VERSION, changed, check, problems};

#[test]
fn order_of_steps() {
    check(&[
        (r#"["a"]"#, r#"["aa"]"#, &["6:22: /steps/b/after/0: there is no step `aa`"]),
        (r#"["a"]"#, r#"["b"]"#, &["6:22: /steps/b/after/0: `b` comes after itself"]),
        (r#"["a"]"#, r#"["a", "a"]"#, &["6:27: /steps/b/after/1: `a` is named twice"]),
        (
            r#"["a"]"#,
            r#"["tell"]"#,
            &["6:22: /steps/b/after/0: `tell` is a step of `on_failure`; it runs only after a run has failed"],
        ),
        (
            r#"{ "tell": {"#,
            r#"{ "tell": { "after": ["a"],"#,
            &["/on_failure/tell/after/0: steps of `on_failure` come after all others anyway; take `a` out"],
        ),
        (r#"["a"]"#, r#"["c"]"#, &["6:5: /steps/b: these steps wait for each other: b → c → b; "]),
        (
            r#""a": { "http""#,
            r#""a": { "after": ["c"], "http""#,
            &["5:5: /steps/a: these steps wait for each other: a → b → c → a; one of them must not come"],
        ),
        (
            r#""get": "/a""#,
            r#""get": "/${ .steps.c }""#,
            &["5:5: /steps/a: these steps wait for each other: a → b → c → a;"],
        ),
    ]);
}

#[test]
fn near_misses_are_suggested() {
    let saga = include_str!("../../../../workflows/order_saga.json");
    for (old, new, expected) in [
        (
            r#"["charge"]"#,
            r#"["chrage"]"#,
            "/steps/update_inventory/after/0: there is no step `chrage`: did you mean `charge`?",
        ),
        (
            ".steps.create_record.",
            ".steps.create_recrod.",
            "/output/record_id: there is no step `create_recrod`: did you mean `create_record`?",
        ),
        (
            "\"service\": \"user\"",
            "\"service\": \"users\"",
            "/steps/validate_user/http/service: there is no service `users`: did you mean `user`?",
        ),
        ("\"optional\"", "\"optinal\"", "unknown key `optinal`: did you mean `optional`?"),
    ] {
        let said = problems(&saga.replacen(old, new, 1)).to_string();
        assert!(said.ends_with(expected), "{said}");
    }
}

#[test]
fn tasks() {
    check(&[
        (
            A,
            r#""a": { "task": { "name": "a@1" }, "value": 1 }"#,
            &["5:39: /steps/a/value: a step does one thing: `task` and `value` are two"],
        ),
        (A, r#""a": { "task": { "name": "a" } }"#, &["5:30: /steps/a/task/name: `a` names no task: give its name"]),
        (A, r#""a": { "task": { "args": [] } }"#, &["5:20: /steps/a/task: the key `name` is missing"]),
        (
            A,
            r#""a": { "task": { "name": "a@1", "args": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] } }"#,
            &["5:45: /steps/a/task/args: a task takes 9 arguments at most, not 10"],
        ),
        (A, r#""a": { "task": { "name": "a@1", "args": ["${ .nope }"] } }"#, &["/steps/a/task/args/0: "]),
        (
            A,
            r#""a": { "task": { "name": "a@1" }, "output": "response" }"#,
            &["/steps/a/output: a task has no response: its output is what it gives"],
        ),
        (
            A,
            r#""a": { "value": 1 }, "d": { "task": { "name": "d@1" }, "compensate": {} }"#,
            &["/steps/d/compensate: this calls something: give it `http` or `task`"],
        ),
        (
            A,
            r#""a": { "value": 1 }, "d": { "task": { "name": "d@1" },
               "compensate": { "task": { "name": "d.undo@1" }, "http": { "service": "pay", "get": "/a" } } }"#,
            &["/steps/d/compensate/task: this calls one thing: `http` and `task` are two"],
        ),
    ]);
}

#[test]
fn kinds_and_calls() {
    check(&[
        (
            A,
            r#""a": { "http": { "service": "pay", "get": "/a" }, "value": 1 }"#,
            &["5:55: /steps/a/value: a step does one thing: `http` and `value` are two"],
        ),
        (A, r#""a": {}"#, &["5:5: /steps/a: a step does something: give it `http`, `task` or `value`"]),
        (
            r#""get": "/a""#,
            r#""get": "/a", "put": "/b""#,
            &["5:53: /steps/a/http/put: a call has one method; this one has `get` and `put`"],
        ),
        (r#", "get": "/a""#, "", &["5:20: /steps/a/http: a call has a method with its path: one of `get`, "]),
        (
            r#""get": "/a""#,
            r#""get": "/a", "body": null"#,
            &["5:53: /steps/a/http/body: a GET has no body; put what it says into `query`"],
        ),
        (r#""get": "/a""#, r#""get": "a""#, &["5:47: /steps/a/http/get: a path begins with `/`"]),
        (r#""get": "/a""#, r#""get": "http://x/a""#, &["5:47: /steps/a/http/get: a whole URL goes without `service`"]),
        (r#""service": "pay", "get": "/a""#, r#""get": "/a""#, &["5:29: /steps/a/http/get: a path needs a `service`"]),
        (
            r#""service": "pay", "get": "/a""#,
            r#""get": "ftp://x""#,
            &["5:29: /steps/a/http/get: `ftp://x` is no URL: only `http://`"],
        ),
        (
            r#""get": "/a""#,
            r#""get": "/a", "query": { "q": [1], "r": null }"#,
            &["/steps/a/http/query/q: the value of a query parameter is a text,", "/steps/a/http/query/r: the value"],
        ),
        (
            r#""get": "/a""#,
            r#""get": "/a", "headers": { "Idempotency-Key": "x", "ü": "x", "X": "a\nb" }"#,
            &[
                "/headers/Idempotency-Key: the engine sets",
                "/headers/ü: `ü` is no name",
                "/headers/X: the value of a header is ASCII",
            ],
        ),
        (
            r#""get": "/a""#,
            r#""get": "/a", "headers": { "Authorization": "Bearer ${secret:KEY}" }"#,
            &[
                "5:93: /steps/a/http/headers/Authorization: `${secret:…}` is allowed only in headers, auth and URLs of services",
            ],
        ),
        (
            r#""get": "/a""#,
            r#""get": "/a", "classify": { "99": "success", "4xx": "success" }"#,
            &["/classify/99: `99` is no HTTP status", "/classify/4xx: `4xx` is no HTTP status"],
        ),
        (
            C,
            r#""c": { "value": 1, "retry": {}, "compensate": { "http": { "service": "pay", "post": "/u" } } }"#,
            &[
                "7:24: /steps/c/retry: `retry` can't stand here: a `value` is computed and calls nobody",
                "/steps/c/compensate: ",
            ],
        ),
        (
            r#""after": ["a"]"#,
            r#""output": "bodi""#,
            &[
                "/steps/b/output: `bodi` is no output: give \"body\", \"response\", or JSON with expressions over `.output`",
            ],
        ),
        (
            r#""after": ["a"]"#,
            r#""otherwise": { "fail": "no stock" }"#,
            &[
                "/steps/b/otherwise: `otherwise` says what happens where `when` is false",
                "/steps/b/otherwise/fail: `no stock` is no code",
            ],
        ),
    ]);
}

#[test]
fn expressions() {
    check(&[
        (B_BODY, r#""x": "${ .input.x + }""#, &["6:100: /steps/b/http/body/x: "]),
        (B_BODY, r#""x": ["a", { "y": "é ${ def f: 1; f }" }]"#, &["6:108: /steps/b/http/body/x/1/y: "]),
        (B_BODY, r#""x": "${ env }""#, &["6:89: /steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ now }""#, &["6:89: /steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ .input | recurse }""#, &["6:98: /steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ .steps[.input.x] }""#, &["/steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ .inptu.x }""#, &["/steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ .output }""#, &["/steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ .input.x""#, &["6:87: /steps/b/http/body/x: "]),
        (B_BODY, r#""x": "${ .steps.bb }""#, &["6:89: /steps/b/http/body/x: there is no step `bb`"]),
        (
            B_BODY,
            r#""x": "${ .steps.b }""#,
            &["6:89: /steps/b/http/body/x: `b` reads its own output here, before it has one"],
        ),
        (B_BODY, r#""x": "${ .steps.tell }""#, &["6:89: /steps/b/http/body/x: `tell` is a step of `on_failure`"]),
        (B_BODY, r#""x": "${ .error.message }""#, &["/steps/b/http/body/x: "]),
        (r#""after": ["a"]"#, r#""when": true"#, &["6:20: /steps/b/when: a string belongs here, not true"]),
        (
            r#""after": ["a"]"#,
            r#""when": "x ${ .input.x }""#,
            &["6:20: /steps/b/when: a condition is one whole expression"],
        ),
        (r#""after": ["a"]"#, r#""when": "${ .output }""#, &["/steps/b/when: "]),
        (
            r#""after": ["a"]"#,
            r#""expect": { "that": "${ .output.x", "code": "X" }"#,
            &["6:34: /steps/b/expect/that: "],
        ),
        (
            r#""after": ["a"]"#,
            r#""expect": { "that": "${ .output.ok }", "code": "x" }"#,
            &["/steps/b/expect/code: `x` is no code: use upper-case letters"],
        ),
        (VERSION, r#""version": "1", "output": { "x": ["${ .steps.x }", "${ .key }"] },"#, &["/output/x/1: "]),
    ]);
}

#[test]
fn positions_see_through_escapes() {
    check(&[(B_BODY, r#""x": "\u00e9\n\"${ env }""#, &["6:99: /steps/b/http/body/x: "])]);
}

#[test]
fn compensations_and_pivots() {
    let undo = |read: &str| {
        format!(
            r#"["a"], "compensate": {{ "http": {{ "service": "pay", "post": "/u", "body": "${{ .steps.{read} }}" }} }}"#
        )
    };
    let (later, unknown) = (undo("c"), undo("d"));
    check(&[
        (
            r#"["a"]"#,
            later.as_str(),
            &[
                "/steps/b/compensate/http/body: the compensation of `b` reads `.steps.c`, but `c` need not have run before `b`; add `c` to `after` of `b`, or do without it",
            ],
        ),
        (r#"["a"]"#, unknown.as_str(), &["/steps/b/compensate/http/body: there is no step `d`"]),
    ]);
    Definition::from_json(&changed(r#"["a"]"#, &undo("a"))).unwrap();
    Definition::from_json(&changed(r#"["a"]"#, &undo("b"))).unwrap();
    check(&[
        (
            r#""after": ["a"]"#,
            r#""pivot": true"#,
            &[
                "6:21: /steps/b/pivot: the pivot stands beside a branch: neither before nor after `b` come `a`; put each there with `after`",
            ],
        ),
        (
            r#""after": ["a"]"#,
            r#""after": ["a"], "pivot": true, "optional": true"#,
            &["6:43: /steps/b/optional: `optional` can't stand here: the pivot decides"],
        ),
        (
            "\"tell\": {",
            r#""tell": { "pivot": true, "on_unknown": "stuck","#,
            &[
                "/on_failure/tell/pivot: `pivot` can't stand here: the steps of `on_failure`",
                "/on_failure/tell/on_unknown: ",
            ],
        ),
    ]);
    let two = changed(r#""after": ["a"]"#, r#""after": ["a"], "pivot": true"#)
        .replace(r#""after": ["b"]"#, r#""after": ["b"], "pivot": true"#);
    assert_eq!(
        problems(&two).to_string(),
        "7:37: /steps/c/pivot: a workflow has one pivot at most: both `b` and `c` say they are it"
    );
}
