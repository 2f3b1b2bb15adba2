//! Sending over the network, with reqwest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use engine_core::machine::{Answered, AttemptOutcome, Body};
use engine_core::payload;
use http_body_util::Full;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use tokio::time::Instant;

use crate::bounds;
use crate::error::EngineError;
use crate::http::{Request, Transport};
use crate::memory::AnswerRoom;

/// HTTP over the network: a client for each service, no redirects, no proxy from the environment.
#[derive(Debug)]
pub struct HttpClient {
    clients: Mutex<BTreeMap<(String, Duration), reqwest::Client>>,
}

impl HttpClient {
    /// A client without connections.
    pub fn new() -> Result<Self, EngineError> {
        // Two parts of one program may both do this; the first one counts, and they want the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        build(bounds::CONNECT_TIMEOUT).map_err(|error| EngineError::Http(with_causes(&error)))?;
        Ok(Self { clients: Mutex::new(BTreeMap::new()) })
    }

    /// The client of a service. Its connect timeout ends before an attempt's timeout does, so that a callee that can't
    /// be reached is known to have done nothing.
    fn client(&self, pool: &str, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
        let connect = bounds::CONNECT_TIMEOUT.min(timeout.mul_f64(0.9));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(pool.to_owned(), connect)) {
            return Ok(client.clone());
        }
        let client = build(connect)?;
        clients.insert((pool.to_owned(), connect), client.clone());
        Ok(client)
    }
}

fn build(connect_timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(bounds::IDLE_CONNECTIONS)
        .user_agent(concat!("engine/", env!("CARGO_PKG_VERSION")))
        .build()
}

#[async_trait]
impl Transport for HttpClient {
    async fn send(&self, request: Request) -> AttemptOutcome {
        match self.try_send(request).await {
            Ok(answered) => AttemptOutcome::Answered(answered),
            Err(error) => lost(&error),
        }
    }
}

