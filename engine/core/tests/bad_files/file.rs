//! What is wrong with a file as a whole: its syntax, its keys, its services, the schema of its input.

use engine_core::definition::Definition;
use engine_core::format;

use crate::{A, B_BODY, C, GOOD, SERVICE, VERSION, changed, check, problems};

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
        (r#""after": ["a"]"#, r#""tasc": "a@1""#, &["6:12: /steps/b/tasc: unknown key `tasc`: did you mean `task`?"]),
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
            r#""retry": { "intervals": ["1s", "0s", "soon"], "initial": "1s", "factor": 2, "max_interval": "1m" }"#,
            &[
                "/steps/b/retry/intervals/1: this must be longer than nothing, at least `1ms`",
                "/steps/b/retry/intervals/2: `soon` is not a duration",
                "/steps/b/retry/initial: `intervals` lists every delay, so `initial` says nothing beside it: leave one out",
                "/steps/b/retry/factor: `intervals` lists",
                "/steps/b/retry/max_interval: `intervals` lists",
            ],
        ),
        (
            r#""after": ["a"]"#,
            r#""retry": { "intervals": [] }"#,
            &["/steps/b/retry/intervals: 1 to 100 delays can be listed, not 0"],
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
