//! Follows a run to its end, to where it waits for an operator, or until the process is asked to stop.

use std::time::Duration;

use engine_core::id::{RunId, Seq};
use engine_runtime::{DriveError, Engine, Finished, RunHandle, read};
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::progress::{self, Progress};
use crate::render::report as text;
use crate::report::Report;
use crate::session::Session;
use crate::set_aside;
use crate::verbs::Context;

/// How often a terminal is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// Drives a run on, shows it meanwhile, and says what became of it. `past` is its last event before this process
/// took it up; `extra` goes into the JSON document.
pub(crate) async fn to_its_end(
    context: &Context,
    session: &mut Session,
    run: RunId,
    past: Seq,
    extra: &[(&str, Value)],
) -> Result<Outcome, CliError> {
    let handle = match session.engine.drive(run).await {
        Err(DriveError::SetAside(why)) => return Err(set_aside::error(run, &why, context.wording())),
        driven => driven?,
    };
    let state = read::state(session.store(), run).await?;
    let definition = read::definition(session.store(), state.definition).await?;
    if state.paused {
        let (program, tail) = (context.wording().program, context.wording().tail);
        context.note(&format!("the run is paused: it begins nothing until\n  {program} resume {run}{tail}"));
    }
    let finished = if state.end.is_some() && state.last == past {
        handle.finish().await
    } else {
        let mut progress = progress::of_run(run, Some(&definition), context.target());
        let finished = follow(context, session, handle, past, &mut *progress).await;
        progress.end();
        finished
    };
    let interrupted = match finished {
        Finished::SetAside(why) => return Err(set_aside::error(run, &why, context.wording())),
        Finished::Broken(why) => return Err(broken(context, run, &why)),
        Finished::Interrupted => true,
        _ => false,
    };
    let report = Report::load(session.store(), run).await?;
    let outcome = if interrupted { Outcome::Interrupted } else { report.outcome() };
    tell(context, &report, outcome, extra);
    Ok(outcome)
}

/// Shows events until the run rests or the process is asked to stop.
async fn follow(
    context: &Context,
    session: &mut Session,
    mut handle: RunHandle,
    past: Seq,
    progress: &mut dyn Progress,
) -> Finished {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = session.interrupt.asked() => {
                return stop(context, &session.engine, handle, past, progress).await;
            }
            recorded = handle.next() => match recorded {
                Some(recorded) => progress.event(&recorded, past),
                None => return handle.finish().await,
            },
            _ = ticks.tick() => progress.tick(),
        }
    }
}

/// Stops the engine and shows what still ends meanwhile.
async fn stop(
    context: &Context,
    engine: &Engine,
    mut handle: RunHandle,
    past: Seq,
    progress: &mut dyn Progress,
) -> Finished {
    progress.say(&context.stopping());
    let stopped = engine.shutdown(context.grace);
    tokio::pin!(stopped);
    let mut ticks = tokio::time::interval(TICK);
    let mut rests = false;
    loop {
        tokio::select! {
            biased;
            recorded = handle.next(), if !rests => match recorded {
                Some(recorded) => progress.event(&recorded, past),
                None => rests = true,
            },
            () = &mut stopped => return handle.finish().await,
            _ = ticks.tick() => progress.tick(),
        }
    }
}

/// Says what became of the run.
fn tell(context: &Context, report: &Report, outcome: Outcome, extra: &[(&str, Value)]) {
    let wording = context.wording();
    match context.format {
        Format::Json => {
            let mut document = report.to_json(wording.program, wording.tail, Some(outcome));
            if let Value::Object(fields) = &mut document {
                let directory = json!(context.directory.path().display().to_string());
                fields.insert("data_directory".to_owned(), directory);
                fields.extend(extra.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
            }
            print::json(&document);
        }
        Format::Text => {
            print::lines(&text::outcome(report, wording));
        }
    }
    if outcome == Outcome::Interrupted {
        let (program, run, tail) = (wording.program, report.run(), wording.tail);
        let text = format!(
            "Interrupted: the run is open. Go on with the same command, or with\n  {program} recover {run}{tail}"
        );
        match context.format {
            Format::Json => print::note(&text),
            Format::Text => print::line(&text),
        }
    }
}

/// A run that this process can't go on with.
pub(crate) fn broken(context: &Context, run: RunId, why: &str) -> CliError {
    let wording = context.wording();
    let (program, tail) = (wording.program, wording.tail);
    CliError::directory(format!(
        "run {run} can't go on: {why}\nWhat was acknowledged is safe. Once the cause is gone: {program} recover {run}{tail}"
    ))
}
