//! The six mock services as a program.

use std::process::ExitCode;

use clap::Parser;
use mock_services::Arguments;

/// Six stateful microservices with fault knobs, for demonstrations and tests.
#[derive(Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

#[tokio::main]
#[allow(clippy::print_stderr, reason = "a program tells its user what went wrong")]
async fn main() -> ExitCode {
    match mock_services::serve(CommandLine::parse().arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mock-services: {error}");
            ExitCode::FAILURE
        }
    }
}
