//! The names that a type's fields have in JSON, from plain serde: nothing is read, the first question ends it.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

/// The names; nothing for a type that is no struct, or whose fields serde does not know beforehand.
pub(super) fn names<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut names = None;
    let _ended = T::deserialize(Probe(&mut names));
    names
}

/// Why a field of this type can't be meant, if so.
pub(super) fn unknown<T: DeserializeOwned>(field: &str) -> Option<String> {
    let known = names::<T>()?;
    if known.contains(&field) {
        return None;
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    Some(format!(
        "in JSON `{}` has no field `{field}`: it has {}; reach a renamed one by `.field::<T>(\"…\")`",
        std::any::type_name::<T>(),
        known.join(", ")
    ))
}

/// What a type asks to be read from; notes the question.
struct Probe<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = Some(fields);
        Err(Error::custom("asked"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}
