//! Names and identifiers.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The id of one run: a `UUIDv7`, always fresh, so ids order by the time of their start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(uuid::Uuid);

impl RunId {
    /// A run id from the time of its start and 80 random bits.
    pub fn new(at: crate::time::Timestamp, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(at.millis(), &random).into_uuid())
    }

    /// The 16 bytes, in an order that sorts by time.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The run id with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// The shard (of [`crate::bounds::SHARDS`]) that this run belongs to.
    pub fn shard(&self) -> u8 {
        let hash = Sha256::digest(self.as_bytes());
        hash.first().copied().unwrap_or_default()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// A name in a workflow file: of a workflow, step, service. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(Arc<str>);

impl Name {
    /// The name as it stands. [`Name::check`] says whether a workflow file may use it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Whether `text` is a name that a workflow file may use: `[a-z][a-z0-9_]*`, at most 64 characters.
    pub fn check(text: &str) -> Result<(), InvalidName> {
        let rest_is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fine = text.len() <= crate::bounds::NAME_LEN
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(rest_is_fine);
        if fine { Ok(()) } else { Err(InvalidName(text.chars().take(80).collect())) }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that breaks the rule for names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: use a lower-case letter, then lower-case letters, digits and `_`, 64 at most")]
pub struct InvalidName(String);

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A SHA-256: the identity of a definition, an input, a blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// What a callee sees as `Idempotency-Key`: the same for every attempt of one step, across retries, crashes and
/// restarts; another for its compensation, and another once an operator retries a step that provably did nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key of one side of one step of one run.
    pub fn derive(run: RunId, step: &Name, side: Side, epoch: u32) -> Self {
        let side = match side {
            Side::Forward => "forward",
            Side::Compensation => "compensate",
        };
        Self::of(&format!("{run}/{step}/{side}/{epoch}"))
    }

    /// The key of one part of what this key stands for, by the part's name.
    pub fn part(&self, name: &str) -> Self {
        Self::of(&format!("{}/{name}", self.0))
    }

    fn of(text: &str) -> Self {
        let Digest(bytes) = Digest::of(text.as_bytes());
        Self(hex(bytes.split_at(16).0))
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The two things that can be done with a step: carry it out, and undo it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Side {
    /// The step itself.
    Forward,
    /// Its compensation.
    Compensation,
}

/// The position of an event in its run's history, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "order_saga", "step_2"] {
            assert!(Name::check(good).is_ok(), "{good}");
        }
        for bad in ["", "2nd", "Order", "a-b", "naïve", &"x".repeat(65)] {
            assert!(Name::check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn run_ids_sort_by_time() {
        let early = RunId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = RunId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<RunId>().unwrap(), early);
    }

    #[test]
    fn keys_differ_by_everything_they_name() {
        let run = RunId::new(Timestamp::from_millis(7), [1; 10]);
        let charge = Name::new("charge");
        let key = IdempotencyKey::derive(run, &charge, Side::Forward, 0);
        assert_eq!(key, IdempotencyKey::derive(run, &charge, Side::Forward, 0));
        assert_ne!(key, IdempotencyKey::derive(run, &charge, Side::Compensation, 0));
        assert_ne!(key, IdempotencyKey::derive(run, &charge, Side::Forward, 1));
        assert_ne!(key, IdempotencyKey::derive(run, &Name::new("refund"), Side::Forward, 0));
        assert_eq!(key.as_str().len(), 32);
        assert_eq!(key.part("ship"), key.part("ship"));
        assert!(key.part("ship") != key && key.part("ship") != key.part("pack"));
    }
}
