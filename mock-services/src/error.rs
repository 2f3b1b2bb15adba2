//! What can go wrong with the mocks themselves, and what to do about it.

use std::io;
use std::path::PathBuf;

/// The mocks cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MockError {
    /// A port that a service needs is in use.
    #[error(
        "port {port}, needed by the {service} service, is in use: stop what listens there, or use `--ports ephemeral`"
    )]
    PortTaken {
        /// The service that needs the port.
        service: &'static str,
        /// The port.
        port: u16,
    },
    /// A service cannot listen for another reason.
    #[error("the {service} service cannot listen on 127.0.0.1: {source}")]
    Listen {
        /// The service.
        service: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The state directory cannot be used.
    #[error("the state directory `{}` cannot be used: {source}; choose one that can be written with `--state-dir`", path.display())]
    StateDir {
        /// The directory or the journal in it.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Other mocks use the state directory.
    #[error("the state directory `{}` is in use by other mocks: stop them, or choose another with `--state-dir`", path.display())]
    StateDirInUse {
        /// The directory.
        path: PathBuf,
    },
    /// The journal holds something that no mock wrote.
    #[error("the journal `{}` is damaged in line {line} ({problem}): move it away to start with nothing remembered", path.display())]
    JournalDamaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The process cannot be told to stop.
    #[error("cannot wait for Ctrl-C or SIGTERM: {0}")]
    Signals(io::Error),
    /// The addresses cannot be printed.
    #[error("cannot print the addresses: {0}")]
    Output(io::Error),
}
