//! Expressions: jq's syntax, for data only.
//!
//! An expression stands between `${` and `}` in a workflow file. It is parsed by jaq's parser,
//! checked against a whitelist, and evaluated by an evaluator of our own, because what an
//! expression means is part of every stored run for ever. Evaluation is pure and bounded: the
//! same expression over the same data gives the same value, or fails in the same way, on every
//! machine.
//!
//! The way through: [`scan`] finds expressions in text, `parse` makes a syntax tree, `whitelist`
//! refuses what is not allowed and notes what is read, `evaluate` (with `operators`, `path`,
//! `construct` and `natives`) gives results, [`budget`] counts what that costs, and [`Template`]
//! puts values into JSON and text.
//!
//! # What there is
//!
//! Paths (`.a.b`, `.a[0]`, `.a[1:3]`, `.a[]`, `.a?`), `|`, `,`, `//`, `and`, `or`, `+ - * / %`,
//! comparisons, `if`, `try … catch`, `… as $x | …` (also `[$a, $b]` and `{a: $b}`), arrays,
//! objects, strings with `\( )`, and these functions:
//!
//! - choosing: `empty error/0,1 true false null not select isempty first/0,1 last/0,1 nth/1 limit/2
//!   range/1–3 any/0–2 all/0–2`
//! - types: `type values nulls booleans strings numbers arrays objects scalars iterables tostring
//!   tojson tonumber length utf8bytelength`
//! - arrays and objects: `map map_values add/0,1 keys keys_unsorted has to_entries from_entries
//!   with_entries reverse flatten/0,1 transpose sort sort_by group_by unique unique_by min max
//!   min_by max_by contains inside index rindex indices`
//! - strings: `startswith endswith ltrimstr rtrimstr trim ltrim rtrim ascii_downcase ascii_upcase
//!   split/1 join explode implode`, `@text @json @base64 @base64d @uri @html @sh`
//! - numbers: `floor ceil round abs sqrt`
//! - times: `todate fromdate` (seconds since 1970 and `YYYY-MM-DDTHH:MM:SSZ`)
//!
//! There is no `def`, `reduce`, `foreach`, `label`, recursion (`..`, `recurse`, `walk`, `while`),
//! assignment, `getpath`, `fromjson`, regular expression, and nothing that reads the clock, the
//! environment or further input. Where `.` is the whole document only fixed names may follow.
//!
//! # Where this differs from jq
//!
//! - Exactly one result is wanted; none or several are an error.
//! - Numbers are kept as written until they are calculated with, and are compared exactly.
//!   Integer overflow and results that are not finite are errors; there is no `nan`. Only an
//!   exponent may change its looks on the way through JSON: `1e9` is read as `1e+9`. A number has
//!   at most 256 characters.
//! - `4/2` is `2`, not `2.0`; `%` works on fractions too.
//! - In `[(1,2) + (10,20)]` the left side varies slowest (as in jaq).
//! - `tonumber` takes one number as JSON writes it, with spaces around it. `from_entries` knows
//!   `key`, `k`, `name` and `value`, `v`. `@base64d` takes only base64 of UTF-8 text. `implode`
//!   takes only code points. `limit` takes no result where its count is below 1. `contains` of
//!   different types is false.
//! - Error texts name types, never values. `error("…")` shows its text only where that stands in
//!   the expression as it is.

pub mod budget;
mod construct;
mod evaluate;
mod failure;
mod natives;
mod number;
mod operators;
mod parse;
mod path;
mod read;
pub mod scan;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod whitelist;
mod write;

pub use failure::{EvaluationError, EvaluationErrorKind, ExpressionError, TemplateError};
pub use number::Number;
pub use template::{Encoding, Template};
pub use value::{Array, MAX_VALUE_DEPTH, Object, Value, ValueError};
pub use whitelist::{MAX_DEPTH, MAX_NODES};

use budget::Budget;
use evaluate::{Evaluator, Scope};
use failure::Stop;
use parse::{Ast, position};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use whitelist::Reads;

/// A compiled expression; cheap to clone.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    program: Program,
    reads: Reads,
}

self_cell::self_cell!(
    /// The source with the syntax tree that points into it.
    struct Program {
        owner: String,
        #[covariant]
        dependent: Ast,
    }
);

/// The stack that jaq's parser may need for the deepest source that is let through to it, and
/// that dropping the longest chain of operators needs.
const PARSER_STACK: usize = 8 * 1024 * 1024;

