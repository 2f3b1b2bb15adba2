//! Calls of services from within a task.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use engine_core::call::{HttpCall, Method, Target};
use engine_core::failure::Effect;
use engine_core::id::{Digest, Name, Side};
use engine_core::machine::{AttemptOutcome, answer_to_task};
use engine_core::payload::Payload;
use engine_runtime::tasks::Called;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{StepContext, TaskError};

/// A service of the workflow, as a task calls it.
#[derive(Clone, Debug)]
pub struct Service {
    cx: StepContext,
    name: Name,
}

impl Service {
    pub(crate) fn new(cx: StepContext, name: &str) -> Self {
        Self { cx, name: Name::new(name) }
    }

    /// A GET of this path, which begins with `/`.
    pub fn get(&self, path: impl Into<String>) -> ServiceCall {
        self.call(Method::Get, path)
    }

    /// A POST.
    pub fn post(&self, path: impl Into<String>) -> ServiceCall {
        self.call(Method::Post, path)
    }

    /// A PUT.
    pub fn put(&self, path: impl Into<String>) -> ServiceCall {
        self.call(Method::Put, path)
    }

    /// A PATCH.
    pub fn patch(&self, path: impl Into<String>) -> ServiceCall {
        self.call(Method::Patch, path)
    }

    /// A DELETE.
    pub fn delete(&self, path: impl Into<String>) -> ServiceCall {
        self.call(Method::Delete, path)
    }

    fn call(&self, method: Method, path: impl Into<String>) -> ServiceCall {
        let target = Target::Service { name: self.name.clone(), path: path.into() };
        let http = HttpCall { target, method, query: Vec::new(), headers: Vec::new(), body: None };
        let (cx, service) = (self.cx.clone(), self.name.clone());
        ServiceCall { cx, service, http, part: None, timeout: Duration::MAX, unusable: None }
    }
}

/// One call of a service, to be sent by [`ServiceCall::send`].
///
/// It carries `Idempotency-Key`, the key of the step ([`StepContext::key`]), and in a compensation `Idempotency-Key-Of`,
/// the key of what it undoes; so the same call made again by the next attempt is known to the service as the same. A
/// task that makes several calls which change something names the others by [`ServiceCall::part`].
///
/// What does not succeed is a [`TaskError`] that says what it says of the attempt, ready for `?`:
///
/// | answer | another attempt | what the attempt did |
/// |---|---|---|
/// | no connection; 408, 425, 429 (`Retry-After` is honoured) | yes | nothing |
/// | 409; 5xx (`Retry-After` is honoured); timeout, connection lost | yes | unknown |
/// | other 4xx | no | nothing |
/// | 3xx; a 2xx whose body can't be read as `T` | no | unknown |
/// | a secret or an address is missing | the run waits as Stuck | nothing |
/// | 404 or 410 in a compensation of a step with unknown effect | there is nothing to undo: with `?` the compensation succeeds |
///
/// "Nothing" holds only as far as no call before it in the same attempt may have changed something; the engine sees to
/// that for the calls it makes. What a task does besides, as a write to a database, it can't see: say
/// [`TaskError::effect_unknown`] there.
#[must_use = "nothing is sent until `.send().await`"]
pub struct ServiceCall {
    cx: StepContext,
    service: Name,
    http: HttpCall,
    part: Option<String>,
    timeout: Duration,
    unusable: Option<String>,
}

impl fmt::Debug for ServiceCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCall")
            .field("service", &self.service)
            .field("target", &self.http.target)
            .finish_non_exhaustive()
    }
}

/// The calls of one attempt so far.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// What was sent under which part's key, as a digest.
    sent: BTreeMap<Option<String>, Digest>,
    /// Whether one of them may have changed something.
    acted: bool,
}

