//! The verbs of the engine, from `run` to `delete`, for its own binary and for any program that wants them.
//!
//! ```no_run
//! use engine_cli::App;
//!
//! fn main() -> std::process::ExitCode {
//!     engine_cli::main(App::new("engine", env!("CARGO_PKG_VERSION")))
//! }
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`exit`] | what the exit codes mean |
//! | `arguments`, `help` | the command line and its help |
//! | `verbs` | a file for each verb |
//! | `source`, `input`, `overrides`, `pairs`, `moment` | what a run is started with and found by |
//! | `directory`, `keeping`, `session` | the data directory, and the engine on it |
//! | `reach`, `ways` | both, or the process that has them: what verbs ask |
//! | `steer` | what a run is asked for, and what it answers |
//! | `follow`, `followed`, `watch`, `progress`, `interrupt` | a run while it goes on |
//! | `report`, `waiting`, `render` | what is shown of it |
//! | `allocator` | how much freed memory the process keeps |
//! | `set_aside` | what is shown of one that can't be carried out |
//!
//! What a verb was asked for goes to standard output; errors go to standard error. With `-o json` standard output
//! holds one JSON document and nothing else.

mod allocator;
mod app;
mod arguments;
mod directory;
mod error;
pub mod exit;
mod follow;
mod followed;
mod help;
mod input;
mod interrupt;
mod keeping;
mod moment;
mod overrides;
mod pairs;
mod print;
mod progress;
mod reach;
mod render;
mod report;
mod session;
mod set_aside;
mod source;
mod steer;
mod verbs;
mod waiting;
mod watch;
mod ways;

use std::process::ExitCode;

pub use app::{App, Mocks};
pub use async_trait::async_trait;
pub use clap;
pub use exit::Outcome;

/// Stack of the threads that evaluate expressions, which nest deep.
const STACK: usize = 8 << 20;

/// Reads the command line, does what it says, and gives the code to exit with.
pub fn main(app: App) -> ExitCode {
    allocator::set_up();
    let verb = match arguments::parse(&app, std::env::args_os()) {
        Ok(verb) => verb,
        Err(outcome) => return outcome.into(),
    };
    log_where_asked_for();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return no_threads(&error).into(),
    };
    // On a thread of its own, for its stack: definitions nest deep too.
    let handle = runtime.handle().clone();
    let work = move || handle.block_on(verbs::carry_out(app, verb));
    let worker = std::thread::Builder::new().name("engine".to_owned()).stack_size(STACK).spawn(work);
    let outcome = match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            print::error("the engine broke, as said above; what was acknowledged is safe. Please report it");
            Outcome::Interrupted
        }
        Err(error) => no_threads(&error),
    };
    runtime.shutdown_background();
    outcome.into()
}

fn no_threads(error: &std::io::Error) -> Outcome {
    print::error(&format!("the system gives no threads to work with: {error}. Free some, and try again"));
    Outcome::DirectoryUnusable
}

/// Writes what the engine does to standard error where `ENGINE_LOG` says so, as `ENGINE_LOG=debug`.
fn log_where_asked_for() {
    let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("ENGINE_LOG") else { return };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that can't be set up is no reason not to work.
    let _ = log.try_init();
}
