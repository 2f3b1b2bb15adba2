//! The next version, which keeps `charge@1` for runs that were started before it.

fn main() -> std::process::ExitCode {
    versions::program(|program| {
        program.register(&versions::second()?)?.task("charge@1", versions::charge)?;
        Ok(())
    })
}
