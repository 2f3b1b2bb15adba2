//! The one thread that writes. It takes what has queued while the last sync ran, puts it in as one batch, syncs
//! once, and only then answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::codec::{self, Current, State};
use engine_store::{CommitError, StoreError, keys};
use tokio::sync::{mpsc, oneshot};

use crate::blobs::Files;
use crate::database::{Database, Writes};
use crate::encoded::Encoded;
use crate::files;
use crate::panics;
use crate::removal;
use crate::shared::Shared;
use crate::staged::Staged;
use crate::watermark::{self, Mark, Watermark};

/// Requests that may wait for the writer; who brings more waits.
pub(crate) const QUEUE_LEN: usize = 1024;

/// A batch takes no more requests once it has about this many bytes.
const BATCH_LEN: usize = 8 << 20;

/// Called before each sync, for tests: it may wait, or fail as a disk does.
pub(crate) type BeforeSync = Box<dyn FnMut() -> std::io::Result<()> + Send>;

/// Something for the writer to do.
pub(crate) enum Request {
    Commit(Vec<Encoded>, Answer<Vec<Result<Seq, CommitError>>>),
    PutDefinition {
        workflow: String,
        digest: Digest,
        bytes: Vec<u8>,
        answer: Answer<()>,
    },
    SweepDefinitions(Answer<u64>),
    /// Answers whether it has to be asked for again, because there was much to delete.
    Delete {
        run: RunId,
        claims_until: Timestamp,
        answer: Answer<bool>,
    },
    /// `clean` says whether the next process is told that this one stopped cleanly.
    Close {
        clean: bool,
        answer: Answer<()>,
    },
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// An answer that waits for its sync.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) database: Database,
    pub(crate) files: Files,
    pub(crate) watermark: Watermark,
    pub(crate) state: State,
    /// Definitions that were current since the store was opened.
    pub(crate) recent: BTreeSet<Digest>,
    pub(crate) before_sync: Option<BeforeSync>,
}

/// What one round of the writer has gathered.
struct Round {
    staged: Staged,
    replies: Vec<Reply>,
    units: u64,
    commits: bool,
    /// There is something to sync.
    dirty: bool,
    close: Option<(bool, Answer<()>)>,
}

