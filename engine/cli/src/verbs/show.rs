//! `show`: everything there is to say of a run.

use engine_core::id::RunId;
use engine_core::state::Status;
use engine_store::Store;

use crate::arguments::{Format, ShowArguments};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::progress;
use crate::render::report as text;
use crate::report::Report;
use crate::session;
use crate::set_aside::Unreadable;
use crate::verbs::Context;
use crate::watch::{self, Watched};

pub(super) async fn show(context: &Context, arguments: &ShowArguments) -> Result<Outcome, CliError> {
    let look = async |store: &dyn Store| {
        let run = session::find(store, &arguments.run).await?;
        match Report::load(store, run).await {
            Ok(report) => Ok(Ok(report)),
            Err(error) => Unreadable::load(store, run, error).await.map(Err),
        }
    };
    let mut report = match context.directory.look(look).await? {
        Ok(report) => report,
        Err(unreadable) => {
            let wording = context.wording();
            match context.format {
                Format::Json => print::json(&unreadable.to_json(wording)),
                Format::Text => print::lines(&unreadable.lines(wording)),
            }
            return Ok(Outcome::Stuck);
        }
    };
    if arguments.follow {
        report = followed(context, report).await?;
    }
    tell(context, &report, arguments.follow).await;
    Ok(Outcome::Completed)
}

/// The report once nothing moves any more, where another process drives the run.
async fn followed(context: &Context, report: Report) -> Result<Report, CliError> {
    let run: RunId = report.run();
    let mut watched = Watched::new(&context.directory, run).await?;
    let mut progress = progress::of_run(run, None, context.target());
    watch::watch(&mut watched, report.state.last, &mut *progress).await?;
    context.directory.look(async |store: &dyn Store| Ok(Report::load(store, run).await?)).await
}

async fn tell(context: &Context, report: &Report, was_followed: bool) {
    let wording = context.wording();
    let status = report.status();
    let rests = status.is_terminal() || status == Status::Stuck;
    match context.format {
        Format::Json => {
            print::json(&report.to_json(wording.program, wording.tail, rests.then(|| report.outcome())));
        }
        Format::Text => {
            print::lines(&text::whole(report, wording));
            if !rests {
                let (program, tail, run) = (wording.program, wording.tail, report.run());
                let nothing = if was_followed { ", so there is nothing to follow" } else { "" };
                let verb = if status == Status::Paused { "resume" } else { "recover" };
                print::line(&match context.directory.driver(run).await {
                    Some(pid) => format!("process {pid} drives it; follow it with\n  {program} {verb} {run}{tail}"),
                    None => format!("nothing drives it now{nothing}; go on with\n  {program} {verb} {run}{tail}"),
                });
            }
        }
    }
}
