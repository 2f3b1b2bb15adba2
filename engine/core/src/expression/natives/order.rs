//! Functions that order, group and choose by order.

use super::super::budget;
use super::super::evaluate::{Evaluator, Scope};
use super::super::failure::Flow;
use super::super::parse::Ast;
use super::super::value::Value;
use super::{Function, arguments, array, terms, value};

pub(super) const FUNCTIONS: &[Function] = &[
    value("sort", |evaluator, input| sort(evaluator, itself(input)?)),
    terms("sort_by", 1, |evaluator, terms, scope, out| out(sort(evaluator, keyed(evaluator, terms, scope)?)?)),
    terms("group_by", 1, |evaluator, terms, scope, out| {
        let mut groups = Vec::new();
        for group in groups_of(evaluator, keyed(evaluator, terms, scope)?)? {
            groups.push(evaluator.array(group)?);
        }
        out(evaluator.array(groups)?)
    }),
    value("unique", |evaluator, input| unique(evaluator, itself(input)?)),
    terms("unique_by", 1, |evaluator, terms, scope, out| out(unique(evaluator, keyed(evaluator, terms, scope)?)?)),
    value("min", |evaluator, input| extreme(evaluator, false, itself(input)?)),
    value("max", |evaluator, input| extreme(evaluator, true, itself(input)?)),
    terms("min_by", 1, |evaluator, terms, scope, out| out(extreme(evaluator, false, keyed(evaluator, terms, scope)?)?)),
    terms("max_by", 1, |evaluator, terms, scope, out| out(extreme(evaluator, true, keyed(evaluator, terms, scope)?)?)),
];

/// An element with what it is ordered by.
struct Keyed {
    key: Value,
    item: Value,
}

/// Elements ordered by themselves.
fn itself(input: &Value) -> Flow<Vec<Keyed>> {
    let items = array(input)?.iter();
    let keyed = items.map(|item| Keyed { key: item.clone(), item: item.clone() });
    Ok(keyed.collect())
}

/// Elements ordered by all results of a term on them.
fn keyed(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>) -> Flow<Vec<Keyed>> {
    let [term] = arguments(terms)?;
    let mut keyed = Vec::new();
    for item in array(scope.input)? {
        let key = evaluator.collect(term, scope.on(item))?;
        keyed.push(Keyed { key: evaluator.array(key)?, item: item.clone() });
    }
    Ok(keyed)
}

fn sorted(evaluator: &Evaluator<'_>, mut keyed: Vec<Keyed>) -> Flow<Vec<Keyed>> {
    evaluator.pay(budget::sort(keyed.iter().map(|keyed| &keyed.key)))?;
    keyed.sort_by(|left, right| left.key.compare(&right.key));
    Ok(keyed)
}

fn sort(evaluator: &Evaluator<'_>, keyed: Vec<Keyed>) -> Flow<Value> {
    let sorted = sorted(evaluator, keyed)?.into_iter();
    evaluator.array(sorted.map(|keyed| keyed.item).collect())
}

/// The elements with equal keys together, in the order of the keys.
fn groups_of(evaluator: &Evaluator<'_>, keyed: Vec<Keyed>) -> Flow<Vec<Vec<Value>>> {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for Keyed { key, item } in sorted(evaluator, keyed)? {
        match groups.last_mut() {
            Some((last, group)) if evaluator.compare(last, &key)?.is_eq() => group.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

/// The first of each group.
fn unique(evaluator: &Evaluator<'_>, keyed: Vec<Keyed>) -> Flow<Value> {
    let groups = groups_of(evaluator, keyed)?.into_iter();
    let firsts = groups.filter_map(|group| group.into_iter().next());
    evaluator.array(firsts.collect())
}

/// The first of the least, or the last of the greatest; null where there is none.
fn extreme(evaluator: &Evaluator<'_>, greatest: bool, keyed: Vec<Keyed>) -> Flow<Value> {
    let mut best: Option<Keyed> = None;
    for candidate in keyed {
        let better = match &best {
            None => true,
            Some(best) => {
                let order = evaluator.compare(&candidate.key, &best.key)?;
                if greatest { order.is_ge() } else { order.is_lt() }
            }
        };
        if better {
            best = Some(candidate);
        }
    }
    Ok(best.map_or(Value::Null, |best| best.item))
}
