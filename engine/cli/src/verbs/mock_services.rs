//! `mock-services`: the program's mock services by themselves.

use crate::error::CliError;
use crate::exit::Outcome;
use crate::verbs::Context;

pub(super) async fn serve(context: &Context, arguments: &clap::ArgMatches) -> Result<Outcome, CliError> {
    let Some(mocks) = &context.app.mocks else {
        return Err(CliError::bad_input("this program brings no mock services"));
    };
    mocks.serve(arguments).await.map_err(CliError::bad_input)?;
    Ok(Outcome::Completed)
}
