//! The next version: `charge@2` only.

fn main() -> std::process::ExitCode {
    versions::program(|program| {
        program.register(&versions::second()?)?;
        Ok(())
    })
}
