//! What an expression may say: everything else is refused when it is compiled.
//!
//! The check walks the syntax tree once. It knows where `.` is still the whole document: there
//! only fixed names may follow (`.input`, `.steps.NAME`), so the names that an expression reads
//! are known before it ever runs.

use super::failure::ExpressionError;
use super::natives;
use super::number::{MAX_CHARACTERS, Number};
use super::parse::{Ast, Parsed, literal, offset, position};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Opt, Part};
use std::collections::BTreeSet;

/// The most nodes of a syntax tree.
pub const MAX_NODES: usize = 600;

/// The deepest syntax tree; two parts of a path count as one level.
pub const MAX_DEPTH: usize = 96;

/// What an expression reads of its document.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The first names: `input`, `steps`, …
    pub(super) roots: BTreeSet<String>,
    /// The names after `.steps`.
    pub(super) steps: BTreeSet<String>,
    /// The fixed names after `.input`.
    pub(super) inputs: BTreeSet<String>,
}

/// Checks a parsed expression. Without any roots `.` itself may be used.
pub(super) fn check(source: &str, parsed: &Parsed<'_>, roots: &[&str]) -> Result<Reads, ExpressionError> {
    let mut checker = Checker {
        source,
        roots,
        recursion: parsed.recursion,
        reads: Reads::default(),
        variables: Vec::new(),
        nodes: 0,
        at: 0,
    };
    let input = if roots.is_empty() { Input::Value } else { Input::Document };
    checker.term(&parsed.ast, input, 0)?;
    Ok(checker.reads)
}

/// What `.` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// The whole document: only fixed names may follow.
    Document,
    /// Some value.
    Value,
}

struct Checker<'c, 's> {
    source: &'s str,
    roots: &'c [&'c str],
    recursion: Option<usize>,
    reads: Reads,
    variables: Vec<&'s str>,
    nodes: usize,
    /// The last known place, for terms that have none.
    at: usize,
}

type Checked = Result<(), ExpressionError>;

