//! Ctrl-C and SIGTERM: the first asks to stop, the second leaves at once.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;

/// Signals so close together are one: a wrapper often passes on what the terminal sends to all anyway.
const ONE: Duration = Duration::from_millis(250);

/// Whether the process was asked to stop.
#[derive(Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on. Who leaves at once is told `how_to_go_on`.
    pub(crate) fn listen(how_to_go_on: String) -> Result<Self, CliError> {
        let unavailable = |error| CliError::directory(format!("signals can't be listened to: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                tokio::select! {
                    biased;
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if first.is_some_and(|first| first.elapsed() < ONE) {
                    continue;
                }
                if first.is_some() {
                    print::note(&format!("left at once: what was acknowledged is safe. {how_to_go_on}"));
                    std::process::exit(i32::from(Outcome::Interrupted.code()));
                }
                first = Some(Instant::now());
                // Nobody may be waiting for it, which is fine.
                let _ = ask.send(true);
            }
        });
        Ok(Self { asked })
    }

    /// Whether the process was asked to stop.
    pub(crate) fn was_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Comes back once the process was asked to stop.
    pub(crate) async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // The listener is gone with the runtime: nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
