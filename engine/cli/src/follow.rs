//! Follows a run to its end, to where it waits for an operator, or until the process is asked to stop. A run that was
//! paused before is not followed.

use engine_core::id::{RunId, Seq};
use engine_core::state::Status;
use engine_runtime::control::{AskError, Refusal, RefusalKind};
use engine_runtime::{Finished, read};
use engine_store::Store;
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::followed::{Followed, News};
use crate::print;
use crate::progress::{self, Progress};
use crate::reach::Reach;
use crate::render::report::{self as text, Wording};
use crate::report::Report;
use crate::set_aside;
use crate::verbs::Context;

/// Has a run driven on, shows it meanwhile, and says what became of it. `past` is its last event before this command
/// came to it; `extra` goes into the JSON document.
pub(crate) async fn to_its_end(
    context: &Context,
    reach: &Reach,
    run: RunId,
    past: Seq,
    extra: &[(&str, Value)],
) -> Result<Outcome, CliError> {
    let store = reach.store();
    if is_paused(&*store, run).await? {
        tell(context, &Report::load(&*store, run).await?, Outcome::Interrupted, reach.beside(), extra);
        return Ok(Outcome::Interrupted);
    }
    let followed = Followed::drive(reach, run).await.map_err(|error| undrivable(context, run, error))?;
    let state = read::state(&*store, run).await?;
    let definition = read::definition(&*store, state.definition).await?;
    let finished = if state.end.is_some() && state.last == past {
        followed.finish().await.map_err(|error| undrivable(context, run, error))?
    } else {
        let mut progress = progress::of_run(run, Some(&definition), context.target());
        let finished = follow(context, reach, followed, past, &mut *progress).await;
        progress.end();
        finished.map_err(|error| undrivable(context, run, error))?
    };
    let interrupted = match finished {
        Finished::SetAside(why) => return Err(set_aside::error(run, &why, context.wording())),
        Finished::Broken(why) => return Err(broken(context, run, &why)),
        Finished::Interrupted => true,
        _ => false,
    };
    let report = Report::load(&*reach.store(), run).await?;
    let outcome = if interrupted { Outcome::Interrupted } else { report.outcome() };
    tell(context, &report, outcome, reach.beside(), extra);
    Ok(outcome)
}

/// Whether it begins nothing until an operator resumes it: who comes to it then would wait without end.
async fn is_paused(store: &dyn Store, run: RunId) -> Result<bool, CliError> {
    Ok(store.row(run).await?.is_some_and(|row| row.status == Status::Paused))
}

/// A run that can't be driven, by whoever has the directory.
fn undrivable(context: &Context, run: RunId, error: AskError) -> CliError {
    match error {
        AskError::Refused(Refusal { kind: RefusalKind::SetAside(why), .. }) => {
            set_aside::error(run, &why, context.wording())
        }
        error => error.into(),
    }
}

/// Shows events until the run rests or the process is asked to stop.
async fn follow(
    context: &Context,
    reach: &Reach,
    mut followed: Followed,
    past: Seq,
    progress: &mut dyn Progress,
) -> Result<Finished, AskError> {
    let mut interrupt = reach.interrupt();
    let mut ticks = progress::ticks();
    loop {
        let news = tokio::select! {
            biased;
            () = interrupt.asked() => return stop(context, reach, followed, past, progress).await,
            news = followed.next() => news,
            _ = ticks.tick() => {
                progress.tick();
                continue;
            }
        };
        match news {
            News::Event(recorded) => progress.event(&recorded, past),
            News::Finished(finished) => return Ok(finished),
            News::TakenOver(driver) => progress.say(&driver.goes_on()),
            News::Lost => {
                progress.say("the process that drove the run is gone");
                tokio::select! {
                    biased;
                    () = interrupt.asked() => return Ok(Finished::Interrupted),
                    again = followed.again() => again?,
                }
            }
        }
    }
}

/// Stops driving, where this process does, and shows what still ends meanwhile.
async fn stop(
    context: &Context,
    reach: &Reach,
    mut followed: Followed,
    past: Seq,
    progress: &mut dyn Progress,
) -> Result<Finished, AskError> {
    if reach.beside().is_some() {
        return Ok(Finished::Interrupted);
    }
    progress.say(&context.stopping());
    let stopped = reach.stop();
    tokio::pin!(stopped);
    let mut ticks = progress::ticks();
    let mut finished = None;
    loop {
        tokio::select! {
            biased;
            news = followed.next(), if finished.is_none() => match news {
                News::Event(recorded) => progress.event(&recorded, past),
                News::TakenOver(driver) => progress.say(&driver.goes_on()),
                News::Finished(end) => finished = Some(end),
                News::Lost => finished = Some(Finished::Interrupted),
            },
            () = &mut stopped => break,
            _ = ticks.tick() => progress.tick(),
        }
    }
    match finished {
        Some(finished) => Ok(finished),
        None => followed.finish().await,
    }
}

/// Says what became of the run.
fn tell(context: &Context, report: &Report, outcome: Outcome, beside: Option<u32>, extra: &[(&str, Value)]) {
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
        let text = left_open(report, wording, beside);
        match context.format {
            Format::Json => print::note(&text),
            Format::Text => print::line(&text),
        }
    }
}

/// That the run is open, and how to go on with it.
fn left_open(report: &Report, wording: Wording<'_>, beside: Option<u32>) -> String {
    let (program, run, tail) = (wording.program, report.run(), wording.tail);
    match beside {
        _ if report.status() == Status::Paused => format!("Go on with\n  {program} resume {run} --wait{tail}"),
        None => format!(
            "Interrupted: the run is open. Go on with the same command, or with\n  {program} recover {run}{tail}"
        ),
        Some(pid) => format!(
            "Interrupted: the run is open and goes on in process {pid}. Follow it again with the same command, or \
             with\n  {program} recover {run}{tail}"
        ),
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
