//! `recover`: takes open runs up and drives them to their ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine_core::id::{RunId, Seq};
use engine_runtime::control::{AskError, Refusal, RefusalKind};
use engine_runtime::read::LoadError;
use engine_runtime::{Finished, bounds};
use engine_store::{Class, Store};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::follow;
use crate::followed::{Followed, News};
use crate::print;
use crate::progress::{Plain, Progress, Target};
use crate::reach::{Aim, Reach};
use crate::render::report::{self as text, Wording};
use crate::render::{count, one_line};
use crate::report::Report;
use crate::session;
use crate::set_aside;
use crate::verbs::Context;

/// Runs that are read at once while they are taken up, and followed at once in another process.
const TAKEN_UP_AT_ONCE: usize = 32;

/// What became of one run.
struct Recovered {
    run: RunId,
    name: String,
    finished: Result<Finished, CliError>,
}

pub(super) async fn recover(context: &Context, run: Option<&str>) -> Result<Outcome, CliError> {
    Reach::with(context, Aim::Drive, async |reach| match run {
        Some(run) => one_alone(context, reach, run).await,
        None => all(context, reach).await,
    })
    .await
}

/// Drives one run on, as `run` would.
async fn one_alone(context: &Context, reach: &Reach, run: &str) -> Result<Outcome, CliError> {
    let store = reach.store();
    let run = session::find(&*store, run).await?;
    let (_, past) = row_of(&*store, run).await?;
    follow::to_its_end(context, reach, run, past, &[]).await
}

/// Drives all open runs on, and gives the worst outcome.
async fn all(context: &Context, reach: &Reach) -> Result<Outcome, CliError> {
    let store = reach.store();
    let mut runs = reach.recover().await?;
    let paused = paused(&*store).await?;
    runs.retain(|run| !paused.contains(run));
    let left = count(paused.len(), "paused run");
    if runs.is_empty() {
        let shown = context.directory.path().display();
        let but = if paused.is_empty() { String::new() } else { format!(" but for {left}, until `resume`") };
        return Err(CliError::nothing(format!("nothing to recover: no run in {shown} is open{but}")));
    }
    if !paused.is_empty() {
        context.note(&format!("leaving {left} alone, until `resume`"));
    }
    context.note(&format!("recovering {}", count(runs.len(), "run")));
    for run in &runs {
        // Beside another process only some are followed at once; all are to be driven. One that can't be says so when
        // it is followed.
        let _ = reach.adopt(*run).await;
    }
    let (mut following, slots) = (JoinSet::new(), Arc::new(Semaphore::new(TAKEN_UP_AT_ONCE)));
    for run in runs {
        following.spawn(one(reach.clone(), slots.clone(), run, context.target()));
    }
    let (worst, documents) = gather(context, reach, following).await;
    match context.format {
        Format::Json => print::json(&json!({ "runs": documents, "exit_code": worst.code() })),
        Format::Text if worst == Outcome::Interrupted => {
            let wording = context.wording();
            let (program, tail) = (wording.program, wording.tail);
            let who = reach.beside().map(|pid| format!(" and go on in process {pid}")).unwrap_or_default();
            print::line(&format!("Interrupted: runs are open{who}. Go on with\n  {program} recover{tail}"));
        }
        Format::Text => {}
    }
    Ok(worst)
}

/// Runs that an operator has paused: they would be waited for without end.
async fn paused(store: &dyn Store) -> Result<BTreeSet<RunId>, CliError> {
    let (mut runs, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = store.open_runs(Class::Paused, cursor, bounds::LISTED_RUNS).await?;
        runs.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(runs);
        }
    }
}

/// Says what became of each run, in the order in which they end.
async fn gather(context: &Context, reach: &Reach, mut following: JoinSet<Recovered>) -> (Outcome, Vec<Value>) {
    let (mut worst, mut documents, mut asked) = (Outcome::Completed, Vec::new(), false);
    let (store, mut interrupt) = (reach.store(), reach.interrupt());
    let mut broken = false;
    loop {
        tokio::select! {
            biased;
            // Said once, and not for every run that ends with it.
            why = store.broken(), if !broken => {
                broken = true;
                worst = worst.worse(Outcome::DirectoryUnusable);
                print::error(&context.broken(&why));
            }
            () = interrupt.asked(), if !asked => {
                asked = true;
                if reach.beside().is_none() {
                    context.note(&context.stopping());
                    let reach = reach.clone();
                    tokio::spawn(async move { reach.stop().await });
                }
            }
            ended = following.join_next() => match ended {
                None => return (worst, documents),
                Some(Ok(recovered)) => {
                    let (outcome, document) = tell(context, &*reach.store(), recovered, broken).await;
                    worst = worst.worse(outcome);
                    documents.push(document);
                }
                Some(Err(error)) => {
                    print::error(&format!("following a run broke: {error}"));
                    worst = worst.worse(Outcome::DirectoryUnusable);
                }
            },
        }
    }
}