/// The results of an expression, and the units that they took.
pub type Counted<T> = (Result<T, EvaluationError>, u64);

impl Expression {
    /// Compiles what stands between `${` and `}`. `roots` are the names that may follow the first
    /// dot; without any, `.` itself may be used.
    pub fn compile(source: &str, roots: &[&str]) -> Result<Self, ExpressionError> {
        stacker::maybe_grow(PARSER_STACK / 2, PARSER_STACK, || {
            let mut reads = Reads::default();
            let program = Program::try_new(source.to_owned(), |source| {
                let parsed = parse::parse(source)?;
                reads = whitelist::check(source, &parsed, roots)?;
                Ok(parsed.ast)
            })?;
            Ok(Self(Arc::new(Compiled { program, reads })))
        })
    }

    /// The text that was compiled.
    pub fn source(&self) -> &str {
        self.0.program.borrow_owner()
    }

    /// The names read as `.steps.NAME`.
    pub fn steps(&self) -> &BTreeSet<String> {
        &self.0.reads.steps
    }

    /// The fixed names read as `.input.NAME`.
    pub fn inputs(&self) -> &BTreeSet<String> {
        &self.0.reads.inputs
    }

    /// The first names read: `input`, `steps`, …
    pub fn roots(&self) -> &BTreeSet<String> {
        &self.0.reads.roots
    }

    /// The one result of the expression.
    pub fn evaluate(&self, document: &Value) -> Result<Value, EvaluationError> {
        self.evaluate_within(document, &Budget::new(budget::UNITS))
    }

    /// The one result of the expression, and the units that it took.
    pub fn evaluate_counted(&self, document: &Value, units: u64) -> Counted<Value> {
        let budget = Budget::new(units);
        let result = self.evaluate_within(document, &budget);
        (result, budget.used())
    }

    /// All results of the expression, and the units that they took. Workflows take only one; this
    /// is for comparison with other evaluators of jq.
    pub fn evaluate_all(&self, document: &Value, units: u64) -> Counted<Vec<Value>> {
        let budget = Budget::new(units);
        let mut results = Vec::new();
        let ended = self.run(document, &budget, usize::MAX, &mut results);
        (ended.map(|()| results), budget.used())
    }

    fn evaluate_within(&self, document: &Value, budget: &Budget) -> Result<Value, EvaluationError> {
        let mut results = Vec::new();
        self.run(document, budget, 1, &mut results)?;
        results.pop().ok_or_else(|| {
            let kind = EvaluationErrorKind::NoResult;
            self.error(kind, None, "it gives no result; exactly one is needed")
        })
    }

    fn run(
        &self,
        document: &Value,
        budget: &Budget,
        most: usize,
        results: &mut Vec<Value>,
    ) -> Result<(), EvaluationError> {
        let evaluator = Evaluator::new(self.source(), budget);
        let scope = Scope { input: document, variables: None };
        let program = self.0.program.borrow_dependent();
        let ended = evaluator.evaluate(program, scope, &mut |value| {
            if results.len() >= most {
                return Err(Stop::Several);
            }
            budget.give(value.weight())?;
            results.push(value);
            Ok(())
        });
        ended.map_err(|stop| match stop {
            Stop::Raised(raised) => self.error(EvaluationErrorKind::Error, raised.offset, raised.message),
            Stop::Several => {
                let kind = EvaluationErrorKind::SeveralResults;
                let message = "it gives more than one result; exactly one is needed \
                               (collect them in an array, or use first(…))";
                self.error(kind, None, message)
            }
            // A break always ends where it was made.
            Stop::Budget | Stop::Break(_) | Stop::Downstream => {
                let message = "it needs more operations, or makes more data, than is allowed";
                self.error(EvaluationErrorKind::Budget, None, message)
            }
        })
    }

    fn error(&self, kind: EvaluationErrorKind, offset: Option<usize>, message: impl Into<String>) -> EvaluationError {
        let source = self.source();
        let start = || position(source, self.0.program.borrow_dependent());
        let offset = offset.or_else(start).unwrap_or(0);
        EvaluationError::new(kind, source, offset, message)
    }
}

/// Shows the source.
impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source()).finish()
    }
}

/// The functions that expressions may call, as name and number of arguments.
pub fn functions() -> impl Iterator<Item = (&'static str, usize)> {
    natives::all()
}
