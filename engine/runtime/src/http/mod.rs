//! HTTP steps: what is bound at each send, and how it is sent.

mod bind;
mod client;
mod exchange;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine_core::call::Method;
use engine_core::machine::AttemptOutcome;

use crate::memory::AnswerRoom;

pub(crate) use bind::{Binder, MOCK, Unbound, overridden};
pub use client::HttpClient;
pub(crate) use exchange::exchange;

/// A request with everything bound: it may hold secrets, and is never stored or logged.
#[derive(Clone)]
pub struct Request {
    /// Whose connections it uses: the service's name, or `*` for a whole URL.
    pub pool: String,
    /// The URL, without the query below.
    pub url: String,
    /// The method.
    pub method: Method,
    /// Query parameters, not yet encoded.
    pub query: Vec<(String, String)>,
    /// All headers.
    pub headers: Vec<(String, String)>,
    /// The body. It holds room until its last clone is dropped, so it is to be dropped once it is sent.
    pub body: Option<Bytes>,
    /// Room for the answer.
    pub room: AnswerRoom,
    /// How long it may take, from the connection to the end of the answer, waits for room left out.
    pub timeout: Duration,
}

/// A way to services.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends the request once and gives what came of it, within the request's timeout.
    async fn send(&self, request: Request) -> AttemptOutcome;
}
