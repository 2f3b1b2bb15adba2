//! One request and what came of it.

use bytes::Bytes;
use engine_core::call::HttpCall;
use engine_core::machine::{AttemptOutcome, Send};

use crate::http::{Binder, Transport, Unbound};
use crate::memory::AnswerRoom;

/// Binds a call and sends it once. Where nobody was reached, the outcome says where.
pub(crate) async fn exchange(
    (binder, transport): (&Binder, &dyn Transport),
    (http, send): (&HttpCall, &Send),
    body: Option<Bytes>,
    room: AnswerRoom,
) -> Result<AttemptOutcome, Unbound> {
    let mut request = binder.bind(http, send, body).await?;
    request.room = room;
    let address = binder.address(http, &request);
    Ok(match (address, transport.send(request).await) {
        (Some(address), AttemptOutcome::NotSent { message }) => {
            AttemptOutcome::NotSent { message: format!("{address}: {message}") }
        }
        (_, outcome) => outcome,
    })
}