impl HttpClient {
    async fn try_send(&self, request: Request) -> Result<Answered, SendError> {
        let invalid = |what: &str| SendError::Invalid(format!("{what} can't be sent"));
        let url = full_url(&request).ok_or_else(|| invalid("the URL"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(&format!("the header `{name}`")))?;
            let value = HeaderValue::from_str(value).map_err(|_| invalid(&format!("the value of header `{name}`")))?;
            headers.insert(key, value);
        }
        let method =
            reqwest::Method::from_bytes(request.method.as_str().as_bytes()).map_err(|_| invalid("the method"))?;
        let mut builder = self.client(&request.pool, request.timeout)?.request(method, url).headers(headers);
        if let Some(body) = request.body {
            // Wrapped, so that nobody keeps a clone of it for a second try.
            builder = builder.body(reqwest::Body::wrap(Full::new(body)));
        }
        let mut patience = Patience::new(request.timeout);
        let response = patience.for_this(builder.send()).await?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let headers = text_headers(response.headers());
        let body = read_body(response, &request.room, patience).await?;
        Ok(Answered { status, retry_after, headers, body })
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("{0}")]
    Invalid(String),
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

fn full_url(request: &Request) -> Option<reqwest::Url> {
    let mut url = reqwest::Url::parse(&request.url).ok()?;
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// Reads an answer into the room that it needs: asked for at once where its length is known, else piece by piece.
async fn read_body(
    mut response: reqwest::Response,
    room: &AnswerRoom,
    mut patience: Patience,
) -> Result<Body, SendError> {
    let limit = bounds::ANSWER_LEN;
    let too_large = Ok(Body::TooLarge { limit: limit as u64 });
    let announced = response.content_length().unwrap_or_default();
    let Some(announced) = usize::try_from(announced).ok().filter(|len| *len <= limit) else { return too_large };
    room.cover(announced).await;
    let (mut covered, mut read) = (announced.max(bounds::SMALL_PAYLOAD), Read::new(announced));
    while let Some(chunk) = patience.for_this(response.chunk()).await? {
        let len = read.len + chunk.len();
        if len > limit {
            return too_large;
        }
        if len > covered {
            covered = len.next_multiple_of(bounds::ANSWER_PIECE);
            room.cover(covered).await;
        }
        read.push(&chunk);
    }
    Ok(Body::Whole(read.whole()))
}

/// What has come of an answer. Up to the announced length it is written where it stays, and not copied to be shared.
struct Read {
    announced: Arc<[u8]>,
    more: Vec<u8>,
    len: usize,
}

impl Read {
    fn new(announced: usize) -> Self {
        Self { announced: payload::zeros(announced), more: Vec::new(), len: 0 }
    }

    fn push(&mut self, chunk: &[u8]) {
        let end = self.len + chunk.len();
        match Arc::get_mut(&mut self.announced).and_then(|bytes| bytes.get_mut(self.len..end)) {
            Some(place) => place.copy_from_slice(chunk),
            None => self.more.extend_from_slice(chunk),
        }
        self.len = end;
    }

    fn whole(self) -> Arc<[u8]> {
        if self.len == self.announced.len() {
            return self.announced;
        }
        let begun = self.announced.get(..self.len - self.more.len()).unwrap_or_default();
        if begun.is_empty() { self.more.into() } else { [begun, &self.more].concat().into() }
    }
}

/// What is left of an attempt's timeout. Only what it is waited for with this counts.
struct Patience {
    left: Duration,
}

impl Patience {
    fn new(left: Duration) -> Self {
        Self { left }
    }

    async fn for_this<T>(&mut self, future: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, SendError> {
        let begun = Instant::now();
        let done = tokio::time::timeout(self.left, future).await;
        self.left = self.left.saturating_sub(begun.elapsed());
        done.map_err(|_| SendError::TimedOut)?.map_err(SendError::Http)
    }
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. A date is compared with the time that the callee itself says
/// it is, where it does: the two clocks may differ, and this one may have been set meanwhile.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let callee = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?.trim()).ok());
    Some(at.duration_since(callee.unwrap_or(now)).unwrap_or_default())
}

/// What a failed send says: whether anything can have reached the callee.
fn lost(error: &SendError) -> AttemptOutcome {
    match error {
        SendError::Invalid(message) => AttemptOutcome::Unsendable { message: message.clone() },
        SendError::TimedOut => AttemptOutcome::Lost { timed_out: true, message: error.to_string() },
        SendError::Http(error) if error.is_builder() => AttemptOutcome::Unsendable { message: with_causes(error) },
        SendError::Http(error) if error.is_connect() => AttemptOutcome::NotSent { message: with_causes(error) },
        SendError::Http(error) => AttemptOutcome::Lost { timed_out: error.is_timeout(), message: with_causes(error) },
    }
}

/// The innermost cause says what happened; the URL stays out, for it may hold a secret.
fn with_causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() && error.is_connect() {
        "no connection in time".to_owned()
    } else if error.is_timeout() {
        "no answer in time".to_owned()
    } else if std::ptr::eq(cause, error) {
        "the request could not be made".to_owned()
    } else {
        cause.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 10:00:00 GMT").unwrap();
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]), now)
    }

    #[test]
    fn an_answer_is_whole_whatever_length_was_announced() {
        for announced in [0, 2, 4, 5, 6, 9, 20] {
            let mut read = Read::new(announced);
            for chunk in ["some", "", "b", "ytes"] {
                read.push(chunk.as_bytes());
            }
            assert_eq!(*read.whole(), *b"somebytes", "{announced} announced");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("Mon, 23 Nov 2026 10:00:05 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(asked("Mon, 23 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn a_date_is_compared_with_that_of_the_answer() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 10:00:00 GMT").unwrap();
        let dates = [(RETRY_AFTER, "Mon, 23 Nov 2026 11:00:05 GMT"), (DATE, "Mon, 23 Nov 2026 11:00:00 GMT")];
        let headers = dates.map(|(name, value)| (name, HeaderValue::from_static(value)));
        assert_eq!(retry_after(&HeaderMap::from_iter(headers), now), Some(Duration::from_secs(5)));
    }
}
