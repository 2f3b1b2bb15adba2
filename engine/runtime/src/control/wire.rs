//! What may be asked of the process that has the directory, and what it answers.

use engine_core::id::{RunId, Seq};
use engine_core::request::{Answer, Request};
use engine_store::StoreError;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::control::keep::{Keep, Kept};
use crate::control::look::{Look, Looked};
use crate::control::refusal::Refusal;
use crate::report::Report;
use crate::start::Reuse;

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// One that is answered as soon as can be.
    Brief(Brief),
    /// How far a run is, once it is further than this, or rests.
    Wait { run: RunId, after: Seq },
    /// Something to be done with the directory as a whole, however long it takes.
    Keep(Keep),
}

/// A question that is answered as soon as can be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Brief {
    /// Whether the process drives a run.
    Drives(RunId),
    /// Something to be read.
    Look(Look),
    /// Which runs are to be taken up after a restart.
    Recover,
    /// A request to a run.
    Request { run: RunId, request: Request },
    /// A run is to be started, and driven until it rests.
    Start(Box<HandIn>),
    /// A run is to be driven until it rests.
    Adopt(RunId),
}

impl From<Brief> for Ask {
    fn from(brief: Brief) -> Self {
        Self::Brief(brief)
    }
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Whether it does.
    Drives(bool),
    /// What was read.
    Looked(Result<Looked, StoreError>),
    /// What came of it.
    Kept(Result<Kept, StoreError>),
    /// A sign of life: the answer is still to come.
    Working,
    /// Those runs.
    Runs(Vec<RunId>),
    /// The answer to a request.
    Answered(Answer),
    /// The run, and whether this very start began it.
    Started { run: RunId, fresh: bool },
    /// How far the run is. None where it is open and not driven here.
    Report(Option<Report>),
    /// It can't be done.
    Refused(Refusal),
    /// The process is about to give the directory up: ask whoever has it next.
    Leaving,
}

/// A run to be started by another process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HandIn {
    /// The source of its definition.
    pub(crate) source: Bytes,
    pub(crate) workflow_id: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) actor: String,
    pub(crate) input: Bytes,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) overrides: Vec<(String, String)>,
    pub(crate) reuse: Reuse,
    /// The fault rules of the mock services, where it is to use those.
    pub(crate) faults: Option<Vec<String>>,
}

/// Bytes that are written at once, not one by one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_core::payload::Payload;
    use engine_core::request::{Demand, Resolution};
    use engine_store::codec;

    #[test]
    fn messages_come_through() {
        let run: RunId = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let output = Some(Payload::json(br#"{"a":1}"#.as_slice()));
        let demand = Demand::Resolve { step: Some("charge".into()), action: Resolution::Done, output };
        let request = Request { id: "r".into(), actor: "me".into(), demand };
        let bytes = codec::message(&Brief::Request { run, request: request.clone() }).unwrap();
        let Brief::Request { request: read, .. } = codec::read_message(&bytes).unwrap() else {
            panic!("another question")
        };
        assert_eq!(read, request);
        let large = Reply::Looked(Ok(Looked::Bytes(Some(Bytes(vec![7; 1 << 20])))));
        let bytes = codec::message(&large).unwrap();
        assert!(bytes.len() < (1 << 20) + 32, "bytes are not written one by one");
        let Reply::Looked(Ok(Looked::Bytes(Some(Bytes(read))))) = codec::read_message(&bytes).unwrap() else {
            panic!("another reply")
        };
        assert_eq!(read.len(), 1 << 20);
        assert!(codec::read_message::<Ask>(&[9, 9, 9, 9]).is_err());
    }
}
