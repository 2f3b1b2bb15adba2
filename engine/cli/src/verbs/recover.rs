//! `recover`: takes open runs up and drives them to their ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine_core::id::{RunId, Seq};
use engine_runtime::read::LoadError;
use engine_runtime::{DriveError, Engine, Finished, bounds};
use engine_store::{Class, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::follow;
use crate::print;
use crate::progress::{Plain, Progress, Target};
use crate::render::report as text;
use crate::render::{count, one_line};
use crate::report::Report;
use crate::session::{self, Session};
use crate::set_aside;
use crate::verbs::Context;

/// Runs that are read at once while they are taken up.
const TAKEN_UP_AT_ONCE: usize = 64;

/// What became of one run.
struct Recovered {
    run: RunId,
    name: String,
    finished: Result<Finished, CliError>,
}

pub(super) async fn recover(context: &Context, run: Option<&str>) -> Result<Outcome, CliError> {
    let store = context.directory.open_existing().await?;
    Session::with(context, store, Vec::new(), async |session| match run {
        Some(run) => one_alone(context, session, run).await,
        None => all(context, session).await,
    })
    .await
}

/// Drives one run on, as `run` would.
async fn one_alone(context: &Context, session: &mut Session, run: &str) -> Result<Outcome, CliError> {
    let run = session::find(session.store(), run).await?;
    let (_, past) = row_of(session.store(), run).await?;
    follow::to_its_end(context, session, run, past, &[]).await
}

/// Drives all open runs on, and gives the worst outcome.
async fn all(context: &Context, session: &mut Session) -> Result<Outcome, CliError> {
    let mut runs = session.engine.recover().await?;
    let paused = paused(session.store()).await?;
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
    let (mut following, slots) = (JoinSet::new(), Arc::new(Semaphore::new(TAKEN_UP_AT_ONCE)));
    for run in runs {
        following.spawn(one(session.engine.clone(), slots.clone(), run, context.target()));
    }
    let (worst, documents) = gather(context, session, following).await;
    match context.format {
        Format::Json => print::json(&json!({ "runs": documents, "exit_code": worst.code() })),
        Format::Text if worst == Outcome::Interrupted => {
            let wording = context.wording();
            let (program, tail) = (wording.program, wording.tail);
            print::line(&format!("Interrupted: runs are open. Go on with\n  {program} recover{tail}"));
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
async fn gather(context: &Context, session: &mut Session, mut following: JoinSet<Recovered>) -> (Outcome, Vec<Value>) {
    let (mut worst, mut documents, mut asked) = (Outcome::Completed, Vec::new(), false);
    let store = session.engine.store().clone();
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
            () = session.interrupt.asked(), if !asked => {
                asked = true;
                context.note(&context.stopping());
                let (engine, grace) = (session.engine.clone(), context.grace);
                tokio::spawn(async move { engine.shutdown(grace).await });
            }
            ended = following.join_next() => match ended {
                None => return (worst, documents),
                Some(Ok(recovered)) => {
                    let (outcome, document) = tell(context, &*store, recovered, broken).await;
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
async fn one(engine: Engine, slots: Arc<Semaphore>, run: RunId, target: Target) -> Recovered {
    let store = engine.store().clone();
    let slot = slots.acquire_owned().await;
    let (name, past) = match row_of(&*store, run).await {
        Ok(known) => known,
        Err(error) => return Recovered { run, name: run.to_string(), finished: Err(error) },
    };
    let taken_up = engine.drive(run).await;
    drop(slot);
    let mut handle = match taken_up {
        Ok(handle) => handle,
        Err(DriveError::SetAside(why)) => return Recovered { run, name, finished: Ok(Finished::SetAside(why)) },
        Err(error) => return Recovered { run, name, finished: Err(error.into()) },
    };
    let mut progress = Plain::new(target, format!("{name}: "));
    while let Some(recorded) = handle.next().await {
        progress.event(&recorded, past);
    }
    Recovered { run, name, finished: Ok(handle.finish().await) }
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
    let report = match Report::load(store, run).await {
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
    (outcome, report.to_json(wording.program, wording.tail, Some(outcome)))
}
