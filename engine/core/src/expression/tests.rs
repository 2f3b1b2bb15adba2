//! What expressions mean, where that is ours to decide.

use super::{EvaluationErrorKind, Expression, Value, ValueError, budget};

fn document() -> Value {
    let document = r#"{"input": {"n": 199.980, "big": 12345678901234567890123, "huge": 1e+400, "s": "secret-1234", "list": [1, 2, 3]}, "steps": {}}"#;
    Value::from_slice(document.as_bytes()).unwrap()
}

fn evaluate(source: &str) -> Result<String, String> {
    let expression = Expression::compile(source, &["input", "steps"]).unwrap();
    match expression.evaluate(&document()) {
        Ok(value) => Ok(String::from_utf8(value.to_vec()).unwrap()),
        Err(error) => Err(error.message),
    }
}

#[test]
fn expressions_give_values() {
    for (source, result) in [
        (".input.n", "199.980"),
        ("[.input.n, .input.big, .input.huge]", "[199.980,12345678901234567890123,1e+400]"),
        (".input.n | tostring", r#""199.980""#),
        (".input.big == .input.big + 0", "false"),
        (".steps.none.at.all", "null"),
        ("\"99.99\" | tonumber | tojson", r#""99.99""#),
        ("(error(1), 2) // 3", "3"),
        ("[(2, error(1)) // 3]", "[2]"),
        ("[error(1)?, 2]", "[2]"),
        ("try error({a: 1}) catch .a", "1"),
        ("try (try error(1) catch error(2)) catch .", "2"),
        ("[.input.list[] | try (if . == 2 then error(\"two\") else . end) catch .]", r#"[1,"two",3]"#),
        ("[limit(2; .input.list[] | select(. > 1))]", "[2,3]"),
        ("[\"a\", null, 1, true] | join(\"-\")", r#""a--1-true""#),
        ("[1, 2] | ltrimstr(\"a\")", "[1,2]"),
        ("[[\"k\", 1]] | map({k: .[0], v: .[1]}) | from_entries", r#"{"k":1}"#),
        ("[{key: null, value: 1}, {name: \"b\", value: 2}] | from_entries", r#"{"null":1,"b":2}"#),
        ("[10] | to_entries", r#"[{"key":0,"value":10}]"#),
        ("\"ab\" * 1.5", r#""abab""#),
        ("[1, 2, 3][1.7:]", "[2,3]"),
        ("16 | sqrt", "4"),
        ("\"a b/ü~\" | @uri", r#""a%20b%2F%C3%BC~""#),
        ("\"<&'\\\">\" | @html", r#""&lt;&amp;&#39;&quot;&gt;""#),
        ("\"hello\" | @base64", r#""aGVsbG8=""#),
        ("\"aGk=\" | @base64d", r#""hi""#),
        ("\"aGk\" | @base64d", r#""hi""#),
        ("@uri \"/x?q=\\(\"a b\")\"", r#""/x?q=a%20b""#),
        ("\"2024-02-29T12:00:00Z\" | fromdate + 86400 | todate", r#""2024-03-01T12:00:00Z""#),
        ("[range(0; 1; 0)]", "[]"),
    ] {
        assert_eq!(evaluate(source).as_deref(), Ok(result), "{source}");
    }
}

#[test]
fn exactly_one_result_is_wanted() {
    let kind = |source: &str| Expression::compile(source, &["input"]).unwrap().evaluate(&document()).unwrap_err().kind;
    assert_eq!(kind("empty"), EvaluationErrorKind::NoResult);
    assert_eq!(kind(".input.list[]"), EvaluationErrorKind::SeveralResults);
    // The second result ends the evaluation whatever would catch errors.
    assert_eq!(kind("try (1, 2) catch 3"), EvaluationErrorKind::SeveralResults);
    assert_eq!(kind("(1, range(1e9))?"), EvaluationErrorKind::SeveralResults);
    assert_eq!(kind("(1, 2) // 3"), EvaluationErrorKind::SeveralResults);
    assert_eq!(kind("[range(1e9)]"), EvaluationErrorKind::Budget);
    assert_eq!(kind("error(1)"), EvaluationErrorKind::Error);
}

#[test]
fn texts_of_errors_hold_no_values() {
    for source in [
        ".input.s.x",
        ".input.s[0]",
        ".input.s | .[1][2]",
        ".input[.input.s].x.y | error",
        "{} | .[\"a\"] | error",
        ".input.s - 1",
        "-.input.s",
        ".input.s | tonumber",
        "error(.input.s)",
        "error(\"it is \\(.input.s)\")",
        ".input.s | error",
        ".input.s | fromdate",
        "{(.input.list): 1}",
        ".input.s | @base64d",
        ".input.s | keys",
        "[.input.s] | implode",
        ".input.s | has(1)",
        "[.input] | join(\"\")",
        ".input.list[.input.s]",
        ".input.s | map(.)",
        ".input.s | sort",
        "[.input] | @sh",
        ".input.s as [$x] | $x",
        "[range(.input.s; 1)]",
        ".input.list[.input.s:]",
        ".input | .list * .s",
        "1 | .[.input]",
    ] {
        let expression = Expression::compile(source, &["input"]).unwrap();
        let error = expression.evaluate(&document()).unwrap_err();
        assert!(!error.message.contains("secret"), "{source}: {error}");
        assert!(!error.to_string().contains("1234"), "{source}: {error}");
    }
    assert_eq!(evaluate("error(\"as written\")"), Err("as written".to_owned()));
    assert_eq!(evaluate("error(.input.s)"), Err("the expression raised an error (string)".to_owned()));
}

#[test]
fn only_errors_of_its_own_are_caught() {
    for source in [
        "(try 1 catch 2) | error(\"later\")",
        "(1)? | error(\"later\")",
        "(1 // 2) | error(\"later\")",
        "(try (try 1 catch 2) catch 3) | error(\"later\")",
        "(try ((1 // 2)?) catch 3) | error(\"later\")",
        "first(try 1 catch 2) | error(\"later\")",
        "(.input.list[]? | error(\"later\"))",
    ] {
        assert_eq!(evaluate(source), Err("later".to_owned()), "{source}");
    }
    // Neither is the end that a function puts to its argument.
    assert_eq!(
        evaluate("[limit(1; try (1, 2) catch 3), first((4, 5)?), first((6, 7) // 8)]").as_deref(),
        Ok("[1,4,6]")
    );
    assert_eq!(evaluate("[.input.list | any(try (. > 0) catch 1)]").as_deref(), Ok("[true]"));
}

#[test]
fn errors_say_where() {
    for (source, line, column, message) in [
        (".input.list.x", 1, 13, "cannot read `x` of array"),
        (".input.list |\n  map(.x)", 2, 8, "cannot read `x` of number"),
        ("1 + (.input.n - .input.s)", 1, 7, "cannot calculate number - string"),
        ("[.input.list[] | tonumber | ltrimstr(1) | keys]", 1, 43, "number has no keys"),
        ("\"ü\" | .input", 1, 8, "cannot read `input` of string"),
        ("{a: {(.input.n): 1}}", 1, 8, "object keys must be strings, not number"),
        (".input.n[]", 1, 8, "cannot iterate over number"),
        ("if .input.n then error(\"x\") else 1 end", 1, 18, "x"),
    ] {
        let error = Expression::compile(source, &["input"]).unwrap().evaluate(&document()).unwrap_err();
        assert_eq!((error.line, error.column, error.message.as_str()), (line, column, message), "{source}");
    }
}

#[test]
fn values_are_limited_in_depth_and_not_in_sharing() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert!(Value::from_slice(nested(100).as_bytes()).is_ok());
    assert_eq!(Value::from_slice(nested(101).as_bytes()).unwrap_err(), ValueError::TooDeep);
    assert_eq!(Value::from_slice(nested(100_000).as_bytes()).unwrap_err(), ValueError::TooDeep);
    assert_eq!(Value::from_slice("9".repeat(257).as_bytes()).unwrap_err(), ValueError::NumberTooLong);
    assert_eq!(Value::from_slice(b"{\n  x").unwrap_err(), ValueError::Syntax { line: 2, column: 3 });
    // Weight counts shared parts as often as they are written.
    let expression = Expression::compile(&format!("1{}", "|[.,.]".repeat(10)), &[]).unwrap();
    let value = expression.evaluate(&Value::null()).unwrap();
    assert_eq!((value.weight(), value.depth()), (2047, 10));
}

#[test]
fn values_are_json_and_back() {
    let text = r#"{"z":[1,-0.50,true,null,"\"\\\n\t\u0001é"],"a":{}}"#;
    let value = Value::from_slice(text.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(value.to_vec()).unwrap(), text);
    assert_eq!(value.to_json().to_string(), text);
    assert_eq!(Value::from_json(&value.to_json()).unwrap(), value);
    assert_eq!(value, Value::from_slice(br#"{"a":{},"z":[1.0,-0.5,true,null,"\"\\\n\t\u0001\u00e9"]}"#).unwrap());
    assert_eq!(value.get("a").map(Value::type_name), Some("object"));
    assert!(value.get("b").is_none() && Value::null().is_null());
}

#[test]
fn the_stack_of_the_caller_does_not_matter() {
    let source = format!("{}1{}", "[.[]?,(".repeat(15), ")]".repeat(15));
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    let run = move || Expression::compile(&source, &[]).unwrap().evaluate(&Value::null()).map(|value| value.depth());
    assert_eq!(thread.spawn(run).unwrap().join().unwrap(), Ok(15));
}

/// A changed charge changes which stored runs fail: whoever has to change these numbers raises the version.
#[test]
fn charges_are_those_of_this_version() {
    let charge = |source: &str| {
        let expression = Expression::compile(source, &["input"]).unwrap();
        let (result, units) = expression.evaluate_counted(&document(), budget::UNITS);
        assert!(result.is_ok(), "{source}");
        units
    };
    let sources = [
        ".input.n",
        ".input",
        "[.input.list[] + 1]",
        "[range(100)] | sort | unique | length",
        ".input.s | split(\"-\") | join(\"+\")",
        ".input | to_entries | from_entries == .",
        "[.input, .input] | tojson | @base64 | length",
        "\"ab\" * 100 | explode | implode | length",
    ];
    assert_eq!(budget::CHARGES_VERSION, 2);
    assert_eq!(sources.map(charge), [6, 4, 27, 2115, 34, 85, 164, 766]);
}

#[test]
fn the_largest_payload_is_passed_on_whole_and_not_twice() {
    let len = crate::bounds::MAX_PAYLOAD - 2;
    let document = Value::object([("input".to_owned(), Value::string("x".repeat(len)))]);
    let render = |json: serde_json::Value| super::Template::compile(&json, &["input"]).unwrap().render(&document);
    assert_eq!(render(serde_json::json!("${ .input }")).unwrap().to_vec().len(), len + 2);
    let twice = render(serde_json::json!(["${ .input }", "${ .input }"])).unwrap_err();
    assert!(twice.to_string().contains("makes more data, than is allowed"), "{twice}");
}

#[test]
fn types_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Value>();
    shared::<Expression>();
    shared::<super::Template>();
}
