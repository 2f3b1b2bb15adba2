//! The small parts that the types of the file are made of.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// The pattern of names, as JSON Schema has it.
pub(super) const NAME: &str = "^[a-z][a-z0-9_]{0,63}$";

/// The pattern of a task's name and version, as JSON Schema has it.
pub(super) const TASK: &str = "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*@[1-9][0-9]*$";

/// The pattern of durations, as JSON Schema has it.
pub(super) const DURATION: &str = "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// A remark for people. It is read over: whatever it says, it is no part of the workflow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Comment;

impl<'de> Deserialize<'de> for Comment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for Comment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Comment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A remark for people; the engine does not read it." })
    }
}

/// An object whose keys the author chooses: steps, services, headers. In the order of the file.
#[derive(Clone, PartialEq, Debug)]
pub struct Entries<V>(pub IndexMap<String, V>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<V> Entries<V> {
    /// The entries in the order of the file.
    pub fn iter(&self) -> indexmap::map::Iter<'_, String, V> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a, V> IntoIterator for &'a Entries<V> {
    type Item = (&'a String, &'a V);
    type IntoIter = indexmap::map::Iter<'a, String, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<V: Serialize> Serialize for Entries<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
            type Value = IndexMap<String, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = IndexMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "$comment" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        entries.insert(key, map.next_value()?);
                    }
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData)).map(Self)
    }
}

impl<V: JsonSchema> JsonSchema for Entries<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("EntriesOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let comment = generator.subschema_for::<Comment>();
        let values = generator.subschema_for::<V>();
        json_schema!({ "type": "object", "properties": { "$comment": comment }, "additionalProperties": values })
    }
}

/// A word that stands for itself, or an object that says more.
#[derive(Clone, PartialEq, Debug, serde::Serialize, JsonSchema)]
#[serde(untagged)]
pub enum WordOr<W, O> {
    /// The word.
    Word(W),
    /// The object.
    Object(O),
}

impl<'de, W: Deserialize<'de>, O: Deserialize<'de>> Deserialize<'de> for WordOr<W, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrVisitor<W, O>(PhantomData<(W, O)>);

        impl<'de, W: Deserialize<'de>, O: Deserialize<'de>> Visitor<'de> for WordOrVisitor<W, O> {
            type Value = WordOr<W, O>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or an object")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
                W::deserialize(StrDeserializer::new(word)).map(WordOr::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                O::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Object)
            }
        }

        deserializer.deserialize_any(WordOrVisitor(PhantomData))
    }
}

/// Reads a value that is there; so `null` is a value like any other, and not the same as nothing.
pub(super) fn written<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
