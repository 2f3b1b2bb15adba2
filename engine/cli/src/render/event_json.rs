//! An event as JSON, with its payload as JSON: what `history -o json` prints. Names are those of the events.

use engine_core::call::{Call, Target};
use engine_core::event::{CancelCause, Event, Origin, Recorded, RunStarted, SkipReason};
use engine_core::event::{StopCause, StuckReason, TriedAndFailed};
use engine_core::failure::{Failure, StepFailure};
use engine_core::id::{Name, Side};
use engine_core::request::{Answer, RequestKind};
use engine_core::time::{Timestamp, millis};
use serde_json::{Map, Value, json};

use crate::render::event::flag;
use crate::render::time;

/// The event; `payload` is the payload that it holds, if any.
pub(crate) fn document(recorded: &Recorded, payload: Option<Value>) -> Value {
    let (name, fields) = parts(&recorded.event, &payload.unwrap_or(Value::Null));
    let mut document = Map::new();
    document.insert("seq".to_owned(), recorded.seq.0.into());
    document.insert("at".to_owned(), time::rfc3339(recorded.at).into());
    document.insert("event".to_owned(), name.into());
    if let Value::Object(fields) = fields {
        document.extend(fields);
    }
    Value::Object(document)
}

fn parts(event: &Event, payload: &Value) -> (&'static str, Value) {
    match event {
        Event::RunStarted(started) => ("RunStarted", run_started(started, payload)),
        Event::StopBegan { cause } => ("StopBegan", json!({ "cause": stop_cause(cause) })),
        Event::RunStuck { reason, message, parked } => (
            "RunStuck",
            json!({ "reason": stuck_reason(*reason), "message": message, "parked": parked.as_ref().map(side_of_step) }),
        ),
        Event::RunUnstuck => ("RunUnstuck", json!({})),
        Event::RecoveryNoted { cut_off } => {
            ("RecoveryNoted", json!({ "cut_off": cut_off.iter().map(side_of_step).collect::<Vec<_>>() }))
        }
        Event::RunCompleted { warnings, residue, .. } => {
            let residue: Vec<_> = residue.iter().map(Name::as_str).collect();
            ("RunCompleted", json!({ "output": payload, "warnings": failures(warnings), "residue": residue }))
        }
        Event::RunCompensated { warnings } => ("RunCompensated", json!({ "warnings": failures(warnings) })),
        Event::RunFailed { warnings, residue } => {
            ("RunFailed", json!({ "warnings": failures(warnings), "residue": names(residue) }))
        }
        Event::RunCancelled { cause, warnings, residue } => (
            "RunCancelled",
            json!({ "cause": cancel_cause(*cause), "warnings": failures(warnings), "residue": names(residue) }),
        ),
        Event::RequestAnswered { id, kind, actor, answer, .. } => {
            let mut fields = json!({ "id": id, "actor": actor, "payload": payload });
            merge(&mut fields, request(kind));
            merge(&mut fields, answered(answer));
            ("RequestAnswered", fields)
        }
        Event::RequestSettled { id, answer } => {
            let mut fields = json!({ "id": id });
            merge(&mut fields, answered(answer));
            ("RequestSettled", fields)
        }
        event => step_parts(event, payload),
    }
}

