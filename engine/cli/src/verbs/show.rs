//! `show`: everything there is to say of a run.

use engine_core::state::Status;

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::render::report as text;
use crate::report::Report;
use crate::session;
use crate::verbs::Context;

pub(super) async fn show(context: &Context, run: &str) -> Result<Outcome, CliError> {
    let store = context.directory.open_existing().await?;
    let run = session::find(&*store, run).await?;
    let report = Report::load(&*store, run).await?;
    store.close().await?;
    let wording = context.wording();
    let status = report.state.status();
    let rests = status.is_terminal() || status == Status::Stuck;
    match context.format {
        Format::Json => {
            print::json(&report.to_json(wording.program, wording.tail, rests.then(|| report.outcome())));
        }
        Format::Text => {
            print::lines(&text::whole(&report, wording));
            if !rests {
                let (program, tail) = (wording.program, wording.tail);
                print::line(&format!("nothing drives it now; go on with\n  {program} recover {run}{tail}"));
            }
        }
    }
    Ok(Outcome::Completed)
}
