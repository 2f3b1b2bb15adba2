//! Sending over the network, with reqwest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use engine_core::machine::{Answered, AttemptOutcome, Body};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;

use crate::bounds;
use crate::error::EngineError;
use crate::http::{Request, Transport};

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
        let mut builder =
            self.client(&request.pool, request.timeout)?.request(method, url).headers(headers).timeout(request.timeout);
        if let Some(body) = request.body {
            builder = builder.body(body.to_vec());
        }
        let response = builder.send().await?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let headers = text_headers(response.headers());
        let body = read_body(response).await?;
        Ok(Answered { status, retry_after, headers, body })
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("{0}")]
    Invalid(String),
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

async fn read_body(mut response: reqwest::Response) -> Result<Body, reqwest::Error> {
    let limit = bounds::ANSWER_LEN;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Ok(Body::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(Arc::from(bytes)))
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// What a failed send says: whether anything can have reached the callee.
fn lost(error: &SendError) -> AttemptOutcome {
    match error {
        SendError::Invalid(message) => AttemptOutcome::Unsendable { message: message.clone() },
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
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("Mon, 23 Nov 2026 10:00:05 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(asked("Mon, 23 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }
}