impl<'s> Checker<'_, 's> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError::new(self.source, self.at, message))
    }

    fn refuse_at<T>(&mut self, part: &str, message: String) -> Result<T, ExpressionError> {
        self.at = offset(self.source, part);
        self.refuse(message)
    }

    fn deeper(&self, depth: usize) -> Result<usize, ExpressionError> {
        if self.nodes > MAX_NODES || depth >= MAX_DEPTH {
            return self.refuse("the expression is too large");
        }
        Ok(depth + 1)
    }

    fn terms<'t>(&mut self, terms: impl IntoIterator<Item = &'t Ast<'s>>, input: Input, depth: usize) -> Checked
    where
        's: 't,
    {
        terms.into_iter().try_for_each(|term| self.term(term, input, depth))
    }

    fn term(&mut self, term: &Ast<'s>, input: Input, depth: usize) -> Checked {
        self.nodes += 1;
        let depth = self.deeper(depth)?;
        if let Some(at) = position(self.source, term) {
            self.at = at;
        }
        match term {
            Term::Id if input == Input::Document => {
                self.refuse("`.` is the whole document here: name what is read, as `.input` or `.steps.NAME`")
            }
            Term::Id | Term::Arr(None) => Ok(()),
            Term::Num(text) => match Number::parse_literal(text) {
                Some(_) => Ok(()),
                None => self.refuse(format!("no number, or more than {MAX_CHARACTERS} digits")),
            },
            Term::Str(format, parts) => {
                if let Some(format) = format {
                    self.function(format, 0)?;
                }
                let terms = parts.iter().filter_map(|part| match part {
                    StrPart::Term(term) => Some(term),
                    _ => None,
                });
                self.terms(terms, input, depth)
            }
            Term::Arr(Some(inner)) | Term::Neg(inner) => self.term(inner, input, depth),
            Term::Obj(entries) => self.object(entries, input, depth),
            Term::Var(name) => self.variable(name),
            Term::IfThenElse(cases, otherwise) => {
                for (condition, then) in cases {
                    self.term(condition, input, depth)?;
                    self.term(then, input, depth)?;
                }
                match otherwise {
                    Some(otherwise) => self.term(otherwise, input, depth),
                    None if input == Input::Document => {
                        self.refuse("`if` without `else` would give the whole document")
                    }
                    None => Ok(()),
                }
            }
            Term::TryCatch(body, handler) => {
                self.term(body, input, depth)?;
                // The handler's `.` is the error.
                self.terms(handler.as_deref(), Input::Value, depth)
            }
            Term::BinOp(left, operator, right) => self.binary(left, operator, right, input, depth),
            Term::Call(name, arguments) => self.call(name, arguments, input, depth),
            Term::Path(head, path) => self.path(head, &path.0, input, depth),
            other => self.forbidden(other),
        }
    }

    fn forbidden(&mut self, term: &Ast<'s>) -> Checked {
        match term {
            Term::Recurse => {
                self.at = self.recursion.unwrap_or(self.at);
                self.refuse("`..` is not allowed")
            }
            Term::Def(definitions, _) => {
                if let Some(definition) = definitions.first() {
                    self.at = offset(self.source, definition.name);
                }
                self.refuse("`def` is not allowed")
            }
            Term::Fold(keyword, ..) => {
                self.refuse_at(keyword, format!("`{keyword}` is not allowed; use map, add, any, all"))
            }
            Term::Label(name, _) => {
                self.refuse_at(name, "`label` is not allowed; use first(f) or limit(n; f)".to_owned())
            }
            _ => self.refuse("not allowed"),
        }
    }

    fn variable(&mut self, name: &'s str) -> Checked {
        if self.variables.contains(&name) {
            return Ok(());
        }
        let why = match name {
            "$ENV" | "$__loc__" | "$__prog_args" => "not allowed",
            _ => "not defined here",
        };
        self.refuse_at(name, format!("`{name}` is {why}"))
    }

    fn object(&mut self, entries: &[(Ast<'s>, Option<Ast<'s>>)], input: Input, depth: usize) -> Checked {
        for (key, value) in entries {
            self.term(key, input, depth)?;
            match value {
                Some(value) => self.term(value, input, depth)?,
                // `{a}` reads `.a`, `{$a}` does not.
                None if input == Input::Document && !matches!(key, Term::Var(_)) => {
                    return self.refuse("write the value out, as `{key: .input.key}`");
                }
                None => {}
            }
        }
        Ok(())
    }

    fn binary(
        &mut self,
        left: &Ast<'s>,
        operator: &BinaryOp<&'s str>,
        right: &Ast<'s>,
        input: Input,
        depth: usize,
    ) -> Checked {
        match operator {
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.refuse("assignment (`=`, `|=`, `+=`, …) is not allowed; use `{…} + {…}` or map_values")
            }
            BinaryOp::Pipe(None) => {
                self.term(left, input, depth)?;
                self.term(right, Input::Value, depth)
            }
            BinaryOp::Pipe(Some(pattern)) => {
                self.term(left, input, depth)?;
                let mut bound = Vec::new();
                self.pattern(pattern, &mut bound, depth)?;
                let outside = self.variables.len();
                self.variables.append(&mut bound);
                self.term(right, input, depth)?;
                self.variables.truncate(outside);
                Ok(())
            }
            _ => {
                self.term(left, input, depth)?;
                self.term(right, input, depth)
            }
        }
    }

    /// Checks a pattern; variables as keys in it are those from outside of it.
    fn pattern(&mut self, pattern: &Pattern<&'s str>, bound: &mut Vec<&'s str>, depth: usize) -> Checked {
        self.nodes += 1;
        let depth = self.deeper(depth)?;
        match pattern {
            Pattern::Var(name) => bound.push(name),
            Pattern::Arr(items) => {
                for item in items {
                    self.pattern(item, bound, depth)?;
                }
            }
            Pattern::Obj(entries) => {
                for (key, inner) in entries {
                    match key {
                        Term::Var(name) => self.variable(name)?,
                        Term::Str(None, parts) if !parts.iter().any(|part| matches!(part, StrPart::Term(_))) => {}
                        _ => {
                            return self.refuse("a key in a pattern must be a name or a variable");
                        }
                    }
                    self.pattern(inner, bound, depth)?;
                }
            }
        }
        Ok(())
    }

    fn call(&mut self, name: &'s str, arguments: &[Ast<'s>], input: Input, depth: usize) -> Checked {
        let reads_input = self.function(name, arguments.len())?;
        if reads_input && input == Input::Document {
            let message = format!("`{name}` would read the whole document here: pipe a value into it");
            return self.refuse(message);
        }
        self.terms(arguments, input, depth)
    }

    /// Whether a function that must be allowed reads `.`.
    fn function(&mut self, name: &'s str, arity: usize) -> Result<bool, ExpressionError> {
        if let Some(function) = natives::find(name, arity) {
            return Ok(function.reads_input);
        }
        let arities: Vec<String> = natives::arities(name).map(|n| n.to_string()).collect();
        let message = if arities.is_empty() {
            match natives::similar(name) {
                Some(other) => {
                    format!("`{name}` is not a known function; did you mean `{other}`?")
                }
                None => format!("`{name}` is not a known function"),
            }
        } else {
            let arities = arities.join(" or ");
            format!("`{name}` takes {arities} argument(s), not {arity}")
        };
        self.refuse_at(name, message)
    }

    fn path(&mut self, head: &Ast<'s>, path: &[(Part<Ast<'s>>, Opt)], input: Input, depth: usize) -> Checked {
        let depth = self.deeper(depth + path.len() / 2)?;
        if input == Input::Document && matches!(head, Term::Id) {
            self.document_path(path)?;
        } else {
            self.term(head, input, depth)?;
        }
        for (part, _) in path {
            match part {
                Part::Index(index) => self.term(index, input, depth)?,
                Part::Range(from, to) => {
                    self.terms(from.as_ref().into_iter().chain(to), input, depth)?;
                }
            }
        }
        Ok(())
    }

    /// A path from the whole document: notes what it reads.
    fn document_path(&mut self, path: &[(Part<Ast<'s>>, Opt)]) -> Checked {
        let name = |place: usize| match path.get(place) {
            Some((Part::Index(index), _)) => literal(index),
            _ => None,
        };
        let Some(root) = name(0) else {
            return self.refuse("a fixed name must follow the first `.`");
        };
        self.at = offset(self.source, root);
        if !self.roots.contains(&root) {
            let known: Vec<String> = self.roots.iter().map(|root| format!("`.{root}`")).collect();
            let known = known.join(", ");
            return self.refuse(format!("`.{root}` is unknown here; there is {known}"));
        }
        self.reads.roots.insert(root.to_owned());
        if root == "steps" {
            let Some(step) = name(1) else {
                return self.refuse("after `.steps` a fixed name must follow, as `.steps.NAME`");
            };
            self.reads.steps.insert(step.to_owned());
        } else if root == "input" {
            self.reads.inputs.extend(name(1).map(str::to_owned));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;

    const ROOTS: &[&str] = &["input", "steps"];

    fn refusal(source: &str) -> String {
        Expression::compile(source, ROOTS).unwrap_err().to_string()
    }

    #[test]
    fn what_is_read_is_known() {
        let source =
            r#"[.steps.a.out, .steps["b-c"]?.x, (.input | .steps), (.input.x as $x | .steps.d[$x])] | .steps.e"#;
        let expression = Expression::compile(source, ROOTS).unwrap();
        assert_eq!(expression.steps().iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b-c", "d"]);
        assert_eq!(expression.roots().iter().map(String::as_str).collect::<Vec<_>>(), ["input", "steps"]);
        assert!(Expression::compile("[range(3)]", ROOTS).unwrap().roots().is_empty());
    }

    #[test]
    fn the_whole_document_cannot_be_read() {
        for source in [
            ".",
            "keys",
            ". as $d | 1",
            ".steps",
            ".steps[.input.x]",
            ".steps[]",
            ".[]",
            ".[\"in\\(1)put\"]",
            ".steps | keys",
            "{input}",
            "{\"input\"}",
            "if .input then 1 end",
            "map(.steps)",
            "[.]",
            "(.)?",
            ".?",
            "-.",
            "\"\\(.)\"",
            ". + 1",
            "first(.)",
            "any(.; true)",
            "try . catch 1",
            "limit(1; .)",
            "@json",
            "error",
            ".input // .",
            "[.input[.]]",
            "select(true)",
            "(1, .) | 2",
            "1 as $x | .",
            ".input[.steps]",
            ".input[1:.]",
        ] {
            assert!(Expression::compile(source, ROOTS).is_err(), "{source}");
        }
        for source in [
            "try .input.a catch .",
            ".input | ., keys",
            "first(.input.a)",
            "[.input[] | .]",
            "{a: .input}",
            "{$__x}",
            "error(1)",
        ] {
            let refused = Expression::compile(source, ROOTS).is_err();
            assert_eq!(refused, source.contains("$__x"), "{source}");
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        for source in [
            "def f: 1; f",
            "reduce .input[] as $x (0; 1)",
            "foreach .input[] as $x (0; 1)",
            "label $f | 1",
            "break $f",
            ".input | ..",
            ".input | recurse",
            ".input.a = 1",
            ".input.a |= 1",
            ".input.a += 1",
            ".input.a //= 1",
            "$ENV",
            "$ENV.HOME",
            "env",
            "$__loc__",
            "$__prog_args",
            "input",
            "inputs",
            "now",
            "debug",
            "stderr",
            "halt",
            "halt_error",
            "input_line_number",
            ".input | getpath([1])",
            ".input | paths",
            ".input | walk(.)",
            "[1] | combinations",
            "repeat(1)",
            "\"1\" | fromjson",
            "\"a\" | test(\"a\")",
            "\"a\" | split(\"a\"; \"g\")",
            "\"a\" | ascii",
            "@csv \"\\(1)\"",
            "$x",
            "1 as $x | $y",
            "(1 as $x | $x) | $x",
            "[1] as [$a, $b] | $c",
            "import \"a\" as a; 1",
            "include \"a\"; 1",
            "m::f",
            "1 | localtime",
            "{} as {(\"a\" + \"b\"): $x} | $x",
            "{} as {\"\\(1)\": $x} | $x",
            "{} as {a: $x, ($x): $y} | $y",
            "1 as $x | 2 as {$x: $y} | 3",
            "",
        ] {
            assert!(Expression::compile(source, ROOTS).is_err(), "{source}");
            assert!(Expression::compile(source, &[]).is_err(), "{source}");
        }
    }

    #[test]
    fn refusals_say_where_and_what() {
        assert_eq!(refusal(".input.a |\n  foo(1)"), "2:3: `foo` is not a known function");
        assert_eq!(refusal(".input | mpa(1)"), "1:10: `mpa` is not a known function; did you mean `map`?");
        assert_eq!(refusal("1 | join"), "1:5: `join` takes 1 argument(s), not 0");
        assert_eq!(refusal("1 + .inptu"), "1:6: `.inptu` is unknown here; there is `.input`, `.steps`");
        assert_eq!(refusal("\"ü\" | 1 | .. "), "1:11: `..` is not allowed");
        assert_eq!(refusal(".steps | keys"), "1:2: after `.steps` a fixed name must follow, as `.steps.NAME`");
        assert_eq!(refusal("1 +* 2"), "1:3: unexpected `+*`");
        assert_eq!(refusal(".input.é"), "1:8: unexpected `é`");
        assert_eq!(refusal("1 +"), "1:4: expected term, found the end of the expression");
        assert_eq!(refusal("[1, (2]"), "1:7: `]` does not close `(`");
        assert_eq!(refusal("1 }"), "1:3: unexpected `}`");
    }

    #[test]
    fn size_is_limited() {
        let chain = |count: usize| format!("1{}", "|1".repeat(count));
        assert!(Expression::compile(&chain(90), &[]).is_ok());
        assert!(refusal(&chain(100)).ends_with("the expression is too large"));
        let list = |count: usize| format!("[{}1]", "[1],".repeat(count));
        assert!(Expression::compile(&list(90), &[]).is_ok());
        let path = |count: usize| format!(".input{}", ".a".repeat(count));
        assert!(Expression::compile(&path(150), ROOTS).is_ok());
        assert!(refusal(&path(250)).ends_with("the expression is too large"));
        assert!(refusal(&" ".repeat(5000)).contains("longer than 4096"));
        assert!(refusal(&"-".repeat(40)).contains("more than 32"));
    }
}
