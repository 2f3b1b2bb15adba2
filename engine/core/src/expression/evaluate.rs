//! The evaluator: walks the syntax tree and hands every result to a function.
//!
//! Results are pushed, not pulled: `a | b` evaluates `a` with an output that evaluates `b`. So the
//! depth of the stack follows the syntax tree, which is bounded, and every node grows the stack
//! where the caller's is too small.

use super::budget::{self, Budget, STEP};
use super::failure::{Flow, Raised, Stop, raise};
use super::natives;
use super::number::Number;
use super::parse::{Ast, offset, position};
use super::value::{Array, Entries, MAX_VALUE_DEPTH, Object, Value};
use jaq_core::load::parse::{BinaryOp, Term};
use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

/// Grow the stack when less than this is left: more than what one node, one comparison or one
/// drop of a value of the greatest depth needs, also unoptimised.
const RED_ZONE: usize = 512 * 1024;

/// How much the stack grows at a time.
const GROWTH: usize = 4 * 1024 * 1024;

/// Runs a closure with enough stack for one node of a syntax tree.
pub(super) fn with_stack<T>(body: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, GROWTH, body)
}

/// Takes the results of a term, one at a time.
pub(super) type Output<'a> = &'a mut dyn FnMut(Value) -> Flow;

/// A variable, and those bound around it.
pub(super) struct Binding<'a> {
    pub(super) name: &'a str,
    pub(super) value: Value,
    pub(super) outer: Option<&'a Binding<'a>>,
}

/// What a term is evaluated on.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `.`
    pub(super) input: &'a Value,
    pub(super) variables: Option<&'a Binding<'a>>,
}

impl<'a> Scope<'a> {
    /// The same variables with another `.`.
    pub(super) fn on<'b>(self, input: &'b Value) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope { input, variables: self.variables }
    }
}

/// One evaluation.
pub(super) struct Evaluator<'e> {
    pub(super) source: &'e str,
    pub(super) budget: &'e Budget,
    breaks: Cell<u64>,
}

impl<'e> Evaluator<'e> {
    pub(super) fn new(source: &'e str, budget: &'e Budget) -> Self {
        Self { source, budget, breaks: Cell::new(0) }
    }

    /// Evaluates a term, giving every result to `out`.
    pub(super) fn evaluate(&self, term: &Ast<'_>, scope: Scope<'_>, out: Output<'_>) -> Flow {
        self.pay(STEP)?;
        with_stack(|| match term {
            Term::Id => out(scope.input.clone()),
            Term::Num(text) => {
                self.pay(budget::text(text.len()))?;
                match Number::parse_literal(text) {
                    Some(number) => out(Value::Number(number)),
                    None => raise("no number"),
                }
            }
            Term::Var(name) => out(self.variable(name, scope)?),
            Term::Str(format, parts) => {
                let format = format.unwrap_or("@text");
                self.interpolate(format, parts, scope, String::new(), out)
            }
            Term::Arr(None) => out(self.array(Vec::new())?),
            Term::Arr(Some(inner)) => {
                let items = self.collect(inner, scope)?;
                out(self.array(items)?)
            }
            Term::Obj(entries) => self.construct(entries, scope, Entries::new(), out),
            Term::Neg(inner) => self.evaluate(inner, scope, &mut |value| {
                let negated = super::operators::negate(&value);
                out(negated.map_err(|stop| stop.at(position(self.source, inner)))?)
            }),
            Term::IfThenElse(cases, otherwise) => self.cases(cases, otherwise.as_deref(), scope, out),
            Term::TryCatch(body, handler) => match self.catching(body, scope, out)? {
                Some(raised) => match handler {
                    Some(handler) => self.evaluate(handler, scope.on(&raised.value), out),
                    None => Ok(()),
                },
                None => Ok(()),
            },
            Term::BinOp(left, operator, right) => self.binary(left, operator, right, scope, out),
            Term::Path(head, path) => self.path(head, &path.0, scope, out),
            Term::Call(name, arguments) => self.call(name, arguments, scope, out),
            // The whitelist lets no others through.
            Term::Recurse | Term::Label(..) | Term::Break(_) | Term::Fold(..) | Term::Def(..) => raise("not allowed"),
        })
    }

    pub(super) fn pay(&self, units: u64) -> Flow {
        self.budget.pay(units)
    }

    fn variable(&self, name: &str, scope: Scope<'_>) -> Flow<Value> {
        let mut next = scope.variables;
        while let Some(binding) = next {
            if binding.name == name {
                return Ok(binding.value.clone());
            }
            self.pay(STEP)?;
            next = binding.outer;
        }
        raise(format!("`{name}` is not defined"))
    }

    fn call(&self, name: &str, arguments: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
        // Whatever arises in an argument or downstream knows its own place already.
        let place = |stop: Stop| stop.at(Some(offset(self.source, name)));
        let Some(function) = natives::find(name, arguments.len()) else {
            return raise(format!("`{name}` is not a known function")).map_err(place);
        };
        natives::call(self, function, arguments, scope, out).map_err(place)
    }

    fn cases(
        &self,
        cases: &[(Ast<'_>, Ast<'_>)],
        otherwise: Option<&Ast<'_>>,
        scope: Scope<'_>,
        out: Output<'_>,
    ) -> Flow {
        let Some(((condition, then), rest)) = cases.split_first() else {
            return match otherwise {
                Some(term) => self.evaluate(term, scope, out),
                None => out(scope.input.clone()),
            };
        };
        self.evaluate(condition, scope, &mut |value| {
            if value.is_true() {
                self.evaluate(then, scope, out)
            } else {
                with_stack(|| self.cases(rest, otherwise, scope, out))
            }
        })
    }