fn step_parts(event: &Event, payload: &Value) -> (&'static str, Value) {
    match event {
        Event::StepScheduled { step, call } => ("StepScheduled", called(step, call, payload)),
        Event::AttemptStarted { step, side, attempt } => {
            ("AttemptStarted", json!({ "step": step.as_str(), "side": side_name(*side), "attempt": attempt }))
        }
        Event::StepCheckpointed { step, side, attempt, .. } => {
            let side = side_name(*side);
            let fields = json!({ "step": step.as_str(), "side": side, "attempt": attempt, "checkpoint": payload });
            ("StepCheckpointed", fields)
        }
        Event::AttemptFailed(failed) => ("AttemptFailed", tried(failed)),
        Event::StepCompleted { step, attempt, started_at, status, .. } => {
            let mut fields = ended(step, *attempt, *started_at);
            merge(&mut fields, json!({ "status": status, "output": payload }));
            ("StepCompleted", fields)
        }
        Event::StepFailed { step, attempt, started_at, failure: why, effect, fatal, .. } => {
            let mut fields = ended(step, *attempt, *started_at);
            let effect = effect.to_string();
            merge(&mut fields, json!({ "failure": failure(why), "effect": effect, "fatal": fatal, "output": payload }));
            ("StepFailed", fields)
        }
        Event::StepCarried { step, .. } => ("StepCarried", json!({ "step": step.as_str(), "output": payload })),
        Event::StepSkipped { step, reason } => {
            ("StepSkipped", json!({ "step": step.as_str(), "reason": skip_reason(*reason) }))
        }
        Event::StepStuck { step, attempt, started_at, failure: why, effect } => {
            let mut fields = ended(step, *attempt, *started_at);
            merge(&mut fields, json!({ "failure": failure(why), "effect": effect.to_string() }));
            ("StepStuck", fields)
        }
        Event::CompensationStarted { step, call } => ("CompensationStarted", called(step, call, payload)),
        Event::CompensationAttemptFailed(failed) => ("CompensationAttemptFailed", tried(failed)),
        Event::CompensationCompleted { step, attempt, started_at, status } => {
            let mut fields = ended(step, *attempt, *started_at);
            merge(&mut fields, json!({ "status": status }));
            ("CompensationCompleted", fields)
        }
        Event::CompensationFailed { step, attempt, started_at, failure: why, effect } => {
            let mut fields = ended(step, *attempt, *started_at);
            merge(&mut fields, json!({ "failure": failure(why), "effect": effect.to_string() }));
            ("CompensationFailed", fields)
        }
        Event::CompensationSkipped { step } => ("CompensationSkipped", json!({ "step": step.as_str() })),
        Event::RunStarted(_)
        | Event::StopBegan { .. }
        | Event::RunStuck { .. }
        | Event::RunUnstuck
        | Event::RecoveryNoted { .. }
        | Event::RunCompleted { .. }
        | Event::RunCompensated { .. }
        | Event::RunFailed { .. }
        | Event::RunCancelled { .. }
        | Event::RequestAnswered { .. }
        | Event::RequestSettled { .. } => ("", json!({})),
    }
}

fn run_started(started: &RunStarted, input: &Value) -> Value {
    json!({
        "workflow": started.workflow.as_str(),
        "version": started.version,
        "definition": started.definition.to_string(),
        "workflow_id": started.workflow_id,
        "request_id": started.request_id,
        "actor": started.actor,
        "input": input,
        "labels": pairs(&started.labels),
        "priority": started.priority,
        "start_at": started.start_at.map(time::rfc3339),
        "expires_at": started.expires_at.map(time::rfc3339),
        "overrides": pairs(&started.overrides),
        "parent": started.parent.as_ref().map(|parent| json!({ "run": parent.run.to_string(), "step": parent.step.as_str() })),
        "origin": started.origin.as_ref().map(origin),
    })
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::Rerun { run, from } => json!({ "rerun_of": run.to_string(), "from": from.as_str() }),
        Origin::Import { run, from } => json!({ "import_of": run.to_string(), "from": from }),
    }
}

fn called(step: &Name, call: &Call, body: &Value) -> Value {
    let mut fields = json!({ "step": step.as_str() });
    match call {
        Call::Task(task) => merge(&mut fields, json!({ "task": task.name.to_string(), "args": body })),
        Call::Http(http) => {
            merge(&mut fields, json!({ "method": http.method.as_str() }));
            let target = match &http.target {
                Target::Service { name, path } => json!({ "service": name.as_str(), "path": path }),
                Target::Url(url) => json!({ "url": url }),
            };
            merge(&mut fields, target);
            merge(&mut fields, json!({ "query": http.query, "headers": http.headers, "body": body }));
        }
    }
    fields
}

fn tried(failed: &TriedAndFailed) -> Value {
    let mut fields = ended(&failed.step, failed.attempt, failed.started_at);
    let rest = json!({
        "failure": failure(&failed.failure),
        "effect": failed.effect.to_string(),
        "count": failed.count,
        "delay_ms": millis(failed.delay),
        "due": time::rfc3339(failed.due),
    });
    merge(&mut fields, rest);
    fields
}

fn ended(step: &Name, attempt: u32, started_at: Timestamp) -> Value {
    json!({ "step": step.as_str(), "attempt": attempt, "started_at": time::rfc3339(started_at) })
}