impl Writer {
    /// Works until the store is closed, dropped or broken.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut round = Round {
                staged: Staged::new(self.state),
                replies: Vec::new(),
                units: 0,
                commits: false,
                dirty: false,
                close: None,
            };
            let done = panics::guard("writing the database", || self.round(first, &mut queue, &mut round));
            if let Err(error) = &done {
                self.shared.fail(error.clone());
            }
            for reply in round.replies {
                reply(done.clone());
            }
            match (done, round.close) {
                (Ok(()), None) => {}
                (Ok(()), Some((clean, answer))) => {
                    // The queue goes first, so that who waits in it learns that the store is closed.
                    drop(queue);
                    drop(answer.send(self.close(clean)));
                    return;
                }
                (Err(error), close) => {
                    if let Some((_, answer)) = close {
                        drop(answer.send(Err(error)));
                    }
                    // As in `Shared`: sled must not write any more.
                    std::mem::forget(self.database);
                    return;
                }
            }
        }
    }

    fn round(
        &mut self,
        first: Request,
        queue: &mut mpsc::Receiver<Request>,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let (mut next, mut len) = (Some(first), 0);
        while let Some(request) = next {
            len += self.take(request, round)?;
            let full = len >= BATCH_LEN || round.replies.len() >= QUEUE_LEN || round.close.is_some();
            next = if full { None } else { queue.try_recv().ok() };
        }
        self.apply(round)?;
        if round.dirty {
            self.sync()?;
        }
        if round.commits {
            self.shared.count(round.units);
        }
        Ok(())
    }

    /// Takes one request into the round, and says about how many bytes it writes. An error ends the store; what is
    /// wrong with one request only is in its answer.
    fn take(&mut self, request: Request, round: &mut Round) -> Result<usize, StoreError> {
        let mut len = 0;
        match request {
            Request::Commit(units, answer) => {
                len = units.iter().map(Encoded::len).sum();
                let answers = units.into_iter().map(|unit| round.staged.add(&self.database, unit));
                let answers: Vec<_> = answers.collect();
                if let Some(error) = answers.iter().find_map(fatal) {
                    round.replies.push(reply(answer, Err(error.clone())));
                    return Err(error);
                }
                let good = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
                round.units += good;
                round.commits |= good > 0;
                round.dirty |= good > 0;
                round.replies.push(reply(answer, Ok(answers)));
            }
            Request::PutDefinition { workflow, digest, bytes, answer } => {
                let done = self.put_definition(&workflow, digest, &bytes, round);
                settle(answer, done, round)?;
            }
            Request::SweepDefinitions(answer) => {
                self.apply(round)?;
                let done = self.sweep_definitions();
                settle(answer, done, round)?;
            }
            Request::Delete { run, claims_until, answer } => {
                // What is staged may be of this run.
                self.apply(round)?;
                let done = removal::of_run(&self.database, run, claims_until).map(|(writes, more)| {
                    round.dirty |= !writes.is_empty();
                    round.staged.add_writes(writes);
                    more
                });
                settle(answer, done, round)?;
            }
            Request::Close { clean, answer } => round.close = Some((clean, answer)),
        }
        Ok(len)
    }

    fn put_definition(
        &mut self,
        workflow: &str,
        digest: Digest,
        bytes: &[u8],
        round: &mut Round,
    ) -> Result<(), StoreError> {
        self.files.put_definition(digest, bytes)?;
        self.recent.insert(digest);
        let key = keys::current(workflow);
        let current = Current { definition: digest };
        // One that can't be read is as good as none: it is written anew.
        if round.staged.get::<Current>(&self.database, &key).ok().flatten() != Some(current) {
            let bytes = codec::seal(&key, &current).map_err(|error| error.reading("a definition"))?;
            round.staged.add_writes(Writes::from([(key, Some(bytes))]));
            round.dirty = true;
        }
        Ok(())
    }

    fn sweep_definitions(&self) -> Result<u64, StoreError> {
        let mut kept = removal::definitions_in_use(&self.database)?;
        kept.extend(&self.recent);
        let kept: BTreeSet<String> = kept.iter().map(Digest::to_string).collect();
        self.files.sweep_definitions(|name| kept.contains(name))
    }

    /// Puts in what is staged.
    fn apply(&mut self, round: &mut Round) -> Result<(), StoreError> {
        if round.staged.is_empty() {
            return Ok(());
        }
        let (state, writes) = round.staged.take()?;
        self.shared.apply(state.commit, writes)?;
        self.state = state;
        Ok(())
    }

    /// Makes everything put in so far durable, and says so.
    fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(before_sync) = &mut self.before_sync {
            before_sync()
                .map_err(|error| StoreError::Io { what: "syncing the database".to_owned(), why: files::why(&error) })?;
        }
        self.database.sync()?;
        let State { commit, time, .. } = self.state;
        self.watermark.note(Mark { commit, time })?;
        self.shared.synced(commit, time);
        Ok(())
    }

    /// Ends the store; if `clean`, so that the next process knows that nothing is missing.
    fn close(self, clean: bool) -> Result<(), StoreError> {
        let Self { shared, database, mut watermark, state, .. } = self;
        shared.fail(StoreError::Closed);
        let (readers, directory) = shared.take();
        panics::guard("closing the database", || {
            database.sync()?;
            // The last one to go writes what sled still has to write.
            drop((readers, database));
            watermark.sync()?;
            // The mark only spares the next process a look at what is there anyway: a full disk is no reason to call
            // runs failed that have ended.
            let directory = directory.filter(|_| clean);
            if let Some(Err(error)) = directory.map(|directory| watermark::put_clean(&directory, state.commit)) {
                tracing::warn!(%error, "the clean stop could not be marked");
            }
            Ok(())
        })
    }
}

/// The error that ends the store, where the answer to a unit is one.
fn fatal(answer: &Result<Seq, CommitError>) -> Option<StoreError> {
    match answer {
        Err(CommitError::Store(error)) => Some(error.clone()),
        _ => None,
    }
}

/// Has the round answer a request once it is durable. An error of the whole store ends the round at once.
fn settle<T: Send + 'static>(
    answer: Answer<T>,
    done: Result<T, StoreError>,
    round: &mut Round,
) -> Result<(), StoreError> {
    let error = done.as_ref().err().filter(|error| error.is_fatal()).cloned();
    round.replies.push(reply(answer, done));
    error.map_or(Ok(()), Err)
}

fn reply<T: Send + 'static>(answer: Answer<T>, done: Result<T, StoreError>) -> Reply {
    // Who no longer waits for the answer does not get it.
    Box::new(move |synced| drop(answer.send(synced.and(done))))
}
