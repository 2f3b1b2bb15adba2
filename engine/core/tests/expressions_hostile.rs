//! Hostile expressions: each runs in a process of its own with 512 MB of memory and five seconds of processor time, on
//! a thread with a stack of 2 MB, and must be refused or end in an error, by its budget, or with a value. A crash, a
//! hang or an overflow of the stack ends that process, and the test names the expression.

// The lints know tests only by their attribute, not their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
// Tables are as long as they are.
#![allow(clippy::too_many_lines)]

use engine_core::expression::{Expression, Value, budget};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Names the case that a child process is to run.
const CASE: &str = "HOSTILE_EXPRESSION";

/// What a child prints before how it ended.
const OUTCOME: &str = "hostile expression ended: ";

/// Sources and inputs are made only in the child that runs them: some are large.
struct Case {
    name: &'static str,
    source: fn() -> String,
    input: fn() -> String,
}

macro_rules! case {
    ($name:literal, $source:expr, $input:expr) => {
        Case { name: $name, source: || String::from($source), input: || String::from($input) }
    };
}

#[test]
fn hostile_expressions_are_refused_or_end() {
    let cases = cases();
    assert!(cases.len() > 135);
    let left = Mutex::new(cases.iter());
    let failures = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(4);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(case) = next else { return };
                    if let Err(failure) = run_in_child(case.name) {
                        failures.lock().unwrap().push(format!("{}: {failure}", case.name));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Whether the limits that make the test above worth anything are in force in a child.
#[test]
fn children_are_limited() {
    for (name, means) in [("test-memory", "memory"), ("test-time", "time"), ("test-stack", "stack")] {
        assert!(run_in_child(name).is_err(), "a child is not limited in {means}");
    }
}

fn run_in_child(name: &str) -> Result<(), String> {
    let limits = "ulimit -c 0; ulimit -v 524288 && ulimit -t 5 && exec \"$0\" \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", limits])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    // The processor time is what is limited; this is for a child that waits for something.
    let deadline = Instant::now() + Duration::from_mins(1);
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("it hangs".to_owned());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.contains(OUTCOME) {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors: String = errors.chars().take(400).collect();
    Err(format!("{}, {errors}", output.status))
}

/// Not a test by itself: what [`run_in_child`] runs.
#[test]
#[ignore = "run in child processes by hostile_expressions_are_refused_or_end"]
fn child() {
    let Ok(name) = std::env::var(CASE) else { return };
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let outcome = thread.spawn(move || run(&name)).unwrap().join().unwrap();
    println!("{OUTCOME}{outcome}");
}

fn run(name: &str) -> String {
    match name {
        "test-memory" => return std::hint::black_box(vec![1_u8; 600 << 20]).len().to_string(),
        "test-time" => loop {
            std::hint::black_box(name);
        },
        "test-stack" => return overflow(1).to_string(),
        _ => {}
    }
    let case = cases().into_iter().find(|case| case.name == name).unwrap();
    let document = match Value::from_slice((case.input)().as_bytes()) {
        Ok(document) => document,
        Err(error) => return format!("input refused: {error}"),
    };
    let expression = match Expression::compile(&(case.source)(), &[]) {
        Ok(expression) => expression,
        Err(error) => return format!("refused: {error}"),
    };
    let (result, used) = expression.evaluate_all(&document, budget::UNITS);
    match result {
        // Whatever is given may be written.
        Ok(values) => format!("{} bytes, {used}", values.iter().map(|value| value.to_vec().len()).sum::<usize>()),
        Err(error) => format!("{error}, {used}"),
    }
}

/// Uses up the stack.
#[expect(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    std::hint::black_box([depth; 64]);
    std::hint::black_box(overflow(depth + 1)) + depth
}

fn nested(depth: usize) -> String {
    ["[".repeat(depth), "]".repeat(depth)].concat()
}

fn list(count: u32, item: impl Fn(u32) -> String) -> String {
    format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","))
}

fn variables(count: u32) -> String {
    (0..count).map(|place| format!("$v{place}")).collect::<Vec<_>>().join(",")
}

