//! Random expressions: exhaustion cannot be caught, evaluation is deterministic, and what jaq gives is what we give,
//! but for a list of documented differences.

// The lints know tests only by their attribute, not their helpers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use engine_core::expression::{EvaluationErrorKind, Expression, Value, functions};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data};

/// A small generator of random numbers, the same ones every time.
struct Random {
    state: u64,
    /// Functions that are not called.
    avoid: &'static [&'static str],
}

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from((self.state >> 11) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const LEAVES: &[&str] = &[
    ".",
    ".",
    ".a",
    ".items",
    ".s",
    ".[]?",
    "1",
    "0",
    "\"ab\"",
    "null",
    "$x",
    ".b[0]",
    "[]",
    "{}",
    "1000",
    "-1",
    "1.5",
    ".items[]?.price",
    "1e9",
    "true",
    "\",\"",
    ".a[3]",
    ".t",
    ".n",
    ".z",
];

const OPERATORS: &[&str] = &["+", "*", "-", "/", "%", "==", "<", "and", "or", "//", "+", "*", ">=", "!="];

/// A random expression of bounded depth that uses the variable `$x`.
fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random.pick(LEAVES).to_owned();
    }
    let depth = depth - 1 - usize::from(random.below(3) == 0 && depth > 1);
    let choice = random.below(17);
    let mut inner = || expression(random, depth);
    match choice {
        0..=2 => format!("{}|{}", inner(), inner()),
        3 => format!("({},{})", inner(), inner()),
        4 => format!("[{}]", inner()),
        5 => {
            let (left, right) = (inner(), inner());
            format!("({left} {} {right})", random.pick(OPERATORS))
        }
        6 => format!("{{k:({}),\"j\":1}}", inner()),
        7 => format!("({} as $x|{})", inner(), inner()),
        8 => format!("({})?", inner()),
        9 => format!("(if {} then {} else {} end)", inner(), inner(), inner()),
        10 => format!("({})[{}:]", inner(), inner()),
        11 => format!("\"<\\({})>\"", inner()),
        12 => format!("({} as [$x,{{a:$y}}]|[$x,$y])", inner()),
        _ => {
            let known: Vec<_> = functions().filter(|(name, _)| !random.avoid.contains(name)).collect();
            let (name, arity) = known[random.below(known.len())];
            let arguments: Vec<_> = (0..arity).map(|_| expression(random, depth)).collect();
            let input = expression(random, depth);
            if arity == 0 { format!("{input}|{name}") } else { format!("({input}|{name}({}))", arguments.join(";")) }
        }
    }
}

/// So many random expressions that compile.
fn expressions(seed: u64, avoid: &'static [&'static str], count: usize) -> impl Iterator<Item = (String, Expression)> {
    let mut random = Random { state: seed, avoid };
    let mut depth = 0;
    std::iter::repeat_with(move || {
        depth = depth % 4 + 1;
        format!("1 as $x|{}", expression(&mut random, depth))
    })
    .filter_map(|source| Expression::compile(&source, &[]).ok().map(|expression| (source, expression)))
    .take(count)
}

const DOCUMENT: &str = r#"{
    "a": [1, 2, 3, {"x": [null, true, "é"]}], "b": [[3, 1], [2]], "s": "a,b,c", "t": " Tab\t", "n": -2.5, "z": {"b": 1, "a": [2]},
    "items": [{"price": "0.50", "q": 0}, {"price": "1.50", "q": 1}, {"price": "2.50", "q": 2}, {"price": "10", "q": 0}]
}"#;

fn document() -> Value {
    Value::from_slice(DOCUMENT.as_bytes()).unwrap()
}

const BUDGET: u64 = 300_000;