fn request(kind: &RequestKind) -> Value {
    match kind {
        RequestKind::Timeout => json!({ "kind": "timeout" }),
        RequestKind::Resolve { step, action } => {
            let action = flag(*action).trim_start_matches('-');
            json!({ "kind": "resolve", "step": step.as_ref().map(Name::as_str), "action": action })
        }
        RequestKind::Signal { name } => json!({ "kind": "signal", "signal": name.as_str() }),
        RequestKind::Cancel { reason } => json!({ "kind": "cancel", "reason": reason }),
        RequestKind::Terminate { reason } => json!({ "kind": "terminate", "reason": reason }),
        RequestKind::Pause => json!({ "kind": "pause" }),
        RequestKind::Resume => json!({ "kind": "resume" }),
        RequestKind::Rerun { from } => json!({ "kind": "rerun", "from": from.as_str() }),
        RequestKind::Delete => json!({ "kind": "delete" }),
    }
}

/// The answer to a request.
pub(crate) fn answered(answer: &Answer) -> Value {
    match answer {
        Answer::Accepted => json!({ "answer": "accepted" }),
        Answer::NoOp => json!({ "answer": "no_op" }),
        Answer::Held => json!({ "answer": "held" }),
        Answer::Refused { code, message } => json!({ "answer": "refused", "code": code, "message": message }),
    }
}

/// A failure.
pub(crate) fn failure(failure: &Failure) -> Value {
    json!({ "code": failure.code, "message": failure.message, "status": failure.status })
}

/// Failures with their steps.
pub(crate) fn failures(failures: &[StepFailure]) -> Vec<Value> {
    let of_step = |failed: &StepFailure| {
        let mut fields = json!({ "step": failed.step.as_str() });
        merge(&mut fields, failure(&failed.failure));
        fields
    };
    failures.iter().map(of_step).collect()
}

/// `timeout`
pub(crate) fn cancel_cause(cause: CancelCause) -> &'static str {
    match cause {
        CancelCause::Timeout => "timeout",
        CancelCause::Cancelled => "cancelled",
        CancelCause::Terminated => "terminated",
    }
}

/// `secret_missing`
pub(crate) fn stuck_reason(reason: StuckReason) -> &'static str {
    match reason {
        StuckReason::SecretMissing => "secret_missing",
        StuckReason::AddressMissing => "address_missing",
        StuckReason::Poison => "poison",
        StuckReason::TaskMissing => "task_missing",
        StuckReason::InputUndecodable => "input_undecodable",
    }
}

/// `forward` or `compensation`.
pub(crate) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Forward => "forward",
        Side::Compensation => "compensation",
    }
}

/// Pairs as an object.
pub(crate) fn pairs(pairs: &[(String, String)]) -> Value {
    Value::Object(pairs.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect())
}

fn stop_cause(cause: &StopCause) -> Value {
    match cause {
        StopCause::StepFailed(step) => json!({ "step_failed": step.as_str() }),
        StopCause::Timeout => json!("timeout"),
        StopCause::Cancelled => json!("cancelled"),
    }
}

fn skip_reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Condition => "condition",
        SkipReason::Dependencies => "dependencies",
        SkipReason::Operator => "operator",
    }
}

fn side_of_step((step, side): &(Name, Side)) -> Value {
    json!({ "step": step.as_str(), "side": side_name(*side) })
}

fn names(names: &[Name]) -> Vec<&str> {
    names.iter().map(Name::as_str).collect()
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn events_keep_their_names_and_payloads() {
        let history = sample::compensated();
        let first = document(&history[0], Some(json!({ "order_id": "order-1001" })));
        assert_eq!(first["event"], "RunStarted");
        assert_eq!(first["at"], "2026-01-31T08:00:00.000Z");
        assert_eq!(first["input"]["order_id"], "order-1001");
        assert_eq!(first["labels"]["team"], "shop");
        let tried = document(&history[2], None);
        assert_eq!(tried["event"], "AttemptFailed");
        assert_eq!(tried["failure"]["status"], 503);
        assert_eq!(tried["delay_ms"], 400);
        for recorded in history.iter().chain(&sample::stuck()) {
            assert_ne!(document(recorded, None)["event"], "", "{recorded:?}");
        }
    }
}
