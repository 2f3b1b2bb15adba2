//! What a workflow may give.

use serde::Serialize;
use serde_json::Value;

use super::json::{Assembled, Constant, Template};
use super::port::{Port, Presence, Step};
use super::slot::{Slot, Source};
use super::text::Text;
use crate::seal::Seal;

/// What a workflow may give: a port, a tuple of them, a struct that is put together, a constant, nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the output of a workflow",
    note = "give a port, a tuple of ports, `assemble!(..)`, `value(..)` or `()`"
)]
pub trait Output {
    /// Its type.
    type Out;

    #[doc(hidden)]
    fn slot(self, seal: Seal) -> Slot;
}

impl<T, P: Presence> Output for Port<'_, T, P> {
    type Out = P::Of<T>;

    fn slot(self, _: Seal) -> Slot {
        Port::slot(self)
    }
}

impl<T, P: Presence> Output for Step<'_, T, P> {
    type Out = P::Of<T>;

    fn slot(self, _: Seal) -> Slot {
        self.port.slot()
    }
}

impl<T> Output for Assembled<T> {
    type Out = T;

    fn slot(self, _: Seal) -> Slot {
        self.slot
    }
}

impl<T: Serialize> Output for Constant<T> {
    type Out = T;

    fn slot(self, _: Seal) -> Slot {
        Slot::constant(&self.0)
    }
}

impl Output for Template {
    type Out = Value;

    fn slot(self, _: Seal) -> Slot {
        Slot(Source::Template(self.0))
    }
}

impl Output for Text {
    type Out = String;

    fn slot(self, _: Seal) -> Slot {
        self.0
    }
}

impl Output for () {
    type Out = ();

    fn slot(self, _: Seal) -> Slot {
        Slot::constant(&())
    }
}

macro_rules! tuples {
    ($(($($Each:ident $each:ident),*))*) => { $(
        impl<$($Each: Output),*> Output for ($($Each,)*) {
            type Out = ($($Each::Out,)*);

            fn slot(self, seal: Seal) -> Slot {
                let ($($each,)*) = self;
                Slot(Source::List(vec![$($each.slot(seal)),*]))
            }
        }
    )* };
}

tuples! {
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F f)
}
