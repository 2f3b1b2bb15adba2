//! How far a run is, as its task tells it to whoever follows the run.

use std::sync::Arc;

use engine_core::id::Seq;
use engine_core::state::{State, Status};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::set_aside::SetAside;

/// How far a driven run is; told after each durable turn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The position of its last durable event.
    pub(crate) last: Seq,
    /// Its status.
    pub(crate) status: Status,
    /// Why it is no longer driven, although it has not ended.
    pub(crate) broken: Option<String>,
    /// Why it is set aside.
    pub(crate) set_aside: Option<SetAside>,
}

impl Report {
    /// That the run is so far.
    pub(crate) fn at(last: Seq, status: Status) -> Self {
        Self { last, status, broken: None, set_aside: None }
    }

    /// Whether nothing more happens to the run by itself.
    pub(crate) fn rests(&self) -> bool {
        self.status.is_terminal() || self.status == Status::Stuck || self.broken.is_some() || self.set_aside.is_some()
    }
}

/// Where a run's task tells how far the run is.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    each: watch::Sender<Report>,
    /// Apart from the others, so that who waits for a run to rest is not woken at every turn.
    rest: watch::Sender<Rest>,
}

/// Whether a run rests.
#[derive(Clone, Debug)]
enum Rest {
    No,
    /// It does; how it ended, where it was told.
    Yes(Option<Arc<State>>),
}

/// How far a run is, for who follows it.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    each: watch::Receiver<Report>,
    rest: watch::Receiver<Rest>,
}

impl Reports {
    pub(crate) fn new(report: Report) -> Self {
        let rest = if report.rests() { Rest::Yes(None) } else { Rest::No };
        Self { each: watch::Sender::new(report), rest: watch::Sender::new(rest) }
    }

    /// Follows the run from now on.
    pub(crate) fn follow(&self) -> Followed {
        Followed { each: self.each.subscribe(), rest: self.rest.subscribe() }
    }

    /// Whether anybody follows the run.
    pub(crate) fn is_followed(&self) -> bool {
        self.each.receiver_count() > 0
    }

    /// Returns once nobody follows the run.
    pub(crate) async fn unfollowed(&self) {
        self.each.closed().await;
    }

    /// What was told last.
    pub(crate) fn last(&self) -> Report {
        self.each.borrow().clone()
    }

    /// Tells how far the run is.
    pub(crate) fn tell(&self, report: Report) {
        self.tell_with(report, None);
    }

    /// Tells how far the run is: to its end, whose state this is.
    pub(crate) fn tell_end(&self, report: Report, end: &State) {
        self.tell_with(report, self.is_followed().then(|| Arc::new(end.clone())));
    }

    fn tell_with(&self, report: Report, end: Option<Arc<State>>) {
        let rests = report.rests();
        self.each.send_replace(report);
        self.rest.send_if_modified(|rest| {
            let is_news = rests != matches!(rest, Rest::Yes(_));
            *rest = if rests { Rest::Yes(end) } else { Rest::No };
            is_news
        });
    }

    /// Tells that what was told last is not all.
    pub(crate) fn amend(&self, change: impl FnOnce(&mut Report)) {
        let mut report = self.last();
        change(&mut report);
        self.tell(report);
    }
}

impl Followed {
    /// What was told last.
    pub(crate) fn report(&self) -> Report {
        self.each.borrow().clone()
    }

    /// What was told last; [`Followed::told`] waits for what is told later.
    pub(crate) fn take_report(&mut self) -> Report {
        self.each.borrow_and_update().clone()
    }

    /// Waits until something is told; false once nothing ever is.
    pub(crate) async fn told(&mut self) -> bool {
        self.each.changed().await.is_ok()
    }

    /// Waits until the run is further than this, or rests; false once nothing is told any more.
    pub(crate) async fn further(&mut self, after: Seq) -> bool {
        self.each.wait_for(|report| report.last > after || report.rests()).await.is_ok()
    }

    /// Waits until the run rests, or nothing is told any more. Gives how it ended, where that was told.
    pub(crate) async fn rested(&mut self) -> Option<Arc<State>> {
        match &*self.rest.wait_for(|rest| matches!(rest, Rest::Yes(_))).await.ok()? {
            Rest::Yes(end) => end.clone(),
            Rest::No => None,
        }
    }

    /// Whether something may still be told.
    pub(crate) fn is_told(&self) -> bool {
        self.each.has_changed().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_rest_is_told_once_it_rests() {
        let reports = Reports::new(Report::at(Seq(1), Status::Running));
        let mut followed = reports.follow();
        reports.tell(Report::at(Seq(2), Status::Running));
        assert!(followed.further(Seq(1)).await && followed.report().last == Seq(2));
        reports.amend(|report| report.broken = Some("the disk is full".to_owned()));
        assert!(followed.rested().await.is_none() && followed.report().rests());
        reports.tell(Report::at(Seq(3), Status::Running));
        drop(reports);
        assert!(followed.rested().await.is_none() && !followed.report().rests(), "it went on, and is told no more");
        assert!(!followed.is_told() && !followed.further(Seq(3)).await);
    }
}
