//! The engine's own binary: its verbs, with some workflows and the services that those call, mocked.

mod mocks;

use std::process::ExitCode;

use engine_cli::App;

fn main() -> ExitCode {
    let app = App::new("engine", env!("CARGO_PKG_VERSION")).mocks(mocks::OrderSaga::default());
    engine_cli::main(app.register(workflows::register))
}
