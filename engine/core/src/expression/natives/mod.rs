//! The functions that expressions may call.
//!
//! Every function ends, is pure, and pays for what it does before it does it. A function that is
//! not in these tables does not exist.

mod arrays;
mod control;
mod dates;
pub(super) mod format;
mod numbers;
mod objects;
mod order;
mod search;
mod strings;
mod types;

use super::evaluate::{Evaluator, Output, Scope};
use super::failure::{Flow, raise};
use super::parse::Ast;
use super::value::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A function.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arity: usize,
    /// Whether it looks at `.`, itself or by evaluating its arguments on parts of it.
    pub(super) reads_input: bool,
    run: Run,
}

/// How a function is carried out.
enum Run {
    /// `.` to one result.
    Value(fn(&Evaluator<'_>, &Value) -> Flow<Value>),
    /// `.` and each result of the argument to one result.
    With(fn(&Evaluator<'_>, &Value, &Value) -> Flow<Value>),
    /// Gives `.` where it holds, else nothing.
    Keep(fn(&Value) -> bool),
    /// By evaluating the arguments itself.
    Terms(RunTerms),
}

type RunTerms = fn(&Evaluator<'_>, &[Ast<'_>], Scope<'_>, Output<'_>) -> Flow;

const fn value(name: &'static str, run: fn(&Evaluator<'_>, &Value) -> Flow<Value>) -> Function {
    Function { name, arity: 0, reads_input: true, run: Run::Value(run) }
}

const fn with(name: &'static str, run: fn(&Evaluator<'_>, &Value, &Value) -> Flow<Value>) -> Function {
    Function { name, arity: 1, reads_input: true, run: Run::With(run) }
}

const fn keep(name: &'static str, run: fn(&Value) -> bool) -> Function {
    Function { name, arity: 0, reads_input: true, run: Run::Keep(run) }
}

/// A function whose arguments see the same `.` and that does not look at it otherwise.
const fn aside(name: &'static str, arity: usize, run: RunTerms) -> Function {
    Function { name, arity, reads_input: false, run: Run::Terms(run) }
}

/// A function that looks at `.` and evaluates its arguments itself.
const fn terms(name: &'static str, arity: usize, run: RunTerms) -> Function {
    Function { name, arity, reads_input: true, run: Run::Terms(run) }
}

const TABLES: [&[Function]; 10] = [
    arrays::FUNCTIONS,
    control::FUNCTIONS,
    dates::FUNCTIONS,
    format::FUNCTIONS,
    numbers::FUNCTIONS,
    objects::FUNCTIONS,
    order::FUNCTIONS,
    search::FUNCTIONS,
    strings::FUNCTIONS,
    types::FUNCTIONS,
];

type ByName = BTreeMap<(&'static str, usize), &'static Function>;

static BY_NAME: LazyLock<ByName> = LazyLock::new(|| {
    let all = TABLES.into_iter().flatten();
    all.map(|function| ((function.name, function.arity), function)).collect()
});

/// The function of this name and number of arguments.
pub(super) fn find(name: &str, arity: usize) -> Option<&'static Function> {
    BY_NAME.get(&(name, arity)).copied()
}

/// All functions, as name and number of arguments, in the order of their names.
pub(super) fn all() -> impl Iterator<Item = (&'static str, usize)> {
    BY_NAME.keys().copied()
}

/// With how many arguments a name can be called.
pub(super) fn arities(name: &str) -> impl Iterator<Item = usize> {
    all().filter_map(move |(known, arity)| (known == name).then_some(arity))
}

/// A function whose name is nearly this one.
pub(super) fn similar(name: &str) -> Option<&'static str> {
    let distances = all().map(|(known, _)| (strsim::damerau_levenshtein(name, known), known));
    let (distance, known) = distances.min()?;
    (distance <= 1 + name.len() / 5).then_some(known)
}

/// Calls a function.
pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: &Function,
    arguments: &[Ast<'_>],
    scope: Scope<'_>,
    out: Output<'_>,
) -> Flow {
    match (&function.run, arguments) {
        (Run::Value(run), _) => out(run(evaluator, scope.input)?),
        (Run::Keep(holds), _) => {
            if holds(scope.input) {
                out(scope.input.clone())
            } else {
                Ok(())
            }
        }
        (Run::With(run), [argument]) => {
            evaluator.evaluate(argument, scope, &mut |argument| out(run(evaluator, scope.input, &argument)?))
        }
        (Run::With(_), _) => raise("wrong number of arguments"),
        (Run::Terms(run), arguments) => run(evaluator, arguments, scope, out),
    }
}

/// The string, or an error that says what is there instead.
fn string(value: &Value) -> Flow<&str> {
    match value {
        Value::String(text) => Ok(text),
        other => raise(format!("expected a string, got {}", other.type_name())),
    }
}

/// The elements, or an error that says what is there instead.
fn array(value: &Value) -> Flow<&[Value]> {
    match value {
        Value::Array(array) => Ok(&array.items),
        other => raise(format!("expected an array, got {}", other.type_name())),
    }
}

/// A count or an index, or an error that says what is there instead.
fn integer(value: &Value) -> Flow<i64> {
    match value {
        Value::Number(number) => match number.as_index() {
            Some(integer) => Ok(integer),
            None => raise("the number is too large"),
        },
        other => raise(format!("expected a number, got {}", other.type_name())),
    }
}

/// The arguments of a function that is only called with so many.
fn arguments<'t, 's, const N: usize>(arguments: &'t [Ast<'s>]) -> Flow<&'t [Ast<'s>; N]> {
    match arguments.try_into() {
        Ok(arguments) => Ok(arguments),
        Err(_) => raise("wrong number of arguments"),
    }
}
