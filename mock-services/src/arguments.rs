//! The command line, for the binary here and for any other that offers the same verb.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Fault, MockError, MockServices, Options, Ports, SERVICES};

/// Run the six mock services of the order saga until Ctrl-C.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Fixed ports (8001 to 8006) or any free ones.
    #[arg(long, value_enum, default_value = "fixed")]
    pub ports: PortChoice,

    /// Remember everything in this directory, so that a restart goes on where it was.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Make an endpoint misbehave; may be given several times.
    ///
    /// For example `payment/process:status=503,times=2`, `inventory/update:late=3s`,
    /// `payment/process:cut=after`, `inventory:closed`. Knobs: status, effect, `retry_after`, delay,
    /// late, cut=before|after, malformed, fence=off, closed, times, after, probability, seed.
    #[arg(long = "fault", value_name = "RULE")]
    pub faults: Vec<Fault>,
}

/// `--ports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PortChoice {
    /// 8001 to 8006.
    Fixed,
    /// Any free ports; the addresses are printed.
    Ephemeral,
}

/// Starts the services, prints a line with the address of each and then `ready`, and runs until
/// Ctrl-C or SIGTERM.
pub async fn serve(arguments: Arguments) -> Result<(), MockError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(MockError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(MockError::Signals)?;
    let ports = match arguments.ports {
        PortChoice::Fixed => Ports::Fixed,
        PortChoice::Ephemeral => Ports::Ephemeral,
    };
    let options = Options { ports, state_dir: arguments.state_dir, faults: arguments.faults };
    let services = MockServices::start(options).await?;
    announce(&services).map_err(MockError::Output)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    services.stop().await;
    Ok(())
}

fn announce(services: &MockServices) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for service in SERVICES {
        writeln!(out, "{service:<12} {}", services.url(service).unwrap_or_default())?;
    }
    writeln!(out, "ready")?;
    out.flush()
}
