//! `bench`: measures this machine.

use engine_bench::{BenchError, Earlier, Machine, Measurement, Plan};
use serde::Serialize;
use serde_json::json;

use crate::arguments::{BenchArguments, Format};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::verbs::Context;

pub(super) async fn bench(context: &Context, arguments: BenchArguments) -> Result<Outcome, CliError> {
    if let Some(asked) = &arguments.measure {
        print::line(&engine_bench::measure(asked).await.map_err(failed)?);
        return Ok(Outcome::Completed);
    }
    let earlier = arguments.compare.as_deref().map(Earlier::read).transpose();
    let earlier = earlier.map_err(|error| CliError::bad_input(error.to_string()))?;
    let plan = plan(context, arguments);
    let machine = Machine::here(&plan.directory, context.app.version);
    begin(context.format, &machine, earlier.as_ref());
    engine_bench::run(&plan, |measured| tell(context.format, measured, earlier.as_ref())).await.map_err(failed)?;
    Ok(Outcome::Completed)
}

#[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn failed(error: BenchError) -> CliError {
    CliError::directory(error.to_string())
}

fn plan(context: &Context, arguments: BenchArguments) -> Plan {
    let BenchArguments { workloads, quick, runs, minutes, rate, .. } = arguments;
    let directory = context.directory.path().to_owned();
    Plan { workloads, quick, runs, minutes, rate, directory, mock_services: context.app.mocks.is_some() }
}

fn begin(format: Format, machine: &Machine, earlier: Option<&Earlier>) {
    match format {
        Format::Text => {
            print::lines(&engine_bench::header(machine));
            print::line(&engine_bench::heading());
        }
        Format::Json => line(machine),
    }
    if let Some(warning) = earlier.and_then(|earlier| earlier.warning(machine)) {
        print::note(&format!("note: {warning}"));
    }
}

fn tell(format: Format, measured: &Measurement, earlier: Option<&Earlier>) {
    match format {
        Format::Text => {
            let changes = earlier.map(|earlier| earlier.changes(measured)).unwrap_or_default();
            print::lines(&engine_bench::row(measured, &changes));
        }
        Format::Json => line(measured),
    }
}

fn line(document: &impl Serialize) {
    print::json_line(&json!(document));
}
