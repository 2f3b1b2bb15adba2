//! What fits a parameter of a task.

use super::json::{Assembled, Constant, Template};
use super::port::{Maybe, Port, Step};
use super::slot::{Slot, Source};
use super::text::Text;
use crate::seal::Seal;

/// What can be given where a task takes a `T`.
#[diagnostic::on_unimplemented(
    message = "expected a port of `{T}`, found `{Self}`",
    label = "expected a port of `{T}`",
    note = "the arguments of a step stand in the order of the task's parameters, without `cx`",
    note = "a `Maybe` port (of an optional step, or one with `when`) fits a parameter `Option<_>` only; a constant is \
            `value(42)`, a field `pick!(order.items)`"
)]
pub trait Arg<T> {
    #[doc(hidden)]
    fn slot(self, seal: Seal) -> Slot;
}

impl<T> Arg<T> for Port<'_, T> {
    fn slot(self, _: Seal) -> Slot {
        Port::slot(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Arg<Option<T>> for Port<'_, T> {
    fn slot(self, _: Seal) -> Slot {
        Port::slot(self).or_none()
    }
}

#[diagnostic::do_not_recommend]
impl<T> Arg<Option<T>> for Port<'_, T, Maybe> {
    fn slot(self, _: Seal) -> Slot {
        Port::slot(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Arg<Option<T>> for Port<'_, Option<T>, Maybe> {
    fn slot(self, _: Seal) -> Slot {
        Port::slot(self)
    }
}

#[diagnostic::do_not_recommend]
impl<'w, T, P, U> Arg<U> for Step<'w, T, P>
where
    Port<'w, T, P>: Arg<U>,
{
    fn slot(self, seal: Seal) -> Slot {
        Arg::<U>::slot(self.port, seal)
    }
}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize> Arg<T> for Constant<T> {
    fn slot(self, _: Seal) -> Slot {
        Slot::constant(&self.0)
    }
}

#[diagnostic::do_not_recommend]
impl Arg<String> for Constant<&str> {
    fn slot(self, _: Seal) -> Slot {
        Slot::constant(self.0)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Arg<T> for Assembled<T> {
    fn slot(self, _: Seal) -> Slot {
        self.slot
    }
}

#[diagnostic::do_not_recommend]
impl<T> Arg<T> for Template {
    fn slot(self, _: Seal) -> Slot {
        Slot(Source::Template(self.0))
    }
}

#[diagnostic::do_not_recommend]
impl Arg<String> for Text {
    fn slot(self, _: Seal) -> Slot {
        self.0
    }
}

#[diagnostic::do_not_recommend]
impl<T, Item: Arg<T>> Arg<Vec<T>> for Vec<Item> {
    fn slot(self, seal: Seal) -> Slot {
        Slot::list(self.into_iter().map(|item| item.slot(seal)))
    }
}

#[diagnostic::do_not_recommend]
impl<T, Item: Arg<T>, const N: usize> Arg<Vec<T>> for [Item; N] {
    fn slot(self, seal: Seal) -> Slot {
        Slot::list(self.into_iter().map(|item| item.slot(seal)))
    }
}

/// The arguments of a task whose parameters are `Sig`: a tuple, or one argument by itself.
#[diagnostic::on_unimplemented(
    message = "the arguments do not fit the task: it takes `{Sig}`, given are `{Self}`",
    label = "{Self}",
    note = "as many ports as the task has parameters after `cx` (at most 8), in a tuple: `()`, `(a,)` or `a` alone, \
            `(a, b)`, …",
    note = "a parameter is an owned type with `#[derive(Serialize, Deserialize)]`: `String`, not `&str`"
)]
pub trait Args<Sig> {
    #[doc(hidden)]
    fn slots(self, seal: Seal) -> Vec<Slot>;
}

macro_rules! tuples {
    ($(($($Type:ident $Given:ident $given:ident),*))*) => { $(
        impl<$($Type, $Given: Arg<$Type>),*> Args<($($Type,)*)> for ($($Given,)*) {
            #[allow(unused_variables, reason = "some tasks take nothing")]
            fn slots(self, seal: Seal) -> Vec<Slot> {
                let ($($given,)*) = self;
                vec![$($given.slot(seal)),*]
            }
        }
    )* };
}

tuples! {
    ()
    (A GivenA a)
    (A GivenA a, B GivenB b)
    (A GivenA a, B GivenB b, C GivenC c)
    (A GivenA a, B GivenB b, C GivenC c, D GivenD d)
    (A GivenA a, B GivenB b, C GivenC c, D GivenD d, E GivenE e)
    (A GivenA a, B GivenB b, C GivenC c, D GivenD d, E GivenE e, F GivenF f)
    (A GivenA a, B GivenB b, C GivenC c, D GivenD d, E GivenE e, F GivenF f, G GivenG g)
    (A GivenA a, B GivenB b, C GivenC c, D GivenD d, E GivenE e, F GivenF f, G GivenG g, H GivenH h)
}

macro_rules! alone {
    ($([$($generics:tt)*] $Given:ty;)*) => { $(
        impl<Only, $($generics)*> Args<(Only,)> for $Given
        where
            Self: Arg<Only>,
        {
            fn slots(self, seal: Seal) -> Vec<Slot> {
                vec![Arg::<Only>::slot(self, seal)]
            }
        }
    )* };
}

alone! {
    [T, P] Port<'_, T, P>;
    [T, P] Step<'_, T, P>;
    [T] Constant<T>;
    [T] Assembled<T>;
    [] Template;
    [] Text;
    [T] Vec<T>;
    [T, const N: usize] [T; N];
}
