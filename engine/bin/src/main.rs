//! The engine's own binary: its verbs, with the mock services.

mod mocks;

use std::process::ExitCode;

use engine_cli::App;

fn main() -> ExitCode {
    engine_cli::main(App::new("engine", env!("CARGO_PKG_VERSION")).mocks(mocks::OrderSaga::default()))
}
