//! JSON values as expressions see them.

use super::number::Number;
use indexmap::IndexMap;
use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

/// The deepest nesting of a value that is read or made.
pub const MAX_VALUE_DEPTH: u32 = 100;

/// A JSON value: cheap to clone, shared between threads, numbers kept as written until used.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// An array.
    Array(Arc<Array>),
    /// An object, in the order in which its keys were written.
    Object(Arc<Object>),
}

/// The elements of an array, with what they weigh.
#[derive(Debug)]
pub struct Array {
    weight: u64,
    depth: u32,
    pub(super) items: Vec<Value>,
}

/// The entries of an object, with what they weigh.
///
/// The map hashes with a random seed, which nothing can see: entries keep the order in which they
/// were put in.
#[derive(Debug)]
pub struct Object {
    weight: u64,
    depth: u32,
    pub(super) entries: Entries,
    /// The places of the entries in the order of their keys, made when first needed.
    sorted: OnceLock<Vec<usize>>,
}

pub(super) type Entries = IndexMap<Arc<str>, Value>;

/// JSON that cannot be a [`Value`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Arrays and objects are nested too deeply.
    #[error("nested deeper than {MAX_VALUE_DEPTH}")]
    TooDeep,
    /// A number has too many characters.
    #[error("a number has more than {} characters", super::number::MAX_CHARACTERS)]
    NumberTooLong,
    /// The text is no JSON.
    #[error("no JSON, at line {line}, column {column}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

impl Array {
    pub(super) fn new(items: Vec<Value>) -> Self {
        let weights = items.iter().map(Value::weight);
        Self {
            weight: weights.fold(1, u64::saturating_add),
            depth: 1 + items.iter().map(Value::depth).max().unwrap_or(0),
            items,
        }
    }
}

impl Object {
    pub(super) fn new(entries: Entries) -> Self {
        let weights = entries.iter().map(|(key, value)| {
            let key = super::budget::text(key.len());
            key.saturating_add(value.weight())
        });
        Self {
            weight: weights.fold(1, u64::saturating_add),
            depth: 1 + entries.values().map(Value::depth).max().unwrap_or(0),
            entries,
            sorted: OnceLock::new(),
        }
    }

    /// The entries in the order of their keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        let places = self.sorted.get_or_init(|| {
            let mut keys: Vec<(&Arc<str>, usize)> = self.entries.keys().zip(0..).collect();
            keys.sort_unstable();
            keys.into_iter().map(|(_, place)| place).collect()
        });
        places.iter().filter_map(|place| self.entries.get_index(*place))
    }
}

impl Value {
    /// `null`
    pub fn null() -> Self {
        Self::Null
    }

    /// A string.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(text.as_ref().into())
    }

    /// An integer.
    pub fn integer(value: i64) -> Self {
        Self::Number(Number::integer(value))
    }

    /// An array. What is made this way may be nested deeper than what expressions make.
    pub fn array(items: impl IntoIterator<Item = Value>) -> Self {
        Self::Array(Arc::new(Array::new(items.into_iter().collect())))
    }

    /// An object. What is made this way may be nested deeper than what expressions make.
    pub fn object(entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        let entries = entries.into_iter();
        let entries = entries.map(|(key, value)| (key.into(), value)).collect();
        Self::Object(Arc::new(Object::new(entries)))
    }

    /// A length or a place.
    pub(super) fn count(count: usize) -> Self {
        Self::integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Takes over JSON; refuses what is nested too deeply.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, ValueError> {
        Self::from_json_below(json, MAX_VALUE_DEPTH)
    }

    fn from_json_below(json: &serde_json::Value, depth: u32) -> Result<Self, ValueError> {
        use serde_json::Value as Json;
        let inner = || depth.checked_sub(1).ok_or(ValueError::TooDeep);
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::String(text) => Self::string(text),
            Json::Number(number) => {
                let number = Number::parse(number.as_str());
                Self::Number(number.ok_or(ValueError::NumberTooLong)?)
            }
            Json::Array(items) => {
                let depth = inner()?;
                let items = items.iter().map(|item| Self::from_json_below(item, depth));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                Self::Array(Arc::new(Array::new(items)))
            }
            Json::Object(entries) => {
                let depth = inner()?;
                let entries =
                    entries.iter().map(|(key, value)| Ok((key.as_str().into(), Self::from_json_below(value, depth)?)));
                let entries = entries.collect::<Result<Entries, ValueError>>()?;
                Self::Object(Arc::new(Object::new(entries)))
            }
        })
    }

    /// Reads JSON text.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ValueError> {
        super::read::value(bytes)
    }

    /// The value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(bool) => Json::Bool(*bool),
            Self::String(text) => Json::String(text.to_string()),
            // A number is always written as JSON reads it.
            Self::Number(number) => number.to_string().parse().map_or(Json::Null, Json::Number),
            Self::Array(array) => array.items.iter().map(Self::to_json).collect(),
            Self::Object(object) => {
                let entries = object.entries.iter();
                let entries = entries.map(|(key, value)| (key.to_string(), value.to_json()));
                Json::Object(entries.collect())
            }
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(array) => Some(&array.items),
            _ => None,
        }
    }

    /// The value under a key, if it is an object that has the key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Object(object) => object.entries.get(key),
            _ => None,
        }
    }

    /// The name of its type, as `type` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Everything but `null` and `false` counts as true.
    pub(super) fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// What it takes to walk over the value; shared parts count as often as they occur.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Number(number) => 1 + number.extra_weight(),
            Self::String(text) => super::budget::text(text.len()),
            Self::Array(array) => array.weight,
            Self::Object(object) => object.weight,
        }
    }

    /// How deeply arrays and objects are nested; 0 for anything else.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Array(array) => array.depth,
            Self::Object(object) => object.depth,
            _ => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::Array(_) => 4,
            Self::Object(_) => 5,
        }
    }

    /// jq's order of values. Whoever evaluates has paid for it before.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) => left.compare(right),
            (Self::String(left), Self::String(right)) => left.cmp(right),
            (Self::Array(left), Self::Array(right)) => {
                let pairs = left.items.iter().zip(&right.items);
                pairs
                    .map(|(left, right)| left.compare(right))
                    .find(|order| order.is_ne())
                    .unwrap_or_else(|| left.items.len().cmp(&right.items.len()))
            }
            (Self::Object(left), Self::Object(right)) => compare_objects(left, right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// First by the sets of keys, then by the values in the order of the keys.
fn compare_objects(left: &Object, right: &Object) -> Ordering {
    let by_keys = left.sorted().map(|(key, _)| key).cmp(right.sorted().map(|(key, _)| key));
    by_keys.then_with(|| {
        left.sorted()
            .zip(right.sorted())
            .map(|((_, left), (_, right))| left.compare(right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

/// Equal as jq's `==` sees it: numbers by their value, objects in any order of keys.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}