/// Drives one run to its end.
async fn one(reach: Reach, slots: Arc<Semaphore>, run: RunId, target: Target) -> Recovered {
    let slot = slots.acquire_owned().await;
    let known = row_of(&*reach.store(), run).await;
    let name = known.as_ref().map_or_else(|_| run.to_string(), |(name, _)| name.clone());
    let finished = match known {
        Ok((_, past)) => {
            let progress = Plain::new(target, format!("{name}: "));
            match follow_one(&reach, slot.ok(), run, past, progress).await {
                Err(AskError::Refused(Refusal { kind: RefusalKind::SetAside(why), .. })) => Ok(Finished::SetAside(why)),
                finished => finished.map_err(CliError::from),
            }
        }
        Err(error) => Err(error),
    };
    Recovered { run, name, finished }
}

/// Follows one run. The slot is held while it is taken up, and beside another process for as long as it is followed:
/// that takes connections.
async fn follow_one(
    reach: &Reach,
    slot: Option<OwnedSemaphorePermit>,
    run: RunId,
    past: Seq,
    mut progress: Plain,
) -> Result<Finished, AskError> {
    let mut interrupt = reach.interrupt();
    let mut followed = Followed::drive(reach, run).await?;
    let _slot = slot.filter(|_| reach.beside().is_some());
    loop {
        let news = tokio::select! {
            biased;
            () = interrupt.asked(), if reach.beside().is_some() => return Ok(Finished::Interrupted),
            news = followed.next() => news,
        };
        match news {
            News::Event(recorded) => progress.event(&recorded, past),
            News::Finished(finished) => return Ok(finished),
            News::TakenOver(driver) => progress.say(&driver.goes_on()),
            News::Lost if interrupt.was_asked() => return Ok(Finished::Interrupted),
            News::Lost => followed.again().await?,
        }
    }
}

/// What is said of a run in the document of all. Their outputs together may be too large for it: `show` gives each.
fn document_of(report: &Report, wording: Wording<'_>, outcome: Outcome) -> Value {
    let mut document = report.to_json(wording.program, wording.tail, Some(outcome));
    if let Some(fields) = document.as_object_mut() {
        fields.remove("output");
    }
    document
}

/// What a run is called, and its last event.
async fn row_of(store: &dyn Store, run: RunId) -> Result<(String, Seq), CliError> {
    let row = store.row(run).await.map_err(LoadError::Store)?;
    let row = row.ok_or_else(|| CliError::directory(format!("run {run} is not in the index")))?;
    let name = row.workflow_id.map_or_else(|| run.to_string(), |id| one_line(&id));
    Ok((name, row.last))
}

/// Says what became of a run; of one that went on no longer only in the document, where the store is `broken`.
async fn tell(context: &Context, store: &dyn Store, recovered: Recovered, broken: bool) -> (Outcome, Value) {
    let Recovered { run, name, finished } = recovered;
    let wording = context.wording();
    let failed = |error: CliError| {
        if !broken {
            print::error(&format!("{name}: {}", error.message));
        }
        let document = json!({ "run": run.to_string(), "error": { "message": error.message } });
        (error.outcome, document)
    };
    let interrupted = match finished {
        Err(error) => return failed(error),
        Ok(Finished::SetAside(why)) => {
            if context.format == Format::Text {
                for line in set_aside::text(run, &why, wording) {
                    print::line(&format!("{name}: {line}"));
                }
            }
            return (Outcome::Stuck, set_aside::document(run, &why, wording));
        }
        Ok(Finished::Broken(why)) => return failed(follow::broken(context, run, &why)),
        Ok(Finished::Interrupted) => true,
        Ok(_) => false,
    };
    let report = match Report::without_output(store, run).await {
        Ok(report) => report,
        Err(error) => return failed(error.into()),
    };
    let outcome = if interrupted { Outcome::Interrupted } else { report.outcome() };
    match context.format {
        Format::Json => {}
        Format::Text if interrupted => print::line(&format!("{name}: is open")),
        Format::Text => {
            for line in text::outcome(&report, wording) {
                print::line(&format!("{name}: {line}"));
            }
        }
    }
    (outcome, document_of(&report, wording, outcome))
}
