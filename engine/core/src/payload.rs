//! Data that travels through a run: inputs, request bodies, outputs. Always as bytes; JSON is parsed where it is used.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::id::{Digest, Seq};

/// So many bytes to be written into, in memory of just that size: a vector would be copied to be shared.
pub fn zeros(len: usize) -> Arc<[u8]> {
    std::iter::repeat_n(0, len).collect()
}

/// How a payload's bytes are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ContentType {
    /// JSON text.
    Json,
}

/// A payload as it stands in an event. An event holds one at most.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Payload {
    /// In the event itself: up to [`bounds::INLINE_PAYLOAD`] bytes once it is stored.
    Inline {
        /// How to read the bytes.
        content_type: ContentType,
        /// The bytes.
        data: Arc<[u8]>,
    },
    /// In a blob of the run, durable before the event that names it.
    Blob {
        /// How to read the bytes.
        content_type: ContentType,
        /// The SHA-256 of the bytes, and the blob's name.
        digest: Digest,
        /// How many bytes.
        len: u64,
    },
}

impl Payload {
    /// A payload of JSON text.
    pub fn json(data: impl Into<Arc<[u8]>>) -> Self {
        Self::Inline { content_type: ContentType::Json, data: data.into() }
    }

    /// How many bytes it has, wherever they are.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline { data, .. } => data.len() as u64,
            Self::Blob { len, .. } => *len,
        }
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, where they stand in the event.
    pub fn inline(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Inline { data, .. } => Some(data),
            Self::Blob { .. } => None,
        }
    }
}

/// A payload as state keeps it: where it is recorded and, if it is small, what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The event whose payload it is.
    pub seq: Seq,
    /// The bytes, up to [`bounds::HELD_PAYLOAD`] of them.
    pub small: Option<Arc<[u8]>>,
}

impl Held {
    /// What state keeps of the payload of event `seq`. It is the same whether the payload was spilled or not.
    pub fn new(seq: Seq, payload: &Payload) -> Self {
        let small = payload.inline().filter(|data| data.len() <= bounds::HELD_PAYLOAD);
        Self { seq, small: small.cloned() }
    }
}
