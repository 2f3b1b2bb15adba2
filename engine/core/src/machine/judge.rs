//! How an attempt ended: carried out, with which output; or failed, and what that says.

use base64::Engine as _;

use crate::definition::{CallRule, CallTemplate, Expect, OutputRule};
use crate::expression::{Encoding, Value};
use crate::failure::{Effect, Failure};
use crate::id::{Name, Side};
use crate::machine::call::expression_failed;
use crate::machine::classify::{self, Meaning};
use crate::machine::document::{Document, Reads};
use crate::machine::retry::Again;
use crate::machine::{Answered, AttemptOutcome, Body, Machine, Needs, TaskFailure};
use crate::payload::Payload;

/// What became of an attempt.
pub(super) enum Judged {
    Success { status: Option<u16>, output: Payload },
    Failure(Box<Verdict>),
}

/// What a failed attempt says.
pub(super) struct Verdict {
    pub(super) retry: Again,
    pub(super) effect: Effect,
    pub(super) failure: Failure,
    /// Whether the callee refused it for good, having done nothing.
    pub(super) is_definite_refusal: bool,
    /// The answer's body, where it could be read although the answer was no success.
    pub(super) output: Option<Payload>,
}

impl Verdict {
    fn new(retry: Again, effect: Effect, failure: Failure) -> Box<Self> {
        Box::new(Self { retry, effect, failure, is_definite_refusal: false, output: None })
    }

    /// What is known of all attempts together once this one has failed. Unknown sticks, but a callee that honours
    /// keys settles it by refusing the same key for good.
    pub(super) fn effect_after(&self, before: Effect, call: &CallRule) -> Effect {
        let settles = call.template.is_idempotent() && self.is_definite_refusal;
        match (before, self.effect) {
            // An operator had it tried again although it was done, if not as expected.
            (Effect::Done, _) => Effect::Done,
            (Effect::Unknown, Effect::None) if !settles => Effect::Unknown,
            (Effect::None | Effect::Unknown, effect) => effect,
        }
    }

    /// The callee said yes, and yet its answer is of no use: what it did stays open.
    fn unusable(status: Option<u16>, code: &str, message: impl Into<String>) -> Box<Self> {
        Self::new(Again::No, Effect::Unknown, Failure { status, ..Failure::new(code, message) })
    }
}

impl Machine {
    /// Judges the end of a forward attempt.
    pub(super) fn judge(&self, step: &Name, call: &CallRule, outcome: &AttemptOutcome) -> Result<Judged, Needs> {
        let success = match outcome_verdict(call, outcome) {
            Ok(success) => success,
            Err(verdict) => return Ok(Judged::Failure(verdict)),
        };
        let status = success.status();
        let body = match success.read(&call.output) {
            Ok(body) => body,
            Err(verdict) => return Ok(Judged::Failure(verdict)),
        };
        if call.expect.is_none() && matches!(call.output, OutputRule::Body | OutputRule::Response) {
            return Ok(Judged::Success { status, output: Payload::json(body.to_shared()) });
        }
        self.check_answer(step, call, status, &body)
    }

    /// Holds the answer against `expect` and makes the output of it.
    fn check_answer(&self, step: &Name, call: &CallRule, status: Option<u16>, body: &Value) -> Result<Judged, Needs> {
        let mut reads = Reads::default();
        if let Some(expect) = &call.expect {
            reads = reads.expression(&expect.that).templates(&expect.message);
        }
        if let OutputRule::Template(template) = &call.output {
            reads = reads.template(template);
        }
        let document = Document::new(self.data(), reads)
            .own_step(step)
            .with("output", body.clone())
            .with("key", self.key(step, Side::Forward))
            .build()?;
        let with_body = |mut verdict: Box<Verdict>| {
            verdict.output = Some(Payload::json(body.to_shared()));
            Judged::Failure(verdict)
        };
        if let Some(verdict) = call.expect.as_ref().and_then(|expect| broken(expect, step, status, &document)) {
            return Ok(with_body(verdict));
        }
        let output = match &call.output {
            OutputRule::Body | OutputRule::Response => body.to_shared(),
            OutputRule::Template(template) => match template.render(&document) {
                Ok(output) => output.to_shared(),
                Err(error) => {
                    return Ok(with_body(Verdict::unusable(status, "EXPRESSION_FAILED", error.to_string())));
                }
            },
        };
        Ok(Judged::Success { status, output: Payload::json(output) })
    }
}

