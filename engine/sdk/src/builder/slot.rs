//! Where a value comes from, with its type erased.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::Value;

/// Where a value comes from.
#[derive(Debug)]
pub struct Slot(pub(super) Source);

#[derive(Debug)]
pub(super) enum Source {
    /// A port of the builder with this id.
    Port {
        builder: BuilderId,
        reference: usize,
        takes_none: bool,
    },
    /// A constant.
    Constant(Value),
    /// JSON as a file has it, with expressions.
    Template(Value),
    List(Vec<Slot>),
    Object(Vec<(&'static str, Slot)>),
    /// A text with values in it: a piece, a value, a piece, …
    Text(Vec<String>, Vec<Slot>),
    /// Nothing could be made of it, and why.
    Wrong(String),
}

impl Slot {
    pub(super) fn constant<T: Serialize + ?Sized>(value: &T) -> Self {
        Self::of_json(serde_json::to_value(value))
    }

    fn of_json(json: serde_json::Result<Value>) -> Self {
        Self(match json {
            Ok(json) => Source::Constant(json),
            Err(error) => Source::Wrong(format!("this constant can't be written as JSON: {error}")),
        })
    }

    pub(super) fn list(slots: impl Iterator<Item = Self>) -> Self {
        Self(Source::List(slots.collect()))
    }

    /// The same, where whoever takes it takes `null` too.
    pub(super) fn or_none(mut self) -> Self {
        if let Source::Port { takes_none, .. } = &mut self.0 {
            *takes_none = true;
        }
        self
    }
}

/// Tells builders apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BuilderId(u64);

impl BuilderId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