#[test]
fn exhaustion_cannot_be_caught() {
    const WRAPPERS: [(&str, &str); 12] = [
        ("try (", ") catch \"c\""),
        ("(", ")?"),
        ("(", ") // \"d\""),
        ("[(", ")?] | length"),
        ("(try (try (", ") catch 1) catch 2)"),
        ("([", "] | length | tostring)? // 1"),
        ("[limit(1e9; (", ")?)]"),
        ("(", ") as $q | try error(1) catch 3"),
        ("first((", ")?, 1)"),
        ("[.[]?, (", ")?] | any // all"),
        ("isempty(try (", ") catch empty)"),
        ("try (try ([", "] | error) catch (., error)) catch length"),
    ];
    let document = document();
    let mut tried = 0;
    for (source, _) in expressions(88_172_645_463_325_252, &[], 1500) {
        for (before, after) in WRAPPERS {
            let wrapped = format!("{before}{source}{after}");
            let Ok(expression) = Expression::compile(&wrapped, &[]) else { continue };
            let (result, used) = expression.evaluate_all(&document, BUDGET);
            if matches!(&result, Err(error) if error.kind == EvaluationErrorKind::Budget) {
                continue;
            }
            tried += 1;
            // Anything less than it needs, and it must stop for that reason and no other.
            for units in [used / 2, used - 1] {
                let (result, spent) = expression.evaluate_all(&document, units);
                let kind = result.map_err(|error| error.kind);
                assert_eq!(kind.err(), Some(EvaluationErrorKind::Budget), "{wrapped} with {units} of {used}");
                assert_eq!(spent, units, "{wrapped}");
            }
        }
    }
    assert!(tried > 10_000, "only {tried}");
}

#[test]
fn the_same_expression_and_data_give_the_same_result_and_count() {
    let document = document();
    let written = document.to_vec();
    for (source, expression) in expressions(2_463_534_242, &[], 3000) {
        let (first, used) = expression.evaluate_all(&document, BUDGET);
        // Another compilation, on another thread, on data that was stored in between.
        let again = Expression::compile(&source, &[]).unwrap();
        let document = Value::from_slice(&written).unwrap();
        let (second, used_again) = again.evaluate_all(&document, BUDGET);
        assert_eq!(used, used_again, "{source}");
        match (first, second) {
            (Ok(first), Ok(second)) => {
                let write = |values: &[Value]| values.iter().map(Value::to_vec).collect::<Vec<_>>();
                assert_eq!(write(&first), write(&second), "{source}");
            }
            (first, second) => {
                assert_eq!(
                    first.map_err(|error| error.to_string()).err(),
                    second.map_err(|error| error.to_string()).err()
                );
            }
        }
        // What it needs is enough.
        if used < BUDGET {
            let (_, exactly) = again.evaluate_all(&document, used);
            assert_eq!(used, exactly, "{source}");
        }
    }
}

/// Functions of ours that jaq lacks without its optional features.
const LACKING: &[&str] = &["@html", "@uri", "@base64", "@base64d", "sqrt", "todate", "fromdate"];

/// Functions that are not compared on random arguments: those, and one that in jaq counts for ever from one type to
/// another.
const AVOID: &[&str] = &["@html", "@uri", "@base64", "@base64d", "sqrt", "todate", "fromdate", "range"];

/// Definitions of jaq that those of our functions use.
const NEEDED: &[&str] = &["isboolean", "isnumber", "isstring", "isarray", "isobject", "recurse", "totype", "repeat"];

/// Whether a function is ours, and jaq's too.
fn has(name: &str, arity: usize) -> bool {
    !LACKING.contains(&name) && functions().any(|ours| ours == (name, arity))
}

/// All results of jaq up to the first error, and whether there was one.
fn jaq(source: &str, document: &str) -> Option<(Vec<String>, bool)> {
    let arena = Arena::default();
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let definitions = definitions
        .filter(|definition| NEEDED.contains(&definition.name) || has(definition.name, definition.args.len()));
    let modules = Loader::new(definitions).load(&arena, File { code: source, path: () }).ok()?;
    let natives = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
    let filter = Compiler::default().with_funs(natives).compile(modules).ok()?;
    let input = jaq_json::read::parse_single(document.as_bytes()).ok()?;
    let context = Ctx::<data::JustLut<jaq_json::Val>>::new(&filter.lut, Vars::new([]));
    let mut results = Vec::new();
    for result in filter.id.run((context, input)) {
        match result {
            Ok(value) => results.push(value.to_string()),
            Err(_) => return Some((results, true)),
        }
    }
    Some((results, false))
}

/// What we refuse and jaq does not, by our message.
const WE_REFUSE: &[&str] = &[
    // As jq; jaq finds null under any key that an object does not have. It also orders one element without its key.
    "cannot index",
    "cannot ask object for",
    // As jq; in jaq `abs` gives back what is no number, and `limit` counts by any value.
    "expected a number",
    // jaq flattens, and makes objects of, values that are no arrays.
    "expected an array",
    // jaq goes on with larger integers, with infinity, and with what is no number.
    "integer overflow",
    "number out of range",
    "division by zero",
    "the number is too large",
];