/// Judges the end of an attempt to undo something. A compensation's answer has no output.
pub(super) fn judge_compensation(
    call: &CallRule,
    forward: Effect,
    outcome: &AttemptOutcome,
) -> Result<Option<u16>, Box<Verdict>> {
    if let (AttemptOutcome::Answered(answered), Some(http)) = (outcome, call.template.http()) {
        let nothing_to_undo = matches!(answered.status, 404 | 410) && forward == Effect::Unknown;
        if nothing_to_undo && !http.classify.contains_key(&answered.status) {
            return Ok(Some(answered.status));
        }
    }
    outcome_verdict(call, outcome).map(|success| success.status())
}

/// What a call gave that was carried out.
enum Success<'o> {
    Answered(&'o Answered),
    Gave(&'o [u8]),
}

impl Success<'_> {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(answered) => Some(answered.status),
            Self::Gave(_) => None,
        }
    }

    fn read(&self, rule: &OutputRule) -> Result<Value, Box<Verdict>> {
        match self {
            Self::Answered(answered) => read_body(answered, rule),
            Self::Gave(json) => Value::from_slice(json).map_err(|error| {
                Verdict::unusable(None, "OUTPUT_UNREADABLE", format!("what the task gives can't be kept: {error}"))
            }),
        }
    }
}

/// What the call gave, where it was carried out.
fn outcome_verdict<'o>(call: &CallRule, outcome: &'o AttemptOutcome) -> Result<Success<'o>, Box<Verdict>> {
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
        AttemptOutcome::Failed(TaskFailure { failure, retry, not_before, did_nothing }) => {
            let again = if *retry { Again::Yes { not_before: *not_before } } else { Again::No };
            let effect = if *did_nothing { Effect::None } else { Effect::Unknown };
            Err(Verdict::new(again, effect, failure.clone()))
        }
        AttemptOutcome::Answered(answered) => match meaning(call, answered) {
            Meaning::Success => Ok(Success::Answered(answered)),
            Meaning::Failure { again, effect, is_definite_refusal } => {
                let failure = Failure::new(format!("HTTP_{}", answered.status), refusal_message(answered));
                let failure = failure.with_status(answered.status);
                let mut verdict = Verdict::new(again, effect, failure);
                verdict.is_definite_refusal = is_definite_refusal;
                Err(verdict)
            }
        },
    }
}

fn meaning(call: &CallRule, answered: &Answered) -> Meaning {
    match &call.template {
        CallTemplate::Http(http) => classify::status(http, answered.status, answered.retry_after),
        CallTemplate::Task(_) => classify::usual(answered.status, false, answered.retry_after),
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

/// What is wrong with an answer that should meet an expectation.
fn broken(expect: &Expect, step: &Name, status: Option<u16>, document: &Value) -> Option<Box<Verdict>> {
    let failure = match expect.that.evaluate(document).map(|value| value.as_bool()) {
        Ok(Some(true)) => return None,
        Ok(Some(false)) => {
            let message = match &expect.message {
                None => format!("the answer to step `{step}` is not as expected: {}", expect.that.source()),
                // A message that can't be made is no reason to hide what it is about.
                Some(message) => {
                    message.render_text(document, Encoding::Plain).unwrap_or_else(|error| error.to_string())
                }
            };
            Failure::new(&expect.code, message)
        }
        Ok(None) => {
            let message = format!("`expect.that` must give a boolean: {}", expect.that.source());
            Failure::new("EXPRESSION_FAILED", message)
        }
        Err(error) => expression_failed(&error),
    };
    Some(Verdict::new(Again::No, expect.effect, Failure { status, ..failure }))
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
