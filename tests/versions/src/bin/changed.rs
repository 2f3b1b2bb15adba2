//! A version whose `charge@1` takes something else than it did.

fn main() -> std::process::ExitCode {
    versions::program(|program| {
        program.register(&versions::second()?)?.task("charge@1", versions::charge_by_name)?;
        Ok(())
    })
}
