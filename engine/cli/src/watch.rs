//! A run that another process drives, as it goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{RunId, Seq};
use engine_core::payload::Payload;
use engine_runtime::control::Client;
use engine_runtime::{RunHandle, read};

use crate::directory::DataDirectory;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// How often a terminal is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// A run as the process that drives it tells of it.
#[async_trait]
pub(crate) trait Watched: Send {
    /// The next event, once it is durable, from the first one on; none once the run rests, or nobody drives it any
    /// more. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<Recorded>, CliError>;

    /// The bytes of a payload that an event of the run holds.
    async fn payload(&mut self, payload: &Payload) -> Result<Arc<[u8]>, CliError>;
}

/// The run as the owner of its directory tells of it; none where nobody drives the run.
pub(crate) async fn of_owner(directory: &DataDirectory, run: RunId) -> Result<Option<Box<dyn Watched>>, CliError> {
    let Some(client) = directory.owner().await else { return Ok(None) };
    Ok(client.watch(run).await?.map(|handle| Box::new(OfOwner { client, handle }) as Box<dyn Watched>))
}

struct OfOwner {
    client: Client,
    handle: RunHandle,
}

#[async_trait]
impl Watched for OfOwner {
    async fn next(&mut self) -> Result<Option<Recorded>, CliError> {
        Ok(self.handle.next().await)
    }

    async fn payload(&mut self, payload: &Payload) -> Result<Arc<[u8]>, CliError> {
        Ok(read::payload(&*self.client.store(), self.handle.id(), payload).await?)
    }
}

/// What who leaves at once is told: a look leaves nothing behind.
pub(crate) const NOTHING_CHANGED: &str = "Looking changes nothing";

/// Shows what happens to a run, but for the events up to `past`, until it rests or the process is asked to stop.
pub(crate) async fn watch(watched: &mut dyn Watched, past: Seq, progress: &mut dyn Progress) -> Result<(), CliError> {
    let mut interrupt = Interrupt::listen(NOTHING_CHANGED.to_owned())?;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = interrupt.asked() => break,
            recorded = watched.next() => match recorded? {
                Some(recorded) => progress.event(&recorded, past),
                None => break,
            },
            _ = ticks.tick() => progress.tick(),
        }
    }
    progress.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::render::sample;

    struct Told(VecDeque<Recorded>);

    #[async_trait]
    impl Watched for Told {
        async fn next(&mut self) -> Result<Option<Recorded>, CliError> {
            Ok(self.0.pop_front())
        }

        async fn payload(&mut self, _: &Payload) -> Result<Arc<[u8]>, CliError> {
            Err(CliError::nothing("there are none"))
        }
    }

    #[derive(Default)]
    struct Seen {
        events: Vec<Seq>,
        ended: bool,
    }

    impl Progress for Seen {
        fn event(&mut self, recorded: &Recorded, past: Seq) {
            if recorded.seq > past {
                self.events.push(recorded.seq);
            }
        }

        fn tick(&mut self) {}

        fn say(&mut self, _: &str) {}

        fn end(&mut self) {
            self.ended = true;
        }
    }

    #[tokio::test]
    async fn what_happens_is_shown_until_the_run_rests() {
        let history = sample::compensated();
        let last = history.len() as u64;
        let mut seen = Seen::default();
        watch(&mut Told(history.into()), Seq(9), &mut seen).await.unwrap();
        assert_eq!(seen.events, (10..=last).map(Seq).collect::<Vec<_>>());
        assert!(seen.ended);
    }
}
