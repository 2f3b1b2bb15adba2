//! What was handed in, mostly runs: the process stays until they rest, and then takes in no more.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use engine_core::id::RunId;
use tokio::sync::watch;

/// Counts what was handed in.
#[derive(Clone, Debug)]
pub(crate) struct HandedIn {
    count: Arc<watch::Sender<Count>>,
}

#[derive(Clone, Debug, Default)]
struct Count {
    /// Who may keep the process here.
    stays: usize,
    /// How many stay for each run.
    runs: BTreeMap<RunId, usize>,
    leaving: bool,
}

/// A run that was handed in and does not rest yet, or something else that is done for another process.
#[derive(Debug)]
pub(crate) struct Stay {
    handed: HandedIn,
    run: Option<RunId>,
    /// Whether it counts no more.
    is_removed: bool,
}

impl HandedIn {
    pub(crate) fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(Count::default())) }
    }

    /// Takes something in; none once the process is about to leave. That is decided in one step with the count, so
    /// nothing is taken in by a process that has just found nothing to stay for.
    pub(crate) fn enter(&self) -> Option<Stay> {
        let enter = |count: &mut Count| {
            count.stays += usize::from(!count.leaving);
            !count.leaving
        };
        self.count.send_if_modified(enter).then(|| Stay { handed: self.clone(), run: None, is_removed: false })
    }

    /// How many runs it stays for.
    pub(crate) fn runs(&self) -> usize {
        self.count.borrow().runs.len()
    }

    /// How much else it stays for.
    pub(crate) fn others(&self) -> usize {
        let count = self.count.borrow();
        count.stays.saturating_sub(count.runs.values().sum())
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.count.borrow().leaving
    }

    /// Takes nothing in any more, whatever is open.
    pub(crate) fn leave(&self) {
        self.count.send_modify(|count| count.leaving = true);
    }

    /// Waits until nothing is open, and then takes nothing in any more.
    pub(crate) async fn settled(&self) {
        let mut changes = self.count.subscribe();
        let leave_if_none_is_open = |count: &mut Count| {
            count.leaving |= count.stays == 0;
            count.leaving
        };
        while !self.count.send_if_modified(leave_if_none_is_open) {
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

impl Stay {
    /// Says for which run it is.
    pub(crate) fn for_run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self.handed.count.send_modify(|count| *count.runs.entry(run).or_default() += 1);
        self
    }

    /// The same, unless somebody else stays for the run too. That is decided in one step, so that one stays.
    pub(crate) fn unless_others_stay(mut self) -> Option<Self> {
        let mut is_spare = false;
        self.handed.count.send_modify(|count| {
            is_spare = self.run.is_some_and(|run| count.runs.get(&run).is_some_and(|stays| *stays > 1));
            if is_spare {
                count.remove(self.run);
            }
        });
        self.is_removed = is_spare;
        (!is_spare).then_some(self)
    }
}

impl Count {
    fn remove(&mut self, run: Option<RunId>) {
        self.stays = self.stays.saturating_sub(1);
        if let Some(Entry::Occupied(mut stays)) = run.map(|run| self.runs.entry(run)) {
            *stays.get_mut() -= 1;
            if *stays.get() == 0 {
                stays.remove();
            }
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if !self.is_removed {
            self.handed.count.send_modify(|count| count.remove(self.run));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_stays_for_what_was_handed_in_and_then_takes_nothing_in() {
        let handed = HandedIn::new();
        let run = RunId::from_bytes([7; 16]);
        let [one, two] = [handed.enter(), handed.enter()].map(|stay| stay.unwrap().for_run(run));
        let settled = tokio::spawn({
            let handed = handed.clone();
            async move { handed.settled().await }
        });
        assert!(one.unless_others_stay().is_none(), "another one stays");
        tokio::task::yield_now().await;
        assert!(!settled.is_finished() && handed.runs() == 1 && !handed.is_leaving());
        drop(two.unless_others_stay().unwrap());
        settled.await.unwrap();
        assert!(handed.is_leaving() && handed.runs() == 0 && handed.enter().is_none());
    }
}
