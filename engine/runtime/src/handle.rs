//! Following a run that this process drives.

use std::collections::VecDeque;
use std::sync::Arc;

use engine_core::event::Recorded;
use engine_core::id::{RunId, Seq};
use engine_core::state::State;
use engine_store::{Store, StoreError};
use tokio::task::JoinHandle;

use crate::bounds;
use crate::control::Presence;
use crate::error::LoadError;
use crate::read;
use crate::report::Followed;
use crate::set_aside::SetAside;

/// A run that this process drives, or that has ended.
#[derive(Debug)]
pub struct RunHandle {
    run: RunId,
    store: StoreRef,
    followed: Followed,
    read: Seq,
    buffer: VecDeque<Recorded>,
    /// The read that is under way: kept here, so that dropping the future of `next` does not begin it anew.
    reading: Option<JoinHandle<Result<Vec<Recorded>, StoreError>>>,
    unreadable: Option<String>,
    /// Whether another process drives the run, and what keeps that one there until the end is read.
    is_beside: bool,
    _presence: Option<Presence>,
    /// Whether that process is gone, or gives the directory up.
    lost: bool,
}

#[derive(Clone)]
struct StoreRef(Arc<dyn Store>);

impl std::fmt::Debug for StoreRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// How following a run ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Finished {
    /// The run ended.
    Ended(Box<State>),
    /// The run waits for an operator, and nothing else moves.
    Stuck(Box<State>),
    /// The process that drives the run is gone, or gives the directory up: the run goes on where it is driven next.
    Lost,
    /// The engine stopped; the run is open and goes on when it is taken up again.
    Interrupted,
    /// The run can't be carried out as it is: it is Stuck, and tried again when it is taken up the next time.
    SetAside(SetAside),
    /// The run can't be driven or read by this process; the text says why.
    Broken(String),
}

impl RunHandle {
    /// A run that another process drives.
    pub(crate) fn beside(run: RunId, store: Arc<dyn Store>, followed: Followed, presence: Option<Presence>) -> Self {
        Self { is_beside: true, _presence: presence, ..Self::new(run, store, followed) }
    }

    pub(crate) fn new(run: RunId, store: Arc<dyn Store>, followed: Followed) -> Self {
        Self {
            run,
            store: StoreRef(store),
            followed,
            read: Seq(0),
            buffer: VecDeque::new(),
            reading: None,
            unreadable: None,
            is_beside: false,
            _presence: None,
            lost: false,
        }
    }

    /// The same from the event after this one on.
    pub fn after(self, seen: Seq) -> Self {
        Self { read: seen, ..self }
    }

    /// The last event that was given, or that it goes on after.
    pub fn seen(&self) -> Seq {
        self.buffer.front().map_or(self.read, |next| Seq(next.seq.0.saturating_sub(1)))
    }

    /// The run.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// The next event, once it is durable, from the first one on. None once the run has ended, waits for an
    /// operator with nothing else moving, or is no longer driven. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Recorded> {
        loop {
            if let Some(recorded) = self.buffer.pop_front() {
                return Some(recorded);
            }
            if self.unreadable.is_some() || self.lost {
                return None;
            }
            let report = self.followed.take_report();
            if report.last > self.read {
                self.read_on().await;
            } else if report.rests() || !self.followed.told().await {
                return None;
            }
        }
    }

    async fn read_on(&mut self) {
        let (store, run, from) = (self.store.0.clone(), self.run, self.read.next());
        let begin = || tokio::spawn(async move { store.read(run, from, bounds::READ_EVENTS).await });
        let read = self.reading.get_or_insert_with(begin).await;
        self.reading = None;
        match read {
            Ok(Ok(events)) if !events.is_empty() => {
                self.read = events.last().map_or(self.read, |last| last.seq);
                self.buffer.extend(events);
            }
            Ok(Err(StoreError::Closed)) if self.is_beside => self.lost = true,
            Ok(Ok(_)) => self.unreadable = Some(format!("events of run {run} are missing")),
            Ok(Err(error)) => self.unreadable = Some(error.to_string()),
            Err(error) => self.unreadable = Some(error.to_string()),
        }
    }

    /// How it ended, once it has. Events that were not given are not read for that.
    pub async fn finish(mut self) -> Finished {
        let (end, report) = loop {
            let (end, report) = (self.followed.rested().await, self.followed.report());
            // It may go on at that very moment.
            if report.rests() || !self.followed.is_told() {
                break (end, report);
            }
        };
        if let Some(why) = report.set_aside {
            return Finished::SetAside(why);
        }
        if let Some(why) = report.broken.clone().or(self.unreadable.take()) {
            return Finished::Broken(why);
        }
        if self.lost || !report.rests() {
            return if self.is_beside { Finished::Lost } else { Finished::Interrupted };
        }
        let state = match end {
            Some(end) => Ok(Arc::unwrap_or_clone(end)),
            None => read::state(&*self.store.0, self.run).await,
        };
        match state {
            Ok(state) if state.end.is_some() => Finished::Ended(Box::new(state)),
            Ok(state) => Finished::Stuck(Box::new(state)),
            Err(LoadError::Store(StoreError::Closed)) if self.is_beside => Finished::Lost,
            Err(error) => Finished::Broken(error.to_string()),
        }
    }
}