fn digits() -> String {
    "9".repeat(250)
}

fn numbers() -> String {
    list(20_000, |place| place.to_string())
}

fn big_array() -> String {
    format!(r#"{{"a":{}}}"#, numbers())
}

fn big_object() -> String {
    let entries: Vec<String> = (0..20_000).map(|place| format!(r#""key{place}":{place}"#)).collect();
    format!("{{{}}}", entries.join(","))
}

fn rows() -> String {
    list(3000, |_| list(30, |place| (place % 3).to_string()))
}

fn cube() -> String {
    list(12, |_| list(12, |_| list(12, |_| list(12, |_| "0".to_owned()))))
}

fn document() -> String {
    let numbers = list(2000, |place| place.to_string());
    let items = list(2000, |place| format!(r#"{{"id":{},"price":"{place}.99"}}"#, place % 7));
    format!(r#"{{"a":{numbers},"b":{numbers},"s":"{}","items":{items}}}"#, "a".repeat(2000))
}

fn cases() -> Vec<Case> {
    let mut cases = known_cases();
    cases.extend(syntax_within_limits());
    cases.extend(cheap_looking_work());
    cases
}

/// What overflowed, hung or exhausted other evaluators.
#[rustfmt::skip]
fn known_cases() -> Vec<Case> {
    vec![
    case!("range1e9-collect", "[range(1e9)]", "null"),
    case!("range1e9-length", "[range(1e9)]|length", "null"),
    case!("range1e9-empty", "range(1e9)|empty", "null"),
    case!("range-step0", "range(0;1;0)|empty", "null"),
    case!("range-nan-step", "[limit(3;range(0;10;nan))]", "null"),
    case!("range-strings", r#"last(range("";"b";"a"))"#, "null"),
    case!("range-float-stuck", "[range(1e17;1e17+100;1.0)]|length", "null"),
    case!("limit-repeat", "[limit(1e9;repeat(1))]|length", "null"),
    case!("first-range", "first(range(1e9)|select(.<0))", "null"),
    case!("repeat-str", r#""a"*1000000000"#, "null"),
    case!("repeat-str-9e18", r#""ab"*9000000000000000000"#, "null"),
    case!("repeat-str-bigint", r#""ab"*99999999999999999999999999"#, "null"),
    case!("repeat-chain", r#""aaaaaaaaaa"*1000*1000*1000|length"#, "null"),
    case!("double-str", &[".", &"|.+.".repeat(40)].concat(), r#""a""#),
    case!("double-arr", &[".", &"|.+.".repeat(40)].concat(), "[1]"),
    case!("billion-laughs-tojson", &[".", &"|[.,.]".repeat(40), "|tojson|length"].concat(), "1"),
    case!("billion-laughs-eq", &["(.", &"|[.,.]".repeat(40), ") as $x|(.", &"|[.,.]".repeat(40), ") as $y|$x==$y"].concat(), "1"),
    case!("billion-laughs-output", &[".", &"|[.,.]".repeat(40)].concat(), "1"),
    case!("billion-laughs-key", &["(.", &"|[.,.]".repeat(30), ") as $x|{($x):1}|length"].concat(), "1"),
    case!("billion-laughs-errmsg", &["try (.", &"|[.,.]".repeat(35), "|.a) catch length"].concat(), "1"),
    case!("billion-laughs-flatten", &[".", &"|[.,.]".repeat(40), "|flatten|length"].concat(), "1"),
    case!("billion-outputs", &["(.,.)", &"|(.,.)".repeat(40)].concat(), "1"),
    case!("cartesian4", "[.a[] as $x|.b[] as $y|.a[] as $z|1]|length", &document()),
    case!("cartesian-plus", "[.a[]+.b[]+.a[]]|length", &document()),
    case!("cartesian-str", r#"[.a|"\(.[])\(.[])\(.[])"]|length"#, &document()),
    case!("combinations", "[.[]|[range(10)]]|[combinations]|length", "[1,2,3,4,5,6,7,8,9,10]"),
    case!("path-cartesian", "[.a[.a[]][.a[]]?]|length", &document()),
    case!("select-quadratic", "[.a as $a|.a[]|select($a==$a and $a==$a)]|length", &big_array()),
    case!("unique-quadratic", "[.[] as $x|.[]|select(.==$x)]|length", &numbers()),
    case!("recurse-inf", "last(recurse(.))", "1"),
    case!("recurse-grow", "last(recurse([.]))", "1"),
    case!("until-false", "until(false;.)", "1"),
    case!("while-true", "last(while(true;.))", "1"),
    case!("def-nontail", "def f: 1+f; f", "1"),
    case!("def-tail", "def f: f; f", "1"),
    case!("reduce-deep", "reduce range(1000000) as $i (0;[.])", "1"),
    case!("reduce-deep-len", "reduce range(1000000) as $i (0;[.])|length", "1"),
    case!("reduce-deep-100k-tojson", "reduce range(100000) as $i (0;[.])|tojson|length", "1"),
    case!("reduce-deep-20k-eq", "(reduce range(20000) as $i (0;[.])) as $x|(reduce range(20000) as $i (0;[.])) as $y|$x==$y", "1"),
    case!("reduce-strdouble", r#"reduce range(60) as $i ("a";.+.)|length"#, "1"),
    case!("fromjson-deep", r#"(("["*1000000)+("]"*1000000))|fromjson|length"#, "1"),
    case!("fromjson-deep-10k", r#"(("["*10000)+("]"*10000))|fromjson|length"#, "1"),
    case!("input-deep-1M-parse", "length", &nested(1_000_000)),
    case!("walk-deep-10k", "[walk(.)]|length", &nested(10_000)),
    case!("dotdot-deep-10k", "[..]|length", &nested(10_000)),
    case!("paths-deep-5k", "[paths]|length", &nested(5000)),
    case!("flatten-deep-10k", "flatten|length", &nested(10_000)),
    case!("regex-backtrack", r#"test("^(a+)+$")"#, &[r#"""#, &"a".repeat(5000), r#"b""#].concat()),
    case!("regex-nested-rep", r#"test("((((a{1,100}){1,100}){1,100}){1,100})")"#, r#""aaaa""#),
    case!("regex-quadratic", r#"[match("a*b";"g")]|length"#, &[r#"""#, &"a".repeat(50_000), r#"""#].concat()),
    case!("regex-big-class", &[r#"test(""#, &"[a-z]?".repeat(500), r#"[a-z]{500}")"#].concat(), &[r#"""#, &"a".repeat(20_000), r#"""#].concat()),
    case!("regex-deep", &[r#"test(""#, &"(".repeat(2000), &")".repeat(2000), r#"")"#].concat(), r#""a""#),
    case!("gsub-empty", r#"gsub("";"xx")|length"#, &[r#"""#, &"a".repeat(100_000), r#"""#].concat()),
    case!("gsub-multi-output", r#"[gsub("a";"b","c")]|length"#, &[r#"""#, &"a".repeat(40), r#"""#].concat()),
    case!("sub-named", r#"[sub("(?<x>a)";"\(.x)1","2";"g")]|length"#, &[r#"""#, &"a".repeat(30), r#"""#].concat()),
    case!("implode-min", "[-9223372036854775808]|implode", "null"),
    case!("length-min", "-9223372036854775808|length", "null"),
    case!("implode-bad", "[1114112]|implode", "null"),
    case!("sort-nan", "[range(2000)|if .%3==0 then nan else . end]|sort|length", "null"),
    case!("sort-nan-all", "[range(2000)|nan]|sort|length", "null"),
    case!("group-nan", "[range(2000)|{a:(if .%3==0 then nan else .*7%13 end)}]|group_by(.a)|length", "null"),
    case!("sort-mixed-bigfloat", "[range(3000)|if .%3==0 then 9007199254740993 elif .%3==1 then 9007199254740992.0 else 9007199254740992 end]|sort|length", "null"),
    case!("bigint-pow", "reduce range(40) as $i (3;.*.)|tojson|length", "null"),
    case!("bigint-mul-chain", &[".", &"|.*.".repeat(40), "|tojson|length"].concat(), "9999999999999999999999"),
    case!("num-1e400", "[1e400,-1e400,1e-400]|tojson", "null"),
    case!("num-digits-100k", &["(", &"9".repeat(100_000), ")|.+1|tojson|length"].concat(), "null"),
    case!("tonumber-bomb", "tonumber|tojson|length", &[r#"""#, &"9".repeat(3_000_000), r#"""#].concat()),
    case!("tojson-fromjson", &[".", &"|tojson".repeat(30), "|length"].concat(), r#""\"""#),
    case!("json-escape-growth", &[".", &"|tojson".repeat(24), "|length"].concat(), r#""\"\\""#),
    case!("base64-growth", &[".", &"|@base64".repeat(60), "|length"].concat(), r#""aaaa""#),
    case!("uri-growth", &[".", &"|@uri".repeat(40), "|length"].concat(), r#""%%%%""#),
    case!("html-growth", &[".", &"|@html".repeat(40), "|length"].concat(), r#""&&&&""#),
    case!("explode-big", r#"("a"*20000000)|explode|length"#, "null"),
    case!("split-big", r#"("a"*20000000)|split("")|length"#, "null"),
    case!("splits-sep", r#"("a,"*5000000)|split(",")|length"#, "null"),
    case!("ascii_downcase-big", r#"("A"*100000000)|ascii_downcase|length"#, "null"),
    case!("join-quadratic", r#"[range(200000)|tostring]|join(",")|length"#, "null"),
    case!("add-strings-quadratic", r#"[range(50000)|"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]|add|length"#, "null"),
    case!("add-arrays", "[range(20000)|[.]]|add|length", "null"),
    case!("add-objects", "[range(20000)|{(tostring):1}]|add|length", "null"),
    case!("with_entries-chain", &["{a:1}", &"|with_entries(.)".repeat(200)].concat(), "null"),
    case!("to_entries-chain", &["{a:1}", &"|to_entries".repeat(400), "|length"].concat(), "null"),
    case!("indices-quadratic", r#"("a"*200000)|indices("a"*100000)|length"#, "null"),
    case!("contains-exp", ". as $x|contains($x)", &rows()),
    case!("contains-nest", "contains(.)", &cube()),
    case!("transpose-wide", "[[range(3000)],[]] |[limit(3000;repeat(.[]))]|transpose|length", "null"),
    case!("setpath-neg", "try (.[-1]=1) catch .", "[]"),
    case!("index-1e9-assign", r#"try (.[1000000000]=1) catch "e""#, "[]"),
    case!("slice-huge", ".[99999999999999999999:]", "[1]"),
    case!("slice-str-neg", ".[-9223372036854775808:]", "\"é\""),
    case!("slice-neg0", ".[-0:]", r#""abc""#),
    case!("mod-min", "-9223372036854775808 % -1", "null"),
    case!("mod-zero", "5 % 0", "null"),
    case!("mod-fzero", "5 % 0.0", "null"),
    case!("strftime-bad", r#"strftime("%Q")"#, "0"),
    case!("strftime-1e18", r#"[strftime("%Y"),todate]"#, "1e18"),
    case!("strftime-wide", r#"strftime("%999999999d")"#, "0"),
    case!("mktime", "mktime", "[9999999999,1,1,1,1,1,1]"),
    case!("gmtime-nan", "gmtime", "null"),
    case!("ldexp", "ldexp(1;1e9)", "null"),
    case!("nextafter", "nextafter(0;1)", "null"),
    case!("jn-huge", "jn(2000000000;1.5)", "null"),
    case!("exp10", "exp10", "400"),
    case!("halt", "halt", "null"),
    case!("env", "env|length", "null"),
    case!("$ENV", "$ENV|length", "null"),
    case!("input", "input", "null"),
    case!("inputs", "[inputs]", "null"),
    case!("import", r#"import "a" as a; 1"#, "null"),
    case!("label-break", "label $f|range(1e9)|if .>10 then break $f else empty end", "null"),
    case!("break-in-fn", "[limit(2;label $x|1,break $x,2)]", "null"),
    case!("src-brackets-1k", &[&nested(1000), "|1"].concat(), "null"),
    case!("src-brackets-10k", &nested(10_000), "null"),
    case!("src-brackets-100k", &nested(100_000), "null"),
    case!("src-parens-5k", &[&"(".repeat(5000), "1", &")".repeat(5000)].concat(), "null"),
    case!("src-neg-100k", &[&"-".repeat(100_000), "1"].concat(), "null"),
    case!("src-neg-spaced", &[&"- ".repeat(50_000), "1"].concat(), "null"),
    case!("src-try-20k", &[&"try ".repeat(20_000), "1"].concat(), "null"),
    case!("src-if-3k", &"if ".repeat(3000), "null"),
    case!("src-if-ok-2k", &[&"if 1 then ".repeat(2000), "1", &" end".repeat(2000)].concat(), "null"),
    case!("src-plus-100k", &["1", &"+1".repeat(100_000)].concat(), "null"),
    case!("src-plus-10k", &["1", &"+1".repeat(10_000)].concat(), "null"),
    case!("src-pipe-100k", &[".", &"|.".repeat(100_000)].concat(), "null"),
    case!("src-pipe-10k", &[".", &"|.".repeat(10_000)].concat(), "null"),
    case!("src-comma-50k", &["[.", &",.".repeat(50_000), "]|length"].concat(), "null"),
    case!("src-as-10k", &[&". as $x|".repeat(10_000), "1"].concat(), "null"),
    case!("src-path-50k", &[".", &"[]".repeat(50_000)].concat(), "[]"),
    case!("src-interp-2k", &[&r#""\("#.repeat(2000), "1", &r#")""#.repeat(2000)].concat(), "null"),
    case!("src-dots", &".a".repeat(50_000), "null"),
    case!("src-q-100k", &[".a", &"?".repeat(100_000)].concat(), "null"),
    case!("src-reduce-nest", &[&"reduce . as $x (.;".repeat(1000), "1", &")".repeat(1000)].concat(), "null"),
    case!("src-unterminated", r#""\("#, "null"),
    case!("src-nul", ".a\x01", "null"),
    case!("src-unicode-var", "$é", "null"),
    case!("src-huge-string", &[r#"""#, &"a".repeat(10_000_000), r#""|length"#].concat(), "null"),
    ]
}

/// Sources as deep and as long as is let through to the parser.
#[rustfmt::skip]
fn syntax_within_limits() -> Vec<Case> {
    vec![
        case!("brackets-32", &nested(32), "1"),
        case!("parens-and-prefixes", &["(".repeat(31), "-".repeat(0), "- ".repeat(32), "1".to_owned(), ")".repeat(31)].concat(), "1"),
        case!("prefix-in-every-bracket", &["(-".repeat(31), "1".to_owned(), ")".repeat(31)].concat(), "1"),
        case!("if-in-every-bracket", &["(if 1 then ".repeat(31), "1".to_owned(), " end)".repeat(31)].concat(), "1"),
        case!("interpolations-31", &[r#""\("#.repeat(15), "1".to_owned(), r#")""#.repeat(15)].concat(), "1"),
        case!("objects-31", &["{a:".repeat(31), "1".to_owned(), "}".repeat(31)].concat(), "1"),
        case!("patterns-31", &[". as ".to_owned(), "[".repeat(31), "$x".to_owned(), "]".repeat(31), "|1".to_owned()].concat(), "1"),
        case!("plus-2000", &["1", &"+1".repeat(2000)].concat(), "1"),
        case!("pipe-2000", &[".", &"|.".repeat(2000)].concat(), "1"),
        case!("comma-2000", &["[.", &",.".repeat(2000), "]"].concat(), "1"),
        case!("alternative-1300", &["null", &"//1".repeat(1300)].concat(), "1"),
        case!("and-1000", &["1", &" or 1".repeat(800)].concat(), "1"),
        case!("path-2000", &".a".repeat(2000), "null"),
        case!("path-iterate-1300", &[".", &"[]?".repeat(1300)].concat(), "[]"),
        case!("questions-4000", &[".a", &"?".repeat(4000)].concat(), "null"),
        case!("elif-31", &["if 1 then 1", &" elif 1 then 1".repeat(31), " else 1 end"].concat(), "null"),
        case!("as-32", &["1 as $x|".repeat(32), "$x".to_owned()].concat(), "null"),
        case!("pipes-48", &["[range(9)]", &"|map(.)".repeat(30)].concat(), "null"),
        case!("deepest", &["[.[]?|(".repeat(15), ".+1".to_owned(), ")]".repeat(15)].concat(), &nested(90)),
        case!("variables-looked-up", &format!(". as [{}]|[range(1e9)|$v0]", variables(400)), "[]"),
        case!("object-of-many", &format!(". as [{}]|[range(1e9)|{{{}}}]", variables(150), variables(150)), "[]"),
        case!("suffix-dots", &["1", &".".repeat(4000)].concat(), "null"),
        case!("string-of-escapes", &["\"", &r"\u0041".repeat(680), "\""].concat(), "null"),
        case!("only-comment", &"#".repeat(4000), "null"),
        case!("comment-goes-on", &"#\\\n".repeat(1300), "null"),
        case!("deep-value", "[.]|[.]|[.]|[.]|[.]|[.]|[.]|[.]|[.]|[.]|[.]|tojson", &nested(95)),
        case!("deepest-value-compared", "[.,.,.]|sort|unique|(.==.)|tojson", &nested(99)),
    ]
}

/// Work that could be forgotten in the table of charges.
#[rustfmt::skip]
fn cheap_looking_work() -> Vec<Case> {
    vec![
        case!("compare-big-object", ". as $b|[range(1e9)|select($b=={})]|length", &big_object()),
        case!("compare-big-object-inside", ". as $b|[range(1e9)|select([$b]==[{}])]|length", &big_object()),
        case!("compare-big-object-itself", ". as $b|[range(1e9)|select($b==$b)]|length", &big_object()),
        case!("compare-made-objects", "[range(1e9)|{a:1,b:2}=={b:2,a:1}]|length", "1"),
        case!("compare-long-numbers", &format!("[range(1e9)|select({0}0 < {0}1)]|length", digits()), "1"),
        case!("long-literal", &format!("[range(1e9)|{}]|length", digits()), "1"),
        case!("long-literals", &format!("[range(1e9)|[{}]]|length", vec![digits(); 14].join(",")), "1"),
        case!("long-exponent", "[1e999999999999999999999999, 1e-99999999999999999999999]|sort|tojson", "1"),
        case!("long-key", &format!("[range(1e9)|.{}]|length", "k".repeat(3500)), "{}"),
        case!("long-made-key", r#"("k"*100000) as $k|[range(1e9)|.[$k]]|length"#, "{}"),
        case!("long-made-has", r#"("k"*100000) as $k|[range(1e9)|has($k)]|length"#, "{}"),
        case!("long-text", &format!(r#"[range(1e9)|"{}\(.)"]|length"#, "x".repeat(3500)), "1"),
        case!("interpolation-product", r#""\(range(1000))\(range(1000))\(range(1000))"|empty"#, "1"),
        case!("object-product", "{a:range(1000),b:range(1000),c:range(1000)}|empty", "1"),
        case!("objects", "[range(1e9)|{a:{b:{c:{}}}}]|length", "1"),
        case!("arrays", "[range(1e9)|[[[[]]]]]|length", "1"),
        case!("texts", r#"[range(1e9)|"abc"*1000]|length"#, "1"),
        case!("sort-heavy", "[range(1000)|[range(100)]]|sort|length", "1"),
        case!("sort-big-objects", ". as $b|[range(100)|$b]|sort|length", &big_object()),
        case!("group-big", "[.[],.[],.[]]|group_by(.)|length", &numbers()),
        case!("map-values", "[range(1e9) as $x|.|map_values(.)]|length", &big_object()),
        case!("with-entries", "[range(1e9) as $x|.|with_entries(.)]|length", &big_object()),
        case!("keys", "[range(1e9) as $x|.|keys]|length", &big_object()),
        case!("slices", "[range(1e9) as $x|.[1:]]|length", &numbers()),
        case!("text-slices", r#"("é"*100000) as $t|[range(1e9)|$t[1:]|length]|length"#, "1"),
        case!("text-length", r#"("é"*100000) as $t|[range(1e9)|$t|length]|length"#, "1"),
        case!("text-trim", r#"(" "*100000) as $t|[range(1e9)|$t|trim]|length"#, "1"),
        case!("text-prefix", r#"("a"*100000) as $t|[range(1e9)|$t|startswith($t)]|length"#, "1"),
        case!("text-strip", r#"("a"*100000) as $t|[range(1e9)|$t|ltrimstr($t),rtrimstr("a")]|length"#, "1"),
        case!("text-contains", r#"("a"*100000) as $t|[range(1e9)|$t|contains("b")]|length"#, "1"),
        case!("text-number", r#"("1"*100000) as $t|[range(1e9)|$t|tonumber?]|length"#, "1"),
        case!("text-number-blank", r#"(" "*100000) as $t|[range(1e9)|$t|tonumber?]|length"#, "1"),
        case!("text-date", r#"("1-"*100000) as $t|[range(1e9)|$t|fromdate?]|length"#, "1"),
        case!("text-join", r#"[range(1000)|""]|join("a"*100000)|length"#, "1"),
        case!("text-empty-times", r#"[range(1e9)|""*1e9]|length"#, "1"),
        case!("text-tiny-times", r#""a"*1e-300|length"#, "1"),
        case!("text-huge-times", r#""a"*1e400|length"#, "1"),
        case!("shell", "[range(1e9) as $x|.|@sh]|length", &numbers()),
        case!("html", r#"("&"*1000000)|@html|@uri|@base64|@json|length"#, "1"),
        case!("subtract", ". - . | length", &numbers()),
        case!("merge", "[range(1e9) as $x|. * .]|length", &big_object()),
        case!("merge-deep", &["{}", &"|{a:.,b:.}".repeat(30), "|. * .|length"].concat(), "1"),
        case!("contains-shared", &["[]", &"|[.,.]".repeat(30), "|contains(.)"].concat(), "1"),
        case!("contains-shared-not", &["1", &"|[.,.]".repeat(30), " as $a|2", &"|[.,.]".repeat(30), "|contains($a)"].concat(), "1"),
        case!("flatten-shared", &["[]", &"|[.,.]".repeat(40), "|flatten(1e9)|length"].concat(), "1"),
        case!("transpose-shared", "[range(1000)] as $r|[range(1000)|$r]|transpose|length", "1"),
        case!("indices-shared", &["[]", &"|[.,.]".repeat(40), "|indices([.])"].concat(), "1"),
        case!("error-shared", &["1", &"|[.,.]".repeat(40), "|error"].concat(), "1"),
        case!("error-caught-shared", &["1", &"|[.,.]".repeat(40), "|try error catch length"].concat(), "1"),
        case!("alternatives", "[range(1e9)|(error//empty)//empty]|length", "1"),
        case!("tries", "[range(1e9)|try error catch empty]|length", "1"),
        case!("dates", "[1e18,-1e18,9e15,1e400,-62135596800,253402300800]|map(try todate catch .)", "1"),
        case!("indexes", "[.[1e18],.[-1e18],.[1e400],.[-1e400],.[0.5],.[-0.5],.[9223372036854775807],.[-9223372036854775808]]|length", "[1]"),
        case!("slice-ends", "[.[1e400:],.[:-1e400],.[9223372036854775807:-9223372036854775808],.[0.5:1.5]]|length", "[1]"),
        case!("limits", "[limit(1e18;1,2),limit(-1;1),limit(0;error)]|length", "1"),
        case!("int-edges", "[-9223372036854775808|abs?,-.?,(./-1)?,(.%-1)?,(.*-1)?,(.-1)?,length?]|length", "1"),
    ]
}