/// What we give and jaq refuses or gives otherwise, by a part of the source.
const WE_DIFFER: &[&str] = &[
    // As jq: errors of the left side count as nothing.
    "//",      // As jq: what is no string is left as it is.
    "trimstr", // As jq: nothing is found in null, and the empty text nowhere.
    "index", "indices", // As jq: fractions as bounds are rounded down, texts are repeated by fractions.
    ":]", " * ",  // Scalars are joined as text, null as the empty text.
    "join", // As jq: these do not take everything that jaq takes, which shows where the error is caught.
    " as [", "abs", "flatten(", // As jq: texts are reversed, too.
    "reverse",  // Here the left side is evaluated first, and may fail where the right side gives nothing.
    " < .[]?",
];

/// Whether values are the same, numbers by their value: `4/2` is `2` here and `2.0` there.
fn same(ours: &serde_json::Value, theirs: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object, String};
    match (ours, theirs) {
        (Number(ours), Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        (String(ours), String(theirs)) => *ours == theirs.replace(".0", ""),
        (Array(ours), Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Object(ours), Object(theirs)) => {
            let pairs = ours.iter().zip(theirs);
            ours.len() == theirs.len() && pairs.into_iter().all(|(o, t)| o.0 == t.0 && same(o.1, t.1))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Compares with jaq: `None` where the results are the same, else what is different.
fn difference(source: &str, ours: &Result<Vec<Value>, String>) -> Option<String> {
    let (theirs, failed) = jaq(source, DOCUMENT)?;
    let theirs: Vec<serde_json::Value> = theirs.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let equal = match ours {
        Ok(ours) => {
            let mut pairs = ours.iter().zip(&theirs);
            !failed && ours.len() == theirs.len() && pairs.all(|(ours, theirs)| same(&ours.to_json(), theirs))
        }
        Err(_) => failed,
    };
    if equal {
        return None;
    }
    let shown: Result<Vec<_>, _> = ours.as_ref().map(|ours| ours.iter().map(Value::to_json).collect());
    let more = if failed { " and an error" } else { "" };
    Some(format!("{source}\n  here {shown:?}\n  jaq  {theirs:?}{more}"))
}

/// Programs whose results are the same as in jaq, without excuses.
const FIXED: &[&str] = &[
    ".items | map(.price | tonumber) | add",
    "[.items[] | select(.q == 0) | .price]",
    "[.items[] | {(.price): .q}] | add",
    ".items | group_by(.q) | map({q: .[0].q, n: length})",
    ".items | sort_by(.q, .price) | map(.price)",
    ".items | unique_by(.q) | length",
    ".items | min_by(.q), max_by(.q)",
    ".items | map(.q) | min, max, sort, unique, reverse",
    "[.items[].q] | any(. > 1), all(. < 3), (map(. == 0) | any, all)",
    "any(.items[]; .q == 2), all(.items[]; .q == 2)",
    "[range(5)], [range(2; 5)], [range(5; 0; -2)], [range(0; 1; 0.25)]",
    "[limit(2; .a[])], first(.a[]), last(.a[]), (.a | first, last, nth(1))",
    "[limit(0; 1, 2)], isempty(empty), isempty(.a[])",
    "[(1, 2) + (10, 20)], [(1, 2) * (3, 4) - (5, 6)]",
    "[{a: (1, 2), b: (3, 4)}], {\"a b\": 1}, {a: 1} + {b: 2} * {b: {c: 3}}",
    ". as {a: [$x, $y], $s} | [$x, $y, $s], (. as {\"s\": $t} | $t)",
    ".a as [$x] | .b as [[$y]] | $x + $y",
    "[.a[1:], .a[:1], .a[-1:], .a[1:-1], .s[1:3], .s[-1:]]",
    ".a[-1].x[2], .a[10], .nothing.at.all, .a[3].x[0]",
    "[.a[]?], [.s[]?], [.a[] | .x?]",
    "try error(\"boo\") catch ., (try error({a: 1}) catch .a), [.s | try .x catch \"no\"]",
    "(.s | .x)? // \"nothing\"",
    "[.a[] | if type == \"number\" then . * 2 elif . == null then 0 else \"x\" end]",
    "null // 1, false // 2, 0 // 3, (null, 4) // 5, [empty // 6]",
    "1 == 1.0, [1] == [1.0], {a: 1, b: 2} == {b: 2, a: 1}, \"a\" < \"b\", [] < {}, null < false, {a: 2} < {b: 1}",
    "[true, null, 1, \"a\", [], {}] | sort, map(type)",
    "[{a: 1, b: 2}, {a: 1}, {b: 0}] | sort",
    "true and null, false or 1, (1, null | not)",
    ".z | keys, keys_unsorted, to_entries",
    ".z | to_entries | from_entries",
    ".z | with_entries({key: (.key + \"!\"), value: .value}), map_values(. == 1), has(\"a\"), has(\"q\")",
    ".a | length, has(0), has(9), (map(numbers) | add), map(scalars), map(iterables)",
    "\"aé\" | length, utf8bytelength, explode, (explode | implode), ascii_upcase",
    ".s | split(\",\"), (split(\",\") | join(\"-\")), ltrimstr(\"a,\"), rtrimstr(\",c\"), startswith(\"a\"), endswith(\"a\")",
    ".t | trim, ltrim, rtrim, ascii_downcase",
    ".s | index(\",\"), rindex(\",\"), indices(\",\"), contains(\"b\"), inside(\"xa,b,cx\")",
    "[1, 2, 1, 2, 1] | indices(1), indices([1, 2]), index(2), rindex(2), contains([2])",
    "{a: [1, {b: 2}], c: \"foobar\"} | contains({a: [{b: 2}]}), contains({c: \"bar\"}), contains({c: \"baz\"})",
    "[1, [2, [3, [4]]]] | flatten, flatten(1)",
    "[[1, 2, 3], [4]] | transpose, add",
    "[1, null, 2] | add, ([\"a\", \"b\"] | add), ([[1], [2]] | add), ([{a: 1}, {a: 2}] | add), ([] | add), add(1, 2)",
    "[1.5, -1.5, 2.4] | map(floor), map(ceil), map(round), map(abs)",
    "7 % 3, -7 % 3, 7 % -3, 10 / 4, 1 - 3, -(.n), 5 / 5 == 1",
    "\"a\" * 3, \"a\" * 0, \"a,b\" / \",\", [1, 2, 3, 1] - [1]",
    "\"x\\(1 + 1)y\\(.z)\\(\"s\")\", @json \"v=\\(.z)\", @text \"\\(.b)\", (.s | @json, @text, @sh)",
    "[1, \"a'b\", null, true] | @sh, tojson, tostring",
    "\"199.98\" | tonumber | tostring, . , tojson",
    "[.items[] | .price | tonumber] | map(. * 100 | round) | add",
    "{a: {b: 1, c: 2}} * {a: {b: 3}, d: 4}",
    "[.[] | type], [.[] | nulls, booleans, strings | length]",
];

#[test]
fn fixed_programs_give_the_results_of_jaq() {
    let document = document();
    for source in FIXED {
        let expression = Expression::compile(source, &[]).unwrap();
        let (ours, _) = expression.evaluate_all(&document, BUDGET);
        assert!(jaq(source, DOCUMENT).is_some(), "{source}");
        assert_eq!(difference(source, &ours.map_err(|error| error.to_string())), None);
    }
}

#[test]
fn results_are_those_of_jaq() {
    let document = document();
    let mut compared = 0;
    let mut excused = 0;
    let mut differences = Vec::new();
    for (source, expression) in expressions(1_234_567_891, AVOID, 2500) {
        let (ours, used) = expression.evaluate_all(&document, BUDGET);
        // What costs us more may never end there.
        if used > 20_000 {
            continue;
        }
        compared += 1;
        let ours = ours.map_err(|error| error.message);
        let Some(difference) = difference(&source, &ours) else { continue };
        let known = match &ours {
            Err(message) => WE_REFUSE.iter().any(|known| message.contains(known)),
            Ok(_) => false,
        };
        if known || WE_DIFFER.iter().any(|known| source.contains(known)) {
            excused += 1;
        } else {
            differences.push(difference);
        }
    }
    assert!(differences.is_empty(), "{} of {compared}:\n{}", differences.len(), differences.join("\n"));
    assert!(compared > 2000, "only {compared}");
    assert!(excused < compared / 10, "{excused} of {compared} are excused");
}
