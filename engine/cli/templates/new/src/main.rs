//! A program with a durable saga: `cargo run -- run trip --example`, then `cargo run -- --help`.

mod trip;

use std::process::ExitCode;

use engine_cli::App;

fn main() -> ExitCode {
    engine_cli::main(App::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).register(|program| {
        program.register(&trip::workflow()?)?;
        Ok(())
    }))
}
