//! The first version: `charge@1`.

fn main() -> std::process::ExitCode {
    versions::program(|program| {
        program.register(&versions::first()?)?;
        Ok(())
    })
}
