//! Taking runs up after a restart, and seeing each through: what breaks one run sets it aside, and no other.

use std::collections::BTreeSet;

use engine_core::id::RunId;
use engine_core::state::Status;
use engine_store::{CommitError, Mark, StoreError, Unit};

use crate::alone::Turn;
use crate::bounds;
use crate::caught;
use crate::crashes::{self, Crashes};
use crate::driven::{Drove, Line, Place, Reservation};
use crate::engine::{Engine, TakenUp};
use crate::error::{DriveError, LoadError};
use crate::read;
use crate::report::{Followed, Reports};
use crate::run::{Broken, RunTask};
use crate::set_aside::SetAside;

/// A run whose first turn was taken.
enum Begun {
    /// It is open.
    Open { task: Box<RunTask>, line: Line },
    /// It has ended.
    Ended(Followed),
}

impl Engine {
    /// All runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<RunId>, StoreError> {
        read::open_runs(&**self.store()).await
    }

    /// The runs that a process takes up when it starts, to be driven each: the open ones, and those that something
    /// waits for in their inbox.
    ///
    /// Runs that the process may have died of, again and again, begin at once, one after the other; to drive any
    /// other run, or to start one, waits until their attempts have ended. So call this before anything is driven.
    pub async fn recover(&self) -> Result<Vec<RunId>, StoreError> {
        self.take_up_suspects().await;
        let mut runs = BTreeSet::from_iter(self.open_runs().await?);
        runs.extend(self.runs_with_inbox().await?);
        Ok(runs.into_iter().collect())
    }

    pub(crate) async fn take_up_suspects(&self) {
        for (run, crashes) in self.suspects() {
            if let Place::Free(reservation) = self.driven().place(run).await {
                let (engine, turn) = (self.clone(), self.alone().turn());
                tokio::spawn(async move {
                    if let Err(error) = engine.take_up_alone(reservation, crashes, turn).await {
                        tracing::warn!(%run, %error, "could not be taken up");
                    }
                });
            }
        }
    }

    pub(crate) async fn runs_with_inbox(&self) -> Result<Vec<RunId>, StoreError> {
        let (mut runs, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store().inbox_runs(cursor, bounds::LISTED_RUNS).await?;
            for run in page.items {
                // One that does not exist may be about to; one whose row is damaged is named when it is taken up.
                if !matches!(self.store().row(run).await, Ok(None)) {
                    runs.push(run);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(runs);
            }
        }
    }

    /// Takes up a run that has no task here. What was begun is finished, also where the future is dropped: nobody else
    /// may come for a run that was dormant.
    pub(crate) async fn take_up(&self, reservation: Reservation) -> Result<Followed, DriveError> {
        let engine = self.clone();
        let taken_up = tokio::spawn(async move { engine.take_up_reserved(reservation).await });
        // What breaks in there is caught there.
        taken_up.await.unwrap_or(Err(DriveError::ShuttingDown))
    }

    /// Takes up a suspect alone, unless others are driven already.
    async fn take_up_reserved(&self, reservation: Reservation) -> Result<Followed, DriveError> {
        let run = reservation.run();
        if let Some(crashes) = self.suspicion(run)
            && (self.alone().is_wanted() || self.driven().tasks() == 0)
        {
            let turn = self.alone().turn();
            return self.take_up_alone(reservation, crashes, turn).await;
        }
        self.until_nobody_is_alone().await;
        match self.begin(run).await? {
            Begun::Ended(followed) => Ok(followed),
            Begun::Open { task, line } => {
                let followed = line.reports.follow();
                self.tend(reservation, line, task);
                Ok(followed)
            }
        }
    }

    /// Takes up a suspect when its turn has come. It is named durably before anything of it is read.
    async fn take_up_alone(
        &self,
        reservation: Reservation,
        crashes: Crashes,
        mut turn: Turn,
    ) -> Result<Followed, DriveError> {
        tokio::select! {
            biased;
            () = self.stopped() => return Err(DriveError::ShuttingDown),
            () = turn.begins() => {}
        }
        let run = reservation.run();
        let not_named = |error: CommitError| DriveError::NotCommitted(error.to_string());
        self.note(crashes.named(run)).await.map_err(not_named)?;
        let begun = self.begin(run).await;
        self.no_longer_suspect(run);
        let Ok(Begun::Open { task, line }) = begun else {
            self.note(crashes.survived(run, crashes.results)).await.map_err(not_named)?;
            return begun.map(|begun| match begun {
                Begun::Open { line, .. } => line.reports.follow(),
                Begun::Ended(followed) => followed,
            });
        };
        let (engine, followed, reports) = (self.clone(), line.reports.follow(), line.reports.clone());
        let driven = engine.clone().drive_alone_first(run, task, crashes, turn);
        reservation.drive(line, async move { engine.see_through(run, reports, driven).await });
        Ok(followed)
    }

    /// Drives a suspect until its attempts have ended, and on as any other run once nobody is alone any more.
    async fn drive_alone_first(
        self,
        run: RunId,
        mut task: Box<RunTask>,
        crashes: Crashes,
        turn: Turn,
    ) -> Result<Drove, Broken> {
        let stopping = task.hold();
        let driven = caught::work(task.drive()).await;
        self.note(crashes.survived(run, task.results())).await?;
        drop(turn);
        driven?;
        self.until_nobody_is_alone().await;
        let drove = task.go_on(stopping).await?;
        if self.is_over(run, drove) { Ok(drove) } else { self.drive_by(run, &mut task).await }
    }

    /// Reads a run and takes its first turn. One that can't be read, or breaks, is set aside.
    async fn begin(&self, run: RunId) -> Result<Begun, DriveError> {
        if let Some(why) = crashes::condemned(&**self.store(), run).await.map_err(LoadError::Store)? {
            return Err(DriveError::SetAside(why));
        }
        let mut may_have_moved = true;
        loop {
            let (mut task, line, besides) = match self.load(run).await {
                Ok(TakenUp::Open { task, line, besides }) => (task, line, besides),
                Ok(TakenUp::Ended(_)) => return self.ended(run).await.map(Begun::Ended),
                Err(DriveError::Load(error)) => return Err(self.not_loaded(run, error).await),
                Err(error) => return Err(error),
            };
            task.equip();
            let broken = match caught::work(task.first_turn(besides)).await {
                Ok(()) => return Ok(Begun::Open { task, line }),
                Err(Broken::Commit(CommitError::Conflict { .. })) if may_have_moved => {
                    may_have_moved = false;
                    continue;
                }
                Err(broken) => broken,
            };
            let Some(why) = SetAside::broken(&broken) else { return Err(DriveError::NotCommitted(broken.to_string())) };
            self.set_aside(run, &why).await;
            return Err(DriveError::SetAside(why));
        }
    }

    /// A run that has ended. Requests that came too late are dropped: their answers follow from its history.
    async fn ended(&self, run: RunId) -> Result<Followed, DriveError> {
        let waiting = self.store().inbox(run).await.map_err(LoadError::Store)?;
        if !waiting.is_empty() {
            let consumed = waiting.into_iter().map(|row| (run, row.arrival)).collect();
            let dropped = self.committer().commit(Unit { inbox_consumed: consumed, ..Unit::default() }).await;
            dropped.map_err(|error| DriveError::NotCommitted(error.to_string()))?;
        }
        Ok(Reports::new(self.rest_of(run).await?).follow())
    }

    /// Drives a run whose first turn was taken.
    pub(crate) fn tend(&self, reservation: Reservation, line: Line, mut task: Box<RunTask>) {
        let (engine, run, reports) = (self.clone(), reservation.run(), line.reports.clone());
        reservation.drive(line, async move {
            // Boxed, so that it is kept once, and not by each that it is handed to.
            let driven = Box::pin(engine.drive_by(run, &mut task));
            engine.see_through(run, reports, driven).await
        });
    }

    /// Sees to it that a run which breaks, or panics, is set aside, and says so to whoever follows it.
    async fn see_through(
        &self,
        run: RunId,
        reports: Reports,
        driven: impl Future<Output = Result<Drove, Broken>>,
    ) -> Drove {
        let broken = match caught::work(driven).await {
            Ok(drove) => return drove,
            Err(broken) => broken,
        };
        let Some(why) = SetAside::broken(&broken) else {
            tracing::error!(%run, %broken, "the run is no longer driven");
            reports.amend(|report| report.broken = Some(broken.to_string()));
            return Drove::UntilItBroke;
        };
        Box::pin(self.set_aside(run, &why)).await;
        reports.amend(|report| {
            report.status = Status::Stuck;
            report.set_aside = Some(why);
        });
        Drove::UntilItBroke
    }

    async fn note(&self, mark: Mark) -> Result<(), CommitError> {
        self.committer().commit(Unit { marks: vec![mark], ..Unit::default() }).await.map(|_| ())
    }

    /// Waits while runs are carried out alone, unless the engine stops.
    pub(crate) async fn until_nobody_is_alone(&self) {
        tokio::select! {
            biased;
            () = self.stopped() => {}
            () = self.alone().over() => {}
        }
    }
}
