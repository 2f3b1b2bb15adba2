//! Events and answers as short words.

use engine_core::event::{Event, StopCause};
use engine_core::id::{Name, Side};
use engine_core::request::Answer;
use engine_core::time::DisplayDuration;

pub(super) fn answer_word(answer: &Answer) -> String {
    match answer {
        Answer::Accepted => "accepted".to_owned(),
        Answer::NoOp => "no-op".to_owned(),
        Answer::Held => "held".to_owned(),
        Answer::Refused { code, .. } => format!("refused {code}"),
    }
}

fn residue_word(word: &str, residue: &[Name]) -> String {
    residue.iter().fold(word.to_owned(), |word, name| format!("{word} +{name}"))
}

pub(super) fn word(event: &Event) -> String {
    match event {
        Event::RunStarted(_) => "start".to_owned(),
        Event::StopBegan { cause: StopCause::StepFailed(step) } => format!("stop by {step}"),
        Event::StopBegan { cause: StopCause::Timeout } => "stop by timeout".to_owned(),
        Event::StopBegan { cause: StopCause::Cancelled } => "stop by cancel".to_owned(),
        Event::RunStuck { parked, .. } => {
            format!("run stuck on {}", parked.as_ref().map_or("nothing", |(name, _)| name.as_str()))
        }
        Event::RunUnstuck => "run unstuck".to_owned(),
        Event::RecoveryNoted { cut_off } => {
            cut_off.iter().fold("recovered".to_owned(), |word, (name, _)| format!("{word} {name}"))
        }
        Event::RunCompleted { .. } => "COMPLETED".to_owned(),
        Event::RunCompensated { .. } => "COMPENSATED".to_owned(),
        Event::RunFailed { residue, .. } => residue_word("FAILED", residue),
        Event::RunCancelled { residue, .. } => residue_word("CANCELLED", residue),
        Event::StepScheduled { step, .. } => format!("begin {step}"),
        Event::AttemptStarted { step, side: Side::Forward, attempt } => format!("again {step} {attempt}"),
        Event::AttemptStarted { step, side: Side::Compensation, attempt } => format!("undo again {step} {attempt}"),
        Event::StepCheckpointed { step, side: Side::Forward, .. } => format!("checkpoint {step}"),
        Event::StepCheckpointed { step, side: Side::Compensation, .. } => format!("undo checkpoint {step}"),
        Event::AttemptFailed(failed) => {
            format!("retry {} {} {}", failed.step, failed.effect, DisplayDuration(failed.delay))
        }
        Event::StepCompleted { step, .. } => format!("done {step}"),
        Event::StepFailed { step, effect, fatal: true, .. } => format!("fail {step} {effect}"),
        Event::StepFailed { step, effect, fatal: false, .. } => format!("forgive {step} {effect}"),
        Event::StepSkipped { step, .. } => format!("skip {step}"),
        Event::StepStuck { step, effect, .. } => format!("stuck {step} {effect}"),
        Event::RequestAnswered { answer, .. } => answer_word(answer),
        Event::RequestSettled { answer, .. } => format!("settled {}", answer_word(answer)),
        Event::StepCarried { step, .. } => format!("carry {step}"),
        Event::CompensationStarted { step, .. } => format!("undo {step}"),
        Event::CompensationAttemptFailed(failed) => {
            format!("undo retry {} {}", failed.step, DisplayDuration(failed.delay))
        }
        Event::CompensationCompleted { step, .. } => format!("undone {step}"),
        Event::CompensationFailed { step, .. } => format!("undo stuck {step}"),
        Event::CompensationSkipped { step } => format!("undo given up {step}"),
    }
}