    fn binary(
        &self,
        left: &Ast<'_>,
        operator: &BinaryOp<&str>,
        right: &Ast<'_>,
        scope: Scope<'_>,
        out: Output<'_>,
    ) -> Flow {
        match operator {
            BinaryOp::Pipe(None) => {
                self.evaluate(left, scope, &mut |value| self.evaluate(right, scope.on(&value), out))
            }
            BinaryOp::Pipe(Some(pattern)) => self.evaluate(left, scope, &mut |value| {
                self.bind(pattern, &value, scope, &mut |variables| {
                    let input = scope.input;
                    self.evaluate(right, Scope { input, variables }, out)
                })
            }),
            BinaryOp::Comma => {
                self.evaluate(left, scope, out)?;
                self.evaluate(right, scope, out)
            }
            BinaryOp::Alt => self.alternative(left, right, scope, out),
            BinaryOp::And | BinaryOp::Or => {
                // The value of the left side that settles the matter.
                let settles = matches!(operator, BinaryOp::Or);
                self.evaluate(left, scope, &mut |value| {
                    if value.is_true() == settles {
                        return out(Value::Bool(settles));
                    }
                    self.evaluate(right, scope, &mut |value| out(Value::Bool(value.is_true())))
                })
            }
            BinaryOp::Math(operator) => self.evaluate(left, scope, &mut |left_value| {
                self.evaluate(right, scope, &mut |right_value| {
                    let result = self.calculate(*operator, left_value.clone(), right_value);
                    out(result.map_err(|stop| stop.at(position(self.source, left)))?)
                })
            }),
            BinaryOp::Cmp(operator) => self.evaluate(left, scope, &mut |left_value| {
                self.evaluate(right, scope, &mut |right_value| {
                    let order = self.compare(&left_value, &right_value)?;
                    out(Value::Bool(super::operators::holds(*operator, order)))
                })
            }),
            // The whitelist lets no assignment through.
            _ => raise("not allowed"),
        }
    }

    /// `left // right`: what is true of the left side, whose errors count as nothing; the right
    /// side if there is none.
    fn alternative(&self, left: &Ast<'_>, right: &Ast<'_>, scope: Scope<'_>, out: Output<'_>) -> Flow {
        let mut any = false;
        self.catching(left, scope, &mut |value| {
            if !value.is_true() {
                return Ok(());
            }
            any = true;
            out(value)
        })?;
        if any { Ok(()) } else { self.evaluate(right, scope, out) }
    }

    /// Evaluates a term and gives back an error of its own. Whatever stops `out` is not its own:
    /// it is carried past as [`Stop::Downstream`], which nothing catches, and goes on from here.
    fn catching(&self, term: &Ast<'_>, scope: Scope<'_>, out: Output<'_>) -> Flow<Option<Box<Raised>>> {
        let mut downstream = None;
        let ended = self.evaluate(term, scope, &mut |value| {
            out(value).map_err(|stop| {
                downstream = Some(stop);
                Stop::Downstream
            })
        });
        match (ended, downstream) {
            (Err(Stop::Downstream), Some(stop)) => Err(stop),
            (Err(Stop::Raised(raised)), _) => Ok(Some(raised)),
            (ended, _) => ended.map(|()| None),
        }
    }

    /// Lets the output of `body` end it early: by [`Stop::Break`] with the number it is given.
    pub(super) fn breakable(&self, body: impl FnOnce(u64) -> Flow) -> Flow {
        let number = self.breaks.get() + 1;
        self.breaks.set(number);
        match body(number) {
            Err(Stop::Break(broken)) if broken == number => Ok(()),
            ended => ended,
        }
    }

    /// All results of a term.
    pub(super) fn collect(&self, term: &Ast<'_>, scope: Scope<'_>) -> Flow<Vec<Value>> {
        let mut values = Vec::new();
        self.evaluate(term, scope, &mut |value| {
            self.pay(STEP)?;
            values.push(value);
            Ok(())
        })?;
        Ok(values)
    }

    /// Gives the elements of an array, or the values of an object, to `out`.
    pub(super) fn iterate(&self, value: &Value, out: Output<'_>) -> Flow {
        let mut give = |value: &Value| {
            self.pay(STEP)?;
            out(value.clone())
        };
        match value {
            Value::Array(array) => array.items.iter().try_for_each(&mut give),
            Value::Object(object) => object.entries.values().try_for_each(&mut give),
            other => raise(format!("cannot iterate over {}", other.type_name())),
        }
    }

    /// Makes an array.
    pub(super) fn array(&self, items: Vec<Value>) -> Flow<Value> {
        self.pay(budget::array(items.len()))?;
        Self::not_too_deep(Value::Array(Arc::new(Array::new(items))))
    }

    /// Makes an object.
    pub(super) fn object(&self, entries: Entries) -> Flow<Value> {
        self.pay(budget::object(entries.len()))?;
        Self::not_too_deep(Value::Object(Arc::new(Object::new(entries))))
    }

    fn not_too_deep(value: Value) -> Flow<Value> {
        if value.depth() > MAX_VALUE_DEPTH {
            return raise("the value is nested too deeply");
        }
        Ok(value)
    }

    /// Makes a string.
    pub(super) fn text(&self, text: impl AsRef<str>) -> Flow<Value> {
        self.pay(budget::text(text.as_ref().len()))?;
        Ok(Value::string(text))
    }

    /// The value as JSON text.
    pub(super) fn json_text(&self, value: &Value) -> Flow<String> {
        self.pay(value.weight())?;
        let mut text = String::new();
        value.write_json(&mut text);
        Ok(text)
    }

    pub(super) fn compare(&self, left: &Value, right: &Value) -> Flow<Ordering> {
        self.pay(budget::comparison(left, right))?;
        Ok(left.compare(right))
    }
}