impl ServiceCall {
    /// This body, as JSON: 64 MiB at most.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => self.http.body = Some(Payload::json(json)),
            Err(error) => self.unusable = Some(format!("the body can't be written as JSON: {error}")),
        }
        self
    }

    /// A query parameter; encoded when it is sent.
    #[expect(clippy::needless_pass_by_value, reason = "so that it reads well where it is called")]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.http.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// A header; it goes before one of the service with the same name.
    #[expect(clippy::needless_pass_by_value, reason = "so that it reads well where it is called")]
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.http.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// How long this call may take; what is left of the attempt's time at most, and that unless said. Where it is over,
    /// what the call did is unknown.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The name of this call among those of the task, for a key of its own, the same in every attempt. A compensation
    /// that undoes it gives its call the same name.
    pub fn part(self, name: &str) -> Self {
        Self { part: Some(name.to_owned()), ..self }
    }

    /// Sends it and gives the body of a 2xx answer: JSON as `T`, text as a string, an empty one as null. `()` takes
    /// any body.
    ///
    /// # Errors
    /// What did not succeed, see [`ServiceCall`]. Where two different calls of one attempt have the same key, the
    /// second one is not sent (`KEY_REUSED`): a service that honours keys would take it for the first.
    pub async fn send<T: DeserializeOwned + 'static>(self) -> Result<T, TaskError> {
        let Self { cx, service, http, part, timeout, unusable } = self;
        let acted_before = claim_key(&cx, &http, part.as_deref(), unusable)?;
        let is_safe = matches!(http.method, Method::Get | Method::Head);
        let outcome = match cx.task.call(http, part.as_deref(), timeout).await {
            Called::Ended(outcome) => outcome,
            Called::Unbound { reason, message } => {
                let error = TaskError::retry(message).code("UNBOUND").effect_none();
                return Err(if acted_before { error.effect_unknown() } else { error.unbound(reason) });
            }
        };
        let answer = answer_to_task(&outcome, cx.task.is_idempotent(&service));
        if !is_safe && answer.as_ref().map_or_else(|failure| !failure.did_nothing, |_| true) {
            cx.calls.lock().unwrap_or_else(PoisonError::into_inner).acted = true;
        }
        let json = answer.map_err(|failure| {
            let error = TaskError::from_failure(failure);
            if acted_before {
                error.effect_unknown()
            } else if finds_nothing_to_undo(&cx, &outcome) {
                error.nothing_to_undo()
            } else {
                error
            }
        })?;
        let json = if TypeId::of::<T>() == TypeId::of::<()>() { b"null".as_slice() } else { &json };
        serde_json::from_slice(json).map_err(|error| {
            let message = format!("`{service}` answered something else than expected: {error}");
            let error = TaskError::fatal(message).code("BODY_UNEXPECTED");
            if is_safe && !acted_before { error.effect_none() } else { error }
        })
    }
}

/// Takes the call's key for it; says whether a call before it may have changed something.
fn claim_key(
    cx: &StepContext,
    http: &HttpCall,
    part: Option<&str>,
    unusable: Option<String>,
) -> Result<bool, TaskError> {
    let mut calls = cx.calls.lock().unwrap_or_else(PoisonError::into_inner);
    let refused = |code: &'static str, message: String| {
        let error = TaskError::refused(code).message(message);
        if calls.acted { error.effect_unknown() } else { error }
    };
    if let Some(message) = unusable {
        return Err(refused("REQUEST_INVALID", message));
    }
    if matches!(http.method, Method::Get | Method::Head) {
        return Ok(calls.acted);
    }
    let digest = Digest::of(format!("{http:?}").as_bytes());
    let part = part.map(str::to_owned);
    match calls.sent.get(&part) {
        Some(sent) if *sent != digest => {
            let message = format!(
                "two different calls of step `{}` have the same idempotency key, so a service would take `{} {}` for \
                 the one before: give it a name by `.part(\"…\")`",
                cx.step(),
                http.method,
                http.target
            );
            Err(refused("KEY_REUSED", message))
        }
        _ => {
            let acted = calls.acted;
            calls.sent.insert(part, digest);
            Ok(acted)
        }
    }
}

/// Whether a compensation learnt that what it should undo never happened.
fn finds_nothing_to_undo(cx: &StepContext, outcome: &AttemptOutcome) -> bool {
    let AttemptOutcome::Answered(answered) = outcome else { return false };
    let undoes_the_unknown = cx.task.side() == Side::Compensation && cx.task.forward_effect() == Effect::Unknown;
    undoes_the_unknown && matches!(answered.status, 404 | 410)
}
