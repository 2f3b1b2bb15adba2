//! Workflow files that are wrong, and what is said of them: what, where, and what to do.

use engine_core::definition::{Definition, DefinitionErrors};
use engine_core::format;

/// A file in which nothing is wrong.
const GOOD: &str = r#"{
  "format": "engine/1", "name": "base", "version": "1",
  "services": { "pay": { "url": "http://127.0.0.1:1" } },
  "steps": {
    "a": { "http": { "service": "pay", "get": "/a" } },
    "b": { "after": ["a"], "http": { "service": "pay", "post": "/b", "body": { "x": "${ .input.x }" } } },
    "c": { "after": ["b"], "value": "${ .steps.b.y }" }
  },
  "on_failure": { "tell": { "http": { "service": "pay", "post": "/tell" } } }
}"#;

fn problems(text: &str) -> DefinitionErrors {
    match Definition::from_json(text) {
        Ok(_) => panic!("nothing was found wrong with {text}"),
        Err(errors) => errors,
    }
}

/// Puts `new` for `old` into the good file.
fn changed(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    GOOD.replace(old, new)
}

/// Checks a table: what is put in for what, and a line of what is said for each problem.
fn check(table: &[(&str, &str, &[&str])]) {
    let mut wrong = Vec::new();
    for (old, new, expected) in table {
        let said = problems(&changed(old, new)).to_string();
        let fits = said.lines().count() == expected.len()
            && said.lines().zip(*expected).all(|(line, expected)| line.contains(expected));
        if !fits {
            wrong.push(format!("{new}\n  said:     {said}\n  expected: {}\n", expected.join("\n            ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const A: &str = r#""a": { "http": { "service": "pay", "get": "/a" } }"#;
const B_BODY: &str = r#""x": "${ .input.x }""#;
const C: &str = r#""c": { "after": ["b"], "value": "${ .steps.b.y }" }"#;
const SERVICE: &str = r#""pay": { "url": "http://127.0.0.1:1" }"#;
const VERSION: &str = r#""version": "1","#;

#[test]
fn the_good_file_is_good() {
    Definition::from_json(GOOD).unwrap();
}

#[test]
fn syntax() {
    for (text, expected) in [
        ("", "1:1: this file is empty"),
        (" \n", "1:1: this file is empty"),
        ("nope", "1:2: this is not JSON: expected ident"),
        ("{\n  \"format\": \"engine/1\",\n}", "3:1: this is not JSON: a comma stands before this `}`; take it out"),
        ("[1, ]", "1:5: this is not JSON: a comma stands before this `]`; take it out"),
        ("{\"ü\": \"ü\" \"b\": 2}", "1:11: this is not JSON: expected `,` or `}`"),
        ("{} {}", "1:4: this is not JSON: trailing characters"),
        ("[]", "1:1: a workflow file is a JSON object"),
        ("\u{feff}{}", "1:1: this file begins with a byte order mark"),
        ("{\"name\": \"\\ud800\"}", "1:10: /name: unexpected end of hex escape"),
        (
            "{\"run\": \"order_saga\", \"input\": {}}",
            "1:2: this file holds no workflow: it is an order to run the workflow `order_saga`",
        ),
    ] {
        assert!(problems(text).to_string().starts_with(expected), "{text}: {}", problems(text));
    }
}

#[test]
fn keys() {
    check(&[
        (
            r#""engine/1""#,
            r#""engine/2""#,
            &["2:13: /format: this engine reads files of format `engine/1`; this one is `engine/2`"],
        ),
        (r#""name": "base", "#, "", &["1:1: the key `name` is missing"]),
        (r#""after": ["a"]"#, r#""aftr": ["a"]"#, &["6:12: /steps/b/aftr: unknown key `aftr`: did you mean `after`?"]),
        (
            r#""after": ["a"]"#,
            r#""task": "a@1""#,
            &["6:12: /steps/b/task: unknown key `task`; known here: description, after, "],
        ),
        (r#""after": ["a"]"#, r#""after": "a""#, &["6:21: /steps/b/after: a list belongs here, not \"a\""]),
        (r#""after": ["a"]"#, r#""after": ["a", 1]"#, &["6:27: /steps/b/after/1: a string belongs here, not 1"]),
        (r#""after": ["a"]"#, r#""after": null"#, &["6:21: /steps/b/after: a list belongs here, not null"]),
        (r#""after": ["a"]"#, r#""retry": [1]"#, &["6:21: /steps/b/retry: "]),
        (r#""after": ["a"]"#, r#""retry": []"#, &["6:21: /steps/b/retry: an object belongs here, not a list"]),
        (
            r#""after": ["a"]"#,
            r#""otherwise": 1.5"#,
            &["/steps/b/otherwise: an object or a word belongs here, not a number"],
        ),
        (r#""engine/1""#, "1", &["2:13: /format: a word in quotes belongs here"]),
        (
            r#""after": ["a"]"#,
            r#""retry": { "factor": {} }"#,
            &["/steps/b/retry/factor: a number belongs here, not an object"],
        ),
        (r#""after": ["a"]"#, r#""expect": ["x"]"#, &["6:22: /steps/b/expect: an object belongs here, not a list"]),
        (SERVICE, r#""pay": ["http://x"]"#, &["3:24: /services/pay: an object belongs here, not a list"]),
        (r#""after": ["a"]"#, r#""join": "any""#, &["6:20: /steps/b/join: unknown value `any`; known here: all"]),
        (
            r#""after": ["a"]"#,
            r#""otherwise": "skp""#,
            &["6:25: /steps/b/otherwise: unknown value `skp`: did you mean `skip`?"],
        ),
        (
            r#""after": ["a"]"#,
            r#""retry": { "max_attempts": 1.5 }"#,
            &["/steps/b/retry/max_attempts: a whole number belongs here, not 1.5"],
        ),
        (
            r#""after": ["a"]"#,
            r#""after": ["a"], "after": ["a"]"#,
            &["6:28: /steps/b/after: the key `after` stands here twice"],
        ),
        (
            B_BODY,
            r#""x": 1, "y": { "z": 1, "\u007a": 2 }"#,
            &["6:103: /steps/b/http/body/y/z: the key `z` stands here twice"],
        ),
        (A, r#""b": { "value": 1 }"#, &["6:5: /steps/b: the step `b` stands here twice"]),
        (r#""tell""#, r#""a""#, &["9:19: /on_failure/a: `a` is already a step of the workflow; names are used once"]),
        (A, r#""a": []"#, &["5:10: /steps/a: an object belongs here, not a list"]),
        (
            B_BODY,
            r#""$serde_json::private::Number": "1""#,
            &["6:80: /steps/b/http/body/$serde_json::private::Number: this key is reserved"],
        ),
    ]);
}

#[test]
fn run_files_are_recognised() {
    let text = r#"{ "run": "order_saga", "input": { "order_id": "o" }, "$comment": "for a try" }"#;
    let Ok(format::File::Run(file)) = format::parse(text) else { panic!("no run file") };
    assert_eq!(file.run, "order_saga");
    assert!(matches!(format::parse(GOOD), Ok(format::File::Workflow(_))));
    let errors = format::parse(r#"{ "run": "order_saga", "inptu": {} }"#).unwrap_err();
    assert_eq!(errors.to_string(), "1:24: /inptu: unknown key `inptu`: did you mean `input`?");
}

#[test]
fn keys_of_all_steps_are_checked_at_once() {
    let text =
        changed(r#""after": ["a"]"#, r#""aftr": ["a"]"#).replace(C, r#""c": { "vlaue": 1, "value": 2, "value": 3 }"#);
    let text = text.replace("\"on_failure\"", "\"onfailure\"");
    let said = problems(&text).to_string();
    assert_eq!(
        said,
        "6:12: /steps/b/aftr: unknown key `aftr`: did you mean `after`?\n\
         7:12: /steps/c/vlaue: unknown key `vlaue`: did you mean `value`?\n\
         7:36: /steps/c/value: the key `value` stands here twice\n\
         9:3: /onfailure: unknown key `onfailure`: did you mean `on_failure`?"
    );
}

#[test]
fn names_and_values() {
    check(&[
        (r#""base""#, r#""Base""#, &["2:33: /name: `Base` is not a name"]),
        (r#""version": "1""#, r#""version": """#, &["2:52: /version: the version has 1 to 256 bytes"]),
        (r#""tell""#, r#""naïve\n""#, &["9:19: /on_failure/naïve\\u{a}: `naïve\\u{a}` is not a name"]),
        (
            VERSION,
            r#""version": "1", "timeout": "10 s","#,
            &["2:68: /timeout: `10 s` is not a duration: write it as \"200ms\""],
        ),
        (VERSION, r#""version": "1", "timeout": "0s","#, &["2:68: /timeout: this must be longer than nothing"]),
        (
            VERSION,
            r#""version": "1", "labels": { "": "x" },"#,
            &["2:69: /labels/: the key of a label has 1 to 256 bytes"],
        ),
        (
            r#""after": ["a"]"#,
            r#""retry": { "max_attempts": 0, "factor": 0.5, "initial": "1y", "max_interval": "100ms" }"#,
            &[
                "/steps/b/retry/max_attempts: attempts are counted from 1 to 100000; 0 is not among them",
                "/steps/b/retry/factor: the factor is a number from 1 to 1000",
                "/steps/b/retry/initial: `1y` is not a duration",
            ],
        ),
        (
            r#""after": ["a"]"#,
            r#""retry": { "factor": 1e999 }"#,
            &["/steps/b/retry/factor: the factor is a number from 1 to 1000"],
        ),
        (
            r#""after": ["a"]"#,
            r#""retry": { "initial": "30s" }"#,
            &[
                "/steps/b/retry/initial: the first delay (`initial`, 30s) is longer than the longest (`max_interval`, 10s)",
            ],
        ),
        (
            VERSION,
            r#""version": "1", "defaults": { "timeout": "x", "retry": { "jitter": "ful" } },"#,
            &["/defaults/retry/jitter: unknown value `ful`: did you mean `full`?"],
        ),
    ]);
}

#[test]
fn services() {
    check(&[
        (
            SERVICE,
            r#""pay": { "url": "localhost:1" }"#,
            &["3:33: /services/pay/url: `localhost:1` is no base URL: it begins with `http://` or `https://`"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "http://u:p@h" }"#,
            &["/services/pay/url: `http://u:p@h` is no base URL: credentials belong in `auth`"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "http://h/${ .input.x }" }"#,
            &["3:43: /services/pay/url: only `${secret:NAME}` and `${env:NAME}` can stand in a service"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "${env:PAY_URL}/?a" }"#,
            &["/services/pay/url: `${env:PAY_URL}/?a` is no base URL: a query or fragment"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "http://h", "auth": {} }"#,
            &["/services/pay/auth: `auth` has either `bearer` or `basic`"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "http://h", "auth": { "bearer": "${secrets:X}" } }"#,
            &["/services/pay/auth/bearer: only `${secret:NAME}`"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "http://h", "headers": { "Host": "x", "a b": "x", "X": "é", "x": "1" } }"#,
            &[
                "/services/pay/headers/Host: the engine sets the header `Host` itself; take it out",
                "/services/pay/headers/a b: `a b` is no name of a header",
                "/services/pay/headers/X: the value of a header is ASCII without line breaks",
                "/services/pay/headers/x: the header `x` stands here twice",
            ],
        ),
        (
            r#""service": "pay", "get""#,
            r#""service": "pya", "get""#,
            &["5:33: /steps/a/http/service: there is no service `pya`: did you mean `pay`?"],
        ),
        (
            SERVICE,
            r#""pay": { "url": "http://h", "timeout": "soon" }"#,
            &["/services/pay/timeout: `soon` is not a duration"],
        ),
    ]);
}

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
    let saga = include_str!("../../../workflows/order_saga.json");
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
fn kinds_and_calls() {
    check(&[
        (
            A,
            r#""a": { "http": { "service": "pay", "get": "/a" }, "value": 1 }"#,
            &["5:55: /steps/a/value: a step does one thing: `http` and `value` are two"],
        ),
        (A, r#""a": {}"#, &["5:5: /steps/a: a step does something: give it `http` or `value`"]),
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

#[test]
fn input_schemas() {
    check(&[
        (
            VERSION,
            r#""version": "1", "input": { "schema": { "type": "objekt" } },"#,
            &["/input/schema/type: this is not a JSON Schema that can be used"],
        ),
        (
            VERSION,
            r#""version": "1", "input": { "schema": { "$ref": "https://example.com/x.json" } },"#,
            &["2:88: /input/schema/$ref: a reference is a `$ref` to a place within the schema"],
        ),
        (
            VERSION,
            r##""version": "1", "input": { "schema": { "$ref": "#/$defs/x" } },"##,
            &["/input/schema: this is not a JSON Schema that can be used"],
        ),
        (
            VERSION,
            r#""version": "1", "input": { "schema": { "pattern": "(" } },"#,
            &["/input/schema/pattern: this is not a JSON Schema that can be used"],
        ),
        (
            VERSION,
            r#""version": "1", "input": { "schema": { "required": ["x"] }, "example": {} },"#,
            &["/input/example: the example breaks the schema: \"x\" is a required property"],
        ),
        (
            VERSION,
            r#""version": "1", "input": { "schema": 7 },"#,
            &["/input/schema: this is not a JSON Schema that can be used"],
        ),
    ]);
}
