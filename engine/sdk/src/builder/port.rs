//! Ports and steps: handles of what a workflow will have.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;

use serde::de::DeserializeOwned;

use super::slot::{Slot, Source};
use super::{Scope, fields, reference};

/// The port always has a value.
#[derive(Clone, Copy, Debug)]
pub enum Sure {}

/// The port may have none: its step is optional or has a condition, or it is a field of such a port.
#[derive(Clone, Copy, Debug)]
pub enum Maybe {}

/// [`Sure`] or [`Maybe`].
pub trait Presence: sealed::Sealed + 'static {
    /// `T` or `Option<T>`.
    type Of<T>;

    #[doc(hidden)]
    const MAYBE: bool;
}

impl Presence for Sure {
    type Of<T> = T;

    const MAYBE: bool = false;
}

impl Presence for Maybe {
    type Of<T> = Option<T>;

    const MAYBE: bool = true;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Sure {}

    impl Sealed for super::Maybe {}
}

/// A value that the workflow will have: its input, what a step gives, or a field of one. Cheap to copy.
pub struct Port<'w, T, P = Sure> {
    pub(super) scope: &'w Scope,
    pub(super) reference: usize,
    types: PhantomData<fn() -> (T, P)>,
}

/// A step: a handle to say more of it, and the port of what it gives. Cheap to copy.
pub struct Step<'w, T, P = Sure> {
    pub(super) port: Port<'w, T, P>,
    pub(super) node: usize,
}

impl<'w, T, P: Presence> Port<'w, T, P> {
    /// A field by its name in JSON. Its type is what you say: where that is wrong, the run is stuck at the task that
    /// can't read it. The compiler checks [`pick!`](crate::pick!).
    pub fn field<U>(self, name: &str) -> Port<'w, U, P> {
        self.below(|path| reference::key(path, name))
    }

    /// What stands at this place of a list, from 0. Its type is what you say.
    pub fn item<U>(self, index: usize) -> Port<'w, U, P> {
        self.below(|path| reference::place(path, index))
    }

    #[doc(hidden)]
    #[track_caller]
    pub fn __pick<U>(self, name: &'static str, _never_called: for<'a> fn(&'a T) -> &'a U) -> Port<'w, U, P>
    where
        T: DeserializeOwned,
    {
        let name = name.strip_prefix("r#").unwrap_or(name);
        if let Ok(index) = name.parse() {
            return self.item(index);
        }
        if let Some(message) = fields::unknown::<T>(name) {
            self.scope.lock().problem(Location::caller(), message);
        }
        self.field(name)
    }

    fn below<U>(self, below: impl FnOnce(&str) -> String) -> Port<'w, U, P> {
        let reference = self.scope.lock().refer_below(self.reference, below);
        Port::new(self.scope, reference)
    }

    pub(super) fn slot(self) -> Slot {
        Slot(Source::Port { builder: self.scope.id(), reference: self.reference, takes_none: P::MAYBE })
    }
}

impl<'w, T, P> Port<'w, T, P> {
    pub(super) fn new(scope: &'w Scope, reference: usize) -> Self {
        Self { scope, reference, types: PhantomData }
    }
}

impl<'w, T, P> Step<'w, T, P> {
    pub(super) fn new(scope: &'w Scope, (node, reference): (usize, usize)) -> Self {
        Self { port: Port::new(scope, reference), node }
    }

    /// What the step gives, for functions that ask for a port.
    pub fn port(self) -> Port<'w, T, P> {
        self.port
    }
}

impl<T, P> Clone for Port<'_, T, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P> Copy for Port<'_, T, P> {}

impl<T, P> Clone for Step<'_, T, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P> Copy for Step<'_, T, P> {}

impl<'w, T, P> Deref for Step<'w, T, P> {
    type Target = Port<'w, T, P>;

    fn deref(&self) -> &Port<'w, T, P> {
        &self.port
    }
}

impl<'w, T, P> From<Step<'w, T, P>> for Port<'w, T, P> {
    fn from(step: Step<'w, T, P>) -> Self {
        step.port
    }
}

impl<T, P> fmt::Debug for Port<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port({})", self.scope.lock().path(self.reference))
    }
}

impl<T, P> fmt::Debug for Step<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({})", self.port.scope.lock().name_of(self.node))
    }
}

/// The port of a field, checked by the compiler: `pick!(order.address.city)`, `pick!(pair.0)`. Its name in JSON must
/// be the same as in Rust; else use [`Port::field`].
#[macro_export]
macro_rules! pick {
    ($port:ident $(. $field:tt)+) => { $port $( .__pick(stringify!($field), |value| &value.$field) )+ };
}
