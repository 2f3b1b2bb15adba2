//! What an answer says: carried out, with which body; or not, and what that says of another attempt.

use std::sync::Arc;

use base64::Engine as _;

use crate::definition::{CallTemplate, OutputRule};
use crate::expression::Value;
use crate::failure::{Effect, Failure};
use crate::machine::classify::{self, Meaning};
use crate::machine::judge::Verdict;
use crate::machine::retry::Again;
use crate::machine::{Answered, AttemptOutcome, Body, TaskFailure};

/// What a call gave that was carried out.
pub(super) enum Success<'o> {
    Answered(&'o Answered),
    Gave(&'o [u8]),
}

impl Success<'_> {
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(answered) => Some(answered.status),
            Self::Gave(_) => None,
        }
    }

    pub(super) fn read(&self, rule: &OutputRule) -> Result<Value, Box<Verdict>> {
        match self {
            Self::Answered(answered) => read_body(answered, rule),
            Self::Gave(json) => Value::from_slice(json).map_err(|error| {
                Verdict::unusable(None, "OUTPUT_UNREADABLE", format!("what the task gives can't be kept: {error}"))
            }),
        }
    }
}

/// What the call gave, where it was carried out.
pub(super) fn outcome_verdict<'o>(
    template: &CallTemplate,
    outcome: &'o AttemptOutcome,
) -> Result<Success<'o>, Box<Verdict>> {
    let meaning = |answered: &Answered| match template {
        CallTemplate::Http(http) => classify::status(http, answered.status, answered.retry_after),
        CallTemplate::Task(_) => classify::usual(answered.status, false, answered.retry_after),
    };
    verdict(outcome, meaning, template.is_idempotent())
}

/// What a service gave to a task that called it, as JSON; or what its answer says of the attempt, where nothing but
/// this call was made in it. `idempotent`: whether the service honours `Idempotency-Key`.
///
/// # Errors
/// Where the call was not carried out, or its answer can't be read.
pub fn answer_to_task(outcome: &AttemptOutcome, idempotent: bool) -> Result<Arc<[u8]>, TaskFailure> {
    let meaning = |answered: &Answered| classify::usual(answered.status, idempotent, answered.retry_after);
    let value = verdict(outcome, meaning, idempotent).and_then(|success| success.read(&OutputRule::Body));
    value.map(|value| value.to_shared()).map_err(|verdict| {
        let Verdict { retry, effect, failure, settles, .. } = *verdict;
        TaskFailure { failure, again: retry, did_nothing: effect == Effect::None, settles }
    })
}

fn verdict(
    outcome: &AttemptOutcome,
    meaning: impl FnOnce(&Answered) -> Meaning,
    idempotent: bool,
) -> Result<Success<'_>, Box<Verdict>> {
    let again = Again::Yes { not_before: None };
    match outcome {
        AttemptOutcome::NotSent { message } => {
            Err(Verdict::new(again, Effect::None, Failure::new("NO_CONNECTION", message)))
        }
        AttemptOutcome::Unsendable { message } => {
            Err(Verdict::new(Again::No, Effect::None, Failure::new("REQUEST_INVALID", message)))
        }
        AttemptOutcome::Lost { timed_out, message } => {
            let code = if *timed_out { "TIMEOUT" } else { "CONNECTION_LOST" };
            Err(Verdict::new(again, Effect::Unknown, Failure::new(code, message)))
        }
        AttemptOutcome::Gave(json) => Ok(Success::Gave(json)),
        AttemptOutcome::Failed(TaskFailure { failure, again, did_nothing, settles }) => {
            let effect = if *did_nothing { Effect::None } else { Effect::Unknown };
            let mut verdict = Verdict::new(*again, effect, failure.clone());
            verdict.settles = *settles;
            Err(verdict)
        }
        AttemptOutcome::Answered(answered) => match meaning(answered) {
            Meaning::Success => Ok(Success::Answered(answered)),
            Meaning::Failure { again, effect, is_definite_refusal } => {
                let failure = Failure::new(format!("HTTP_{}", answered.status), refusal_message(answered));
                let mut verdict = Verdict::new(again, effect, failure.with_status(answered.status));
                verdict.settles = is_definite_refusal && idempotent;
                Err(verdict)
            }
        },
    }
}

/// What a callee says of its refusal: the usual fields of a JSON error, else the beginning of the text.
fn refusal_message(answered: &Answered) -> String {
    let status = answered.status;
    let Body::Whole(bytes) = &answered.body else { return format!("answered {status}") };
    let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    let said = json.as_ref().and_then(|json| {
        let fields = ["message", "error", "detail", "title"];
        fields.iter().find_map(|field| json.get(field)).and_then(serde_json::Value::as_str)
    });
    let text = said.map_or_else(|| String::from_utf8_lossy(bytes).trim().to_owned(), str::to_owned);
    let text: String = text.chars().take(200).filter(|c| !c.is_control()).collect();
    if text.is_empty() { format!("answered {status}") } else { format!("answered {status}: {text}") }
}

/// The body as a value: JSON by content type, text as a string, nothing as null.
fn read_body(answered: &Answered, rule: &OutputRule) -> Result<Value, Box<Verdict>> {
    let status = Some(answered.status);
    let bytes = match &answered.body {
        Body::Whole(bytes) => bytes,
        Body::TooLarge { limit } => {
            let message = format!("the body of the answer is larger than {limit} bytes");
            return Err(Verdict::unusable(status, "BODY_TOO_LARGE", message));
        }
    };
    let content_type = header(answered, "content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let body =
        if bytes.is_empty() {
            Some(Value::null())
        } else if is_json || essence.is_empty() {
            let parsed = Value::from_slice(bytes);
            Some(parsed.map_err(|error| {
                Verdict::unusable(status, "BODY_MALFORMED", format!("the body is no JSON: {error}"))
            })?)
        } else if essence.starts_with("text/") {
            std::str::from_utf8(bytes).ok().map(Value::string)
        } else {
            None
        };
    match (rule, body) {
        (OutputRule::Response, body) => {
            let body = body.unwrap_or_else(|| Value::string(base64::engine::general_purpose::STANDARD.encode(bytes)));
            Ok(response(answered, body))
        }
        (OutputRule::Body | OutputRule::Template(_), Some(body)) => Ok(body),
        (OutputRule::Body | OutputRule::Template(_), None) => {
            let message = format!("a body of type `{essence}` can't be read: use `\"output\": \"response\"`");
            Err(Verdict::unusable(status, "BODY_UNREADABLE", message))
        }
    }
}

fn response(answered: &Answered, body: Value) -> Value {
    let headers = answered.headers.iter().map(|(name, value)| (name.clone(), Value::string(value)));
    let status = Value::from_json(&answered.status.into()).unwrap_or_else(|_| Value::null());
    let entries = [("status", status), ("headers", Value::object(headers.collect::<Vec<_>>())), ("body", body)];
    Value::object(entries.map(|(key, value)| (key.to_owned(), value)))
}

fn header<'a>(answered: &'a Answered, name: &str) -> Option<&'a str> {
    answered.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
