//! `show`: everything there is to say of a run.

use engine_core::state::Status;
use engine_store::Store;

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::render::report as text;
use crate::report::Report;
use crate::session;
use crate::verbs::Context;

pub(super) async fn show(context: &Context, run: &str) -> Result<Outcome, CliError> {
    let look = async |store: &dyn Store| Ok(Report::load(store, session::find(store, run).await?).await?);
    let report = context.directory.look(look).await?;
    let run = report.run();
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
