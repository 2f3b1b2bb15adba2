//! Functions that choose, repeat, and end early.

use super::super::budget::STEP;
use super::super::evaluate::{Evaluator, Output, Scope};
use super::super::failure::{Flow, Raised, Stop, raise};
use super::super::number::{Arithmetic, Number};
use super::super::parse::{Ast, literal};
use super::super::value::Value;
use super::{Function, arguments, aside, integer, terms, value, with};

pub(super) const FUNCTIONS: &[Function] = &[
    aside("empty", 0, |_, _, _, _| Ok(())),
    aside("true", 0, |_, _, _, out| out(Value::Bool(true))),
    aside("false", 0, |_, _, _, out| out(Value::Bool(false))),
    aside("null", 0, |_, _, _, out| out(Value::Null)),
    value("not", |_, input| Ok(Value::Bool(!input.is_true()))),
    value("error", |_, input| Err(user_error(input.clone(), None))),
    aside("error", 1, error),
    terms("select", 1, select),
    value("first", |evaluator, input| evaluator.index(input, &Value::integer(0))),
    value("last", |evaluator, input| evaluator.index(input, &Value::integer(-1))),
    with("nth", nth),
    aside("first", 1, first),
    aside("last", 1, last),
    aside("limit", 2, limit),
    aside("isempty", 1, is_empty),
    aside("range", 1, |evaluator, terms, scope, out| {
        let [to] = arguments(terms)?;
        range(evaluator, [&ZERO, to, &ONE], scope, out)
    }),
    aside("range", 2, |evaluator, terms, scope, out| {
        let [from, to] = arguments(terms)?;
        range(evaluator, [from, to, &ONE], scope, out)
    }),
    aside("range", 3, |evaluator, terms, scope, out| {
        let [from, to, by] = arguments(terms)?;
        range(evaluator, [from, to, by], scope, out)
    }),
    value("any", |evaluator, input| quantify(evaluator, true, |out| evaluator.iterate(input, out))),
    value("all", |evaluator, input| quantify(evaluator, false, |out| evaluator.iterate(input, out))),
    terms("any", 1, |evaluator, terms, scope, out| {
        let [condition] = arguments(terms)?;
        out(quantify_elements(evaluator, true, condition, scope)?)
    }),
    terms("all", 1, |evaluator, terms, scope, out| {
        let [condition] = arguments(terms)?;
        out(quantify_elements(evaluator, false, condition, scope)?)
    }),
    aside("any", 2, |evaluator, terms, scope, out| out(quantify_results(evaluator, true, terms, scope)?)),
    aside("all", 2, |evaluator, terms, scope, out| out(quantify_results(evaluator, false, terms, scope)?)),
];

const ZERO: Ast<'static> = Ast::Num("0");
const ONE: Ast<'static> = Ast::Num("1");

/// An error that the expression raises itself. Its text is shown only where it stands in the
/// source: what is computed may hold data.
fn user_error(value: Value, shown: Option<&str>) -> Stop {
    let message = match shown {
        Some(text) => text.to_owned(),
        None => format!("the expression raised an error ({})", value.type_name()),
    };
    Stop::Raised(Box::new(Raised { value, message, offset: None }))
}

fn error(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, _out: Output<'_>) -> Flow {
    let [message] = arguments(terms)?;
    let shown = literal(message);
    evaluator.evaluate(message, scope, &mut |value| Err(user_error(value, shown)))
}

fn nth(evaluator: &Evaluator<'_>, input: &Value, place: &Value) -> Flow<Value> {
    evaluator.index(input, place)
}

fn select(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [condition] = arguments(terms)?;
    evaluator.evaluate(condition, scope, &mut |value| {
        if value.is_true() { out(scope.input.clone()) } else { Ok(()) }
    })
}

fn first(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [results] = arguments(terms)?;
    evaluator.breakable(|enough| {
        evaluator.evaluate(results, scope, &mut |value| {
            out(value)?;
            Err(Stop::Break(enough))
        })
    })
}

fn last(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [results] = arguments(terms)?;
    let mut last = None;
    evaluator.evaluate(results, scope, &mut |value| {
        last = Some(value);
        Ok(())
    })?;
    last.map_or(Ok(()), out)
}

fn limit(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [count, results] = arguments(terms)?;
    evaluator.evaluate(count, scope, &mut |count| {
        let mut left = integer(&count)?;
        if left <= 0 {
            return Ok(());
        }
        evaluator.breakable(|enough| {
            evaluator.evaluate(results, scope, &mut |value| {
                left -= 1;
                out(value)?;
                if left <= 0 {
                    return Err(Stop::Break(enough));
                }
                Ok(())
            })
        })
    })
}

fn is_empty(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [results] = arguments(terms)?;
    let mut empty = true;
    evaluator.breakable(|enough| {
        evaluator.evaluate(results, scope, &mut |_| {
            empty = false;
            Err(Stop::Break(enough))
        })
    })?;
    out(Value::Bool(empty))
}

/// The numbers from one bound up, or down, to before the other; none where the step is 0.
fn range(evaluator: &Evaluator<'_>, [from, to, by]: [&Ast<'_>; 3], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let zero = Number::integer(0);
    evaluator.evaluate(from, scope, &mut |from| {
        evaluator.evaluate(to, scope, &mut |to| {
            evaluator.evaluate(by, scope, &mut |by| {
                let (Value::Number(from), Value::Number(to), Value::Number(by)) = (&from, &to, &by) else {
                    return raise("range takes numbers");
                };
                let direction = zero.compare(by);
                let mut next = from.clone();
                while direction.is_ne() && next.compare(to) == direction {
                    evaluator.pay(STEP)?;
                    let after = next.calculate(Arithmetic::Add, by);
                    out(Value::Number(next))?;
                    next = match after {
                        Ok(after) => after,
                        Err(message) => return raise(message),
                    };
                }
                Ok(())
            })
        })
    })
}

/// Whether any, or all, of the values given are true; ends at the first that settles it.
fn quantify(evaluator: &Evaluator<'_>, any: bool, values: impl FnOnce(Output<'_>) -> Flow) -> Flow<Value> {
    let mut settled = false;
    evaluator.breakable(|enough| {
        values(&mut |value| {
            if value.is_true() == any {
                settled = true;
                return Err(Stop::Break(enough));
            }
            Ok(())
        })
    })?;
    Ok(Value::Bool(settled == any))
}

fn quantify_elements(evaluator: &Evaluator<'_>, any: bool, condition: &Ast<'_>, scope: Scope<'_>) -> Flow<Value> {
    quantify(evaluator, any, |out| {
        evaluator.iterate(scope.input, &mut |item| evaluator.evaluate(condition, scope.on(&item), out))
    })
}

fn quantify_results(evaluator: &Evaluator<'_>, any: bool, terms: &[Ast<'_>], scope: Scope<'_>) -> Flow<Value> {
    let [results, condition] = arguments(terms)?;
    quantify(evaluator, any, |out| {
        evaluator.evaluate(results, scope, &mut |item| evaluator.evaluate(condition, scope.on(&item), out))
    })
}
