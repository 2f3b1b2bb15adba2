//! Pages of lists.

use engine_core::id::RunId;

use crate::error::StoreError;
use crate::keys;
use crate::row::TimerRow;

/// Where a list goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(pub Vec<u8>);

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; none where this is the last.
    pub next: Option<Cursor>,
}

impl Cursor {
    /// The cursor that goes on after this run.
    pub fn after(run: RunId) -> Self {
        Self(run.as_bytes().to_vec())
    }

    /// The cursor that goes on after this timer.
    pub fn after_timer(timer: &TimerRow) -> Self {
        Self(keys::timer(timer.clock, timer.due, timer.run, &timer.timer))
    }

    /// The run that the list goes on after. A cursor comes from outside, so it may be anything.
    pub fn run(&self) -> Result<RunId, StoreError> {
        let bytes = <[u8; 16]>::try_from(self.0.as_slice());
        bytes.map(RunId::from_bytes).map_err(|_| StoreError::Damaged {
            what: "the cursor of a list".to_owned(),
            why: format!("it has {} bytes instead of 16", self.0.len()),
        })
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` of these items. Where there are more the page has a next one, so look one item
    /// further than the page.
    pub fn of(items: Vec<T>, limit: usize, run: impl Fn(&T) -> RunId) -> Self {
        Self::cut(items, limit, |item| Cursor::after(run(item)))
    }

    /// The same for a list that goes on after something else than a run.
    pub fn cut(mut items: Vec<T>, limit: usize, after: impl Fn(&T) -> Cursor) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(after) } else { None };
        Self { items, next }
    }
}
