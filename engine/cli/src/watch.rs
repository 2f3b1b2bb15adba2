//! A run that another process drives, as it goes on.

use std::sync::Arc;

use engine_core::event::Recorded;
use engine_core::id::{RunId, Seq};
use engine_core::payload::Payload;
use engine_runtime::control::AskError;
use engine_runtime::{Finished, RunHandle, read};
use engine_store::Store;
use tokio::sync::mpsc;

use crate::directory::DataDirectory;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::progress::{self, Progress};

/// Events that are read ahead of who shows them.
const AHEAD: usize = 64;

/// A run as whoever drives it tells of it, and its directory once nobody does.
pub(crate) struct Watched {
    directory: DataDirectory,
    run: RunId,
    is_driven: bool,
    told: mpsc::Receiver<Result<Recorded, CliError>>,
}

impl Watched {
    /// Watches a run, from its first event on.
    pub(crate) async fn new(directory: &DataDirectory, run: RunId) -> Result<Self, CliError> {
        let (into, told) = mpsc::channel(AHEAD);
        let teller = Teller { directory: directory.clone(), run, seen: Seq(0), into };
        let driven = teller.driven().await?;
        let is_driven = driven.is_some();
        tokio::spawn(teller.tell(driven));
        Ok(Self { directory: directory.clone(), run, is_driven, told })
    }

    /// Whether a process drove it when this began.
    pub(crate) fn is_driven(&self) -> bool {
        self.is_driven
    }

    /// The next event, once it is durable; none once the run rests, or all is told and nobody drives it any more.
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Recorded>, CliError> {
        self.told.recv().await.transpose()
    }

    /// The bytes of a payload that an event of the run holds.
    pub(crate) async fn payload(&self, payload: &Payload) -> Result<Arc<[u8]>, CliError> {
        let look = async |store: &dyn Store| Ok(read::payload(store, self.run, payload).await?);
        self.directory.look(look).await
    }
}

/// Tells of a run, event by event. It has a task of its own, because finding the next process that has the directory
/// must not begin anew whenever the one that listens does something else.
struct Teller {
    directory: DataDirectory,
    run: RunId,
    /// The last event that was told.
    seen: Seq,
    into: mpsc::Sender<Result<Recorded, CliError>>,
}

impl Teller {
    /// Tells all there is.
    async fn tell(mut self, driven: Option<RunHandle>) {
        if let Err(error) = self.tell_all(driven).await {
            // Nobody may be listening any more, which is fine.
            let _ = self.into.send(Err(error)).await;
        }
    }

    async fn tell_all(&mut self, mut driven: Option<RunHandle>) -> Result<(), CliError> {
        loop {
            if let Some(handle) = driven {
                let finished = self.tell_of(handle).await;
                if matches!(finished, Finished::Ended(_) | Finished::Stuck(_) | Finished::SetAside(_)) {
                    return Ok(());
                }
            }
            driven = self.next_driven().await?;
            if driven.is_none() {
                return Ok(());
            }
        }
    }

    /// Tells what is left in the directory, and gives the run as the next process drives it, if one does. The first look
    /// may have kept that process from the directory, so the second one is believed.
    async fn next_driven(&mut self) -> Result<Option<RunHandle>, CliError> {
        for _ in 0..2 {
            self.tell_rest().await?;
            if let Some(handle) = self.driven().await? {
                return Ok(Some(handle));
            }
        }
        Ok(None)
    }

    /// The run as the process that has the directory drives it; none where nobody does.
    async fn driven(&self) -> Result<Option<RunHandle>, CliError> {
        let Some(client) = self.directory.owner().await else { return Ok(None) };
        match client.watch(self.run).await {
            Err(AskError::Lost(_)) => Ok(None),
            driven => Ok(driven?.map(|handle| handle.after(self.seen))),
        }
    }

    async fn tell_of(&mut self, mut handle: RunHandle) -> Finished {
        while let Some(recorded) = handle.next().await {
            self.tell_one(recorded).await;
        }
        handle.finish().await
    }

    async fn tell_rest(&mut self) -> Result<(), CliError> {
        let view = self.directory.view().await?;
        let rest = view.store().read(self.run, self.seen.next(), usize::MAX).await;
        view.close().await?;
        for recorded in rest? {
            self.tell_one(recorded).await;
        }
        Ok(())
    }

    async fn tell_one(&mut self, recorded: Recorded) {
        self.seen = recorded.seq;
        // Nobody may be listening any more, which is fine.
        let _ = self.into.send(Ok(recorded)).await;
    }
}

/// What who leaves at once is told: a look leaves nothing behind.
pub(crate) const NOTHING_CHANGED: &str = "Looking changes nothing";

/// Shows what happens to a run, but for the events up to `past`, until it rests or the process is asked to stop.
pub(crate) async fn watch(watched: &mut Watched, past: Seq, progress: &mut dyn Progress) -> Result<(), CliError> {
    let mut interrupt = Interrupt::listen(NOTHING_CHANGED.to_owned())?;
    let mut ticks = progress::ticks();
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
    use super::*;
    use crate::render::sample;

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
        let (into, told) = mpsc::channel(history.len());
        for recorded in history {
            into.try_send(Ok(recorded)).unwrap();
        }
        drop(into);
        let directory = DataDirectory::new("nowhere".into());
        let mut watched = Watched { directory, run: sample::run(), is_driven: true, told };
        watch(&mut watched, Seq(9), &mut seen).await.unwrap();
        assert_eq!(seen.events, (10..=last).map(Seq).collect::<Vec<_>>());
        assert!(seen.ended);
    }
}
