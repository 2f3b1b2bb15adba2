//! The large payloads that a turn has in hand.

use engine_core::machine::{Answered, AttemptOutcome, Body, Input};
use engine_core::payload::Payload;
use engine_core::request::{Demand, Request};

use crate::memory::{Lease, PayloadMemory};

/// The room of the payloads that a turn works on.
pub(crate) struct Hand {
    /// What was read and is not yet durable.
    answers: Vec<Lease>,
    /// The right to work on so many bytes.
    desk: Lease,
    bytes: usize,
    memory: PayloadMemory,
}

impl Hand {
    pub(crate) fn new(memory: PayloadMemory) -> Self {
        Self { answers: Vec::new(), desk: memory.deciding.lease(), bytes: 0, memory }
    }

    /// The next turn has this payload to work on.
    pub(crate) fn takes(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// The next turn has this answer to work on.
    pub(crate) fn takes_answer(&mut self, input: &Input, room: Option<Lease>) {
        if let Input::AttemptEnded { outcome, .. } = input {
            self.takes(match outcome {
                AttemptOutcome::Answered(Answered { body: Body::Whole(body), .. }) => body.len(),
                AttemptOutcome::Gave(json) => json.len(),
                _ => 0,
            });
        }
        self.answers.extend(room);
    }

    /// The next turn has this request to work on; what it brings may stand in a blob, and is then not loaded for it.
    pub(crate) fn takes_request(&mut self, request: &Request) {
        let payload = match &request.demand {
            Demand::Signal { payload, .. } => payload.inline(),
            Demand::Resolve { output, .. } => output.as_ref().and_then(Payload::inline),
            _ => None,
        };
        self.takes(payload.map_or(0, |bytes| bytes.len()));
    }

    /// Waits until the turn may work on what it has, and on so many bytes more.
    pub(crate) async fn work_on(&mut self, more: usize) {
        self.bytes += more;
        self.desk.cover(self.bytes).await;
    }

    /// Everything large stands in blobs.
    pub(crate) fn spilled(&mut self) {
        self.desk = self.memory.deciding.lease();
        self.bytes = 0;
    }

    /// What the answers said is durable.
    pub(crate) fn committed(&mut self) {
        self.spilled();
        self.answers.clear();
    }
}
