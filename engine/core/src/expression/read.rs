//! Reading JSON text into values, without a tree of another kind in between: a large payload is in memory once.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::number::Number;
use super::value::{Array, Entries, MAX_VALUE_DEPTH, Object, Value, ValueError};

/// How `serde_json` hands over a number as it was written: an object with this key.
const NUMBER: &str = "$serde_json::private::Number";

/// Reads JSON text; refuses what is nested too deeply.
pub(super) fn value(bytes: &[u8]) -> Result<Value, ValueError> {
    let refused = Cell::new(None);
    let reader = Reader { depth: MAX_VALUE_DEPTH, refused: &refused };
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let read = reader.deserialize(&mut text).and_then(|value| text.end().map(|()| value));
    read.map_err(|error| {
        let syntax = ValueError::Syntax { line: error.line(), column: error.column() };
        refused.take().unwrap_or(syntax)
    })
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Reader<'r> {
    /// How many arrays and objects it may still be nested.
    depth: u32,
    /// Why a value was refused that is JSON.
    refused: &'r Cell<Option<ValueError>>,
}

impl Reader<'_> {
    fn refuse<E: Error>(self, why: ValueError) -> E {
        let error = E::custom(&why);
        self.refused.set(Some(why));
        error
    }

    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| self.refuse(ValueError::TooDeep))?;
        Ok(Self { depth, ..self })
    }

    fn number<E: Error>(self, text: &str) -> Result<Value, E> {
        Number::parse(text).map(Value::Number).ok_or_else(|| self.refuse(ValueError::NumberTooLong))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Value, D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.number(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::string(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let (inner, mut items) = (self.inner()?, Vec::new());
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(Arc::new(Array::new(items))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut key = map.next_key::<String>()?;
        if key.as_deref() == Some(NUMBER) {
            return self.number(&map.next_value::<String>()?);
        }
        let (inner, mut entries) = (self.inner()?, Entries::new());
        while let Some(known) = key {
            entries.insert(known.into(), map.next_value_seed(inner)?);
            key = map.next_key()?;
        }
        Ok(Value::Object(Arc::new(Object::new(entries))))
    }
}
