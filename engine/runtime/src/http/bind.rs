//! What is bound at each send: base URL, authentication, secrets, keys.
//!
//! The base URL of a service comes from, the first that there is: the run's overrides, the process's overrides, the
//! definition. So a service that moves, or a mock on a new port, breaks no open run.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use engine_core::call::{HttpCall, Target};
use engine_core::definition::reference::{self, Part};
use engine_core::definition::{Auth, Definition, Service};
use engine_core::event::StuckReason;
use engine_core::id::{Name, RunId};
use engine_core::machine::Send;
use engine_core::trace::traceparent;

use crate::http::Request;
use crate::memory::AnswerRoom;
use crate::options::{Mocks, Secrets};

/// Binds calls for one run.
#[derive(Clone)]
pub(crate) struct Binder {
    pub(crate) run: RunId,
    pub(crate) definition: Arc<Definition>,
    pub(crate) run_overrides: Arc<[(String, String)]>,
    pub(crate) overrides: Arc<[(String, String)]>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) mocks: Option<Arc<dyn Mocks>>,
}

/// Why a call can't be bound. An operator has to see to it: the text says what is missing and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unbound {
    pub(crate) reason: StuckReason,
    pub(crate) message: String,
}

impl Unbound {
    fn secret(message: String) -> Self {
        Self { reason: StuckReason::SecretMissing, message }
    }

    fn address(message: String) -> Self {
        Self { reason: StuckReason::AddressMissing, message }
    }
}

/// The value of an override that stands for the mock services of the process that drives the run.
pub(crate) const MOCK: &str = "mock:";

/// The connections of calls that name a whole URL: no name of a service.
const ANYWHERE: &str = "*";

impl Binder {
    /// The request for this attempt.
    pub(crate) async fn bind(&self, call: &HttpCall, send: &Send, body: Option<Bytes>) -> Result<Request, Unbound> {
        let (pool, url, mut headers) = match &call.target {
            Target::Url(url) => (ANYWHERE.to_owned(), url.clone(), Vec::new()),
            Target::Service { name, path } => {
                let service = self.definition.services().get(name);
                let base = self.base_url(name, service).await?;
                let url = format!("{}{path}", base.trim_end_matches('/'));
                (name.to_string(), url, self.service_headers(service)?)
            }
        };
        for (name, value) in &call.headers {
            headers.retain(|(own, _): &(String, String)| !own.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.push(("traceparent".to_owned(), traceparent(self.run, &send.step, send.side, send.attempt)));
        headers.push(("idempotency-key".to_owned(), send.key.to_string()));
        if let Some(key_of) = &send.key_of {
            headers.push(("idempotency-key-of".to_owned(), key_of.to_string()));
        }
        let (method, query, timeout) = (call.method, call.query.clone(), send.timeout);
        Ok(Request { pool, url, method, query, headers, body, room: AnswerRoom::default(), timeout })
    }

    /// Where a bound call goes, as messages may name it: host and port, or, where the environment says which, the
    /// reference to that. What a reference stands for is never told.
    pub(crate) fn address(&self, call: &HttpCall, request: &Request) -> Option<String> {
        let written = match &call.target {
            Target::Url(_) => None,
            Target::Service { name, .. } => {
                let service = self.definition.services().get(name);
                self.overridden(name).or_else(|| service.map(|service| service.url.as_str()))
            }
        };
        let is_literal = |written: &str| {
            reference::split(written).is_ok_and(|parts| parts.iter().all(|part| matches!(part, Part::Text(_))))
        };
        match written {
            Some(written) if !is_literal(written) => Some(written.to_owned()),
            Some(_) | None => {
                let url = reqwest::Url::parse(&request.url).ok()?;
                Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
            }
        }
    }

    fn overridden(&self, name: &Name) -> Option<&str> {
        overridden(&self.run_overrides, name).or_else(|| overridden(&self.overrides, name))
    }

    async fn base_url(&self, name: &Name, service: Option<&Service>) -> Result<String, Unbound> {
        match (self.overridden(name), service) {
            (Some(MOCK), _) => self.mock_url(name).await,
            (Some(url), _) => self.resolve(url),
            (None, Some(service)) => self.resolve(&service.url),
            (None, None) => Err(Unbound::address(format!("the definition has no service `{name}`"))),
        }
    }

    async fn mock_url(&self, name: &Name) -> Result<String, Unbound> {
        let Some(mocks) = &self.mocks else {
            let message = "the run was started with mock services, which this process does not have: \
                           drive it with the `engine` binary, or start another run with `--override`";
            return Err(Unbound::address(message.to_owned()));
        };
        let urls = mocks.urls().await.map_err(Unbound::address)?;
        urls.get(name.as_str()).cloned().ok_or_else(|| {
            Unbound::address(format!(
                "there is no mock service `{name}`: give its address with `--override {name}.url=…`"
            ))
        })
    }

    fn service_headers(&self, service: Option<&Service>) -> Result<Vec<(String, String)>, Unbound> {
        let Some(service) = service else { return Ok(Vec::new()) };
        let mut headers = Vec::new();
        for (name, value) in &service.headers {
            headers.push((name.clone(), self.resolve(value)?));
        }
        let authorization = match &service.auth {
            None => return Ok(headers),
            Some(Auth::Bearer(token)) => format!("Bearer {}", self.resolve(token)?),
            Some(Auth::Basic { user, password }) => {
                let pair = format!("{}:{}", self.resolve(user)?, self.resolve(password)?);
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
            }
        };
        headers.push(("authorization".to_owned(), authorization));
        Ok(headers)
    }

    /// Puts secrets and environment values into a text.
    fn resolve(&self, text: &str) -> Result<String, Unbound> {
        let missing = |kind: &str, name: &str, variable: &str| {
            Unbound::secret(format!("`${{{kind}:{name}}}` is not set: set the environment variable {variable}"))
        };
        let mut resolved = String::new();
        for part in reference::split(text).map_err(|error| Unbound::secret(error.to_string()))? {
            let value = match part {
                Part::Text(text) => text,
                Part::Secret(name) => {
                    let variable = format!("ENGINE_SECRET_{name}");
                    self.secrets.secret(&name).ok_or_else(|| missing("secret", &name, &variable))?
                }
                Part::Env(name) => self.secrets.environment(&name).ok_or_else(|| missing("env", &name, &name))?,
            };
            resolved.push_str(&value);
        }
        if resolved.contains(char::is_control) {
            return Err(Unbound::secret(format!(
                "what `{text}` stands for has line breaks or other characters that can't be sent"
            )));
        }
        Ok(resolved)
    }
}

/// The overridden base URL of a service: its own, else that for all.
pub(crate) fn overridden<'a>(overrides: &'a [(String, String)], name: &Name) -> Option<&'a str> {
    let value = |key: &str| overrides.iter().rev().find(|(own, _)| own == key).map(|(_, value)| value.as_str());
    value(&format!("{name}.url")).or_else(|| value("*.url"))
}
