//! Values that are put together: constants, structs, JSON.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::argument::Arg;
use super::fields;
use super::port::{Port, Presence, Step};
use super::slot::{Slot, Source};
use super::text::Text;
use crate::seal::Seal;

/// A constant; see [`value`].
#[derive(Clone, Copy, Debug)]
pub struct Constant<T>(pub(super) T);

/// A constant where a port could stand: `wf.step("add", add, (order, value(42)))`.
pub fn value<T: Serialize>(value: T) -> Constant<T> {
    Constant(value)
}

/// JSON as a workflow file has it; see [`template`].
#[derive(Clone, Debug)]
pub struct Template(pub(super) Value);

/// JSON as a workflow file has it, with expressions: `template("${ .input.items | length }")`. It fits wherever a value
/// can stand, and no type checks it; what it reads as `.steps.NAME` it waits for.
pub fn template(json: impl Into<Value>) -> Template {
    Template(json.into())
}

/// A struct that is put together from ports; see [`assemble!`](crate::assemble!).
#[derive(Debug)]
pub struct Assembled<T> {
    pub(super) slot: Slot,
    types: PhantomData<fn() -> T>,
}

impl<T> Assembled<T> {
    fn new(source: Source) -> Self {
        Self { slot: Slot(source), types: PhantomData }
    }
}

/// The fields of a struct, as a tuple.
#[diagnostic::on_unimplemented(
    message = "the values do not fit the fields: they take `{Sig}`, given are `{Self}`",
    note = "a struct of 1 to 16 fields can be assembled, each from a port of its type"
)]
pub trait Fields<Sig> {
    #[doc(hidden)]
    fn slots(self, seal: Seal) -> Vec<Slot>;
}

macro_rules! fields {
    (@tuple $($Type:ident $Given:ident $given:ident),+) => {
        impl<$($Type, $Given: Arg<$Type>),+> Fields<($($Type,)+)> for ($($Given,)+) {
            fn slots(self, seal: Seal) -> Vec<Slot> {
                let ($($given,)+) = self;
                vec![$($given.slot(seal)),+]
            }
        }
    };
    ([$($done:tt)*]) => {};
    ([$($done:tt)*] ($($next:tt)*) $($rest:tt)*) => {
        fields!(@tuple $($done)* $($next)*);
        fields!([$($done)* $($next)*,] $($rest)*);
    };
}

fields! {
    []
    (A GivenA a) (B GivenB b) (C GivenC c) (D GivenD d) (E GivenE e) (F GivenF f) (G GivenG g) (H GivenH h)
    (I GivenI i) (J GivenJ j) (K GivenK k) (L GivenL l) (M GivenM m) (N GivenN n) (O GivenO o) (P GivenP p)
}

#[doc(hidden)]
pub fn __assemble<T: DeserializeOwned, Sig, F: Fields<Sig>>(
    _never_called: fn(Sig) -> T,
    names: &[&'static str],
    values: F,
) -> Assembled<T> {
    let names = names.iter().map(|name| name.strip_prefix("r#").unwrap_or(name));
    Assembled::new(match names.clone().find_map(fields::unknown::<T>) {
        Some(message) => Source::Wrong(message),
        None => Source::Object(names.zip(values.slots(Seal)).collect()),
    })
}

/// What can stand in JSON that no type describes: any port, where it has no value as `null`.
pub trait ToJson {
    #[doc(hidden)]
    fn json(self, seal: Seal) -> Slot;

    #[doc(hidden)]
    fn __json(self) -> Slot
    where
        Self: Sized,
    {
        self.json(Seal)
    }
}

impl<T, P: Presence> ToJson for Port<'_, T, P> {
    fn json(self, _: Seal) -> Slot {
        self.slot().or_none()
    }
}

impl<T, P: Presence> ToJson for Step<'_, T, P> {
    fn json(self, seal: Seal) -> Slot {
        self.port.json(seal)
    }
}

impl<T: Serialize> ToJson for Constant<T> {
    fn json(self, _: Seal) -> Slot {
        Slot::constant(&self.0)
    }
}

impl<T> ToJson for Assembled<T> {
    fn json(self, _: Seal) -> Slot {
        self.slot
    }
}

impl ToJson for Template {
    fn json(self, _: Seal) -> Slot {
        Slot(Source::Template(self.0))
    }
}

impl ToJson for Text {
    fn json(self, _: Seal) -> Slot {
        self.0
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn json(self, seal: Seal) -> Slot {
        Slot::list(self.into_iter().map(|item| item.json(seal)))
    }
}

#[doc(hidden)]
pub fn __object(fields: Vec<(&'static str, Slot)>) -> Assembled<Value> {
    Assembled::new(Source::Object(fields))
}

/// A struct from ports: `assemble!(Receipt { id: pick!(order.id), state: value("done") })`. The names of its fields in
/// JSON must be those in Rust.
#[macro_export]
macro_rules! assemble {
    ($($Type:ident)::+ { $($field:ident : $value:expr),+ $(,)? }) => {
        $crate::__assemble(|($($field,)+)| $($Type)::+ { $($field),+ }, &[$(stringify!($field)),+], ($($value,)+))
    };
}

/// A JSON object with ports in it: `json_of!({ "order": pick!(order.id), "amount": value(3) })`.
#[macro_export]
macro_rules! json_of {
    ({ $($key:literal : $value:expr),* $(,)? }) => {
        $crate::__object(vec![$(($key, $crate::ToJson::__json($value))),*])
    };
}

/// A text with ports in it, each at a `{}`: `text_of!("/users/{}/orders", pick!(order.user_id))`.
#[macro_export]
macro_rules! text_of {
    ($pattern:literal $(, $value:expr)* $(,)?) => {
        $crate::__text($pattern, vec![$($crate::ToJson::__json($value)),*])
    };
}
