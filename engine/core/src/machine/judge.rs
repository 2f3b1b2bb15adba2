//! How an attempt ended: carried out, with which output; or failed, and what that says.

use crate::definition::{CallRule, Expect, OutputRule};
use crate::expression::{Encoding, Value};
use crate::failure::{Effect, Failure};
use crate::id::{Name, Side};
use crate::machine::answer::outcome_verdict;
use crate::machine::call::expression_failed;
use crate::machine::document::{Document, Reads};
use crate::machine::retry::Again;
use crate::machine::{AttemptOutcome, Machine, Needs};
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
    /// Whether the callee refused this key for good, so that no attempt before did anything with it.
    pub(super) settles: bool,
    /// The answer's body, where it could be read although the answer was no success.
    pub(super) output: Option<Payload>,
}

impl Verdict {
    pub(super) fn new(retry: Again, effect: Effect, failure: Failure) -> Box<Self> {
        Box::new(Self { retry, effect, failure, settles: false, output: None })
    }

    /// What is known of all attempts together once this one has failed. Unknown sticks, but a callee that honours
    /// keys settles it by refusing the same key for good.
    pub(super) fn effect_after(&self, before: Effect) -> Effect {
        match (before, self.effect) {
            // An operator had it tried again although it was done, if not as expected.
            (Effect::Done, _) => Effect::Done,
            (Effect::Unknown, Effect::None) if !self.settles => Effect::Unknown,
            (Effect::None | Effect::Unknown, effect) => effect,
        }
    }

    /// The callee said yes, and yet its answer is of no use: what it did stays open.
    pub(super) fn unusable(status: Option<u16>, code: &str, message: impl Into<String>) -> Box<Self> {
        Self::new(Again::No, Effect::Unknown, Failure { status, ..Failure::new(code, message) })
    }
}

impl Machine {
    /// Judges the end of a forward attempt.
    pub(super) fn judge(&self, step: &Name, call: &CallRule, outcome: &AttemptOutcome) -> Result<Judged, Needs> {
        let success = match outcome_verdict(&call.template, outcome) {
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
            .with("output", || body.clone())
            .with("key", || self.key(step, Side::Forward))
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
    outcome_verdict(&call.template, outcome).map(|success| success.status())
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
