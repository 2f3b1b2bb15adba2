//! Going from run to run, whatever rows they have left.

use engine_core::id::RunId;
use engine_store::keys::{self, Space};
use engine_store::{Diagnosis, StoreError};

use super::RESTORE;
use crate::removal::CLASSES;
use crate::shared::Look;

/// The spaces in which rows are kept by run.
const SPACES: [Space; 7] =
    [Space::Events, Space::Index, Space::TimerOf, Space::InboxId, Space::Inbox, Space::Mark, Space::ClaimOf];

/// All runs of which there is any row, in order. It needs no memory for them: it looks at each space for its next run.
pub(super) struct Runs {
    spaces: Vec<Ahead>,
}

/// A space, and its first run that has not been given yet.
struct Ahead {
    prefix: Vec<u8>,
    next: Next,
}

enum Next {
    /// To be looked for, from this key on.
    From(Vec<u8>),
    Run(RunId),
    None,
}

impl Runs {
    pub(super) fn new() -> Self {
        let prefixes = SPACES.map(keys::space).into_iter().chain(CLASSES.map(keys::class));
        Self { spaces: prefixes.map(|prefix| Ahead { next: Next::From(prefix.clone()), prefix }).collect() }
    }

    /// The next run. A page that can't be read is noted, and the rest of its space is not looked at for runs; most of
    /// them are known from other spaces.
    pub(super) fn next(&mut self, look: &impl Look, diagnosis: &mut Diagnosis) -> Result<Option<RunId>, StoreError> {
        for space in &mut self.spaces {
            let Next::From(from) = &space.next else { continue };
            let found =
                look.look(|database| database.range(from.clone(), keys::after(&space.prefix)).next().transpose());
            let found = diagnosis.read(None, found, RESTORE)?.flatten();
            space.next = match found {
                Some((key, _)) => keys::run_at(&key, space.prefix.len()).map_or(Next::None, Next::Run),
                None => Next::None,
            };
        }
        let ahead = self.spaces.iter().filter_map(|space| match space.next {
            Next::Run(run) => Some(run),
            Next::From(_) | Next::None => None,
        });
        let Some(run) = ahead.min() else { return Ok(None) };
        for space in &mut self.spaces {
            if matches!(space.next, Next::Run(next) if next == run) {
                let mut of_run = space.prefix.clone();
                of_run.extend_from_slice(run.as_bytes());
                space.next = keys::after(&of_run).map_or(Next::None, Next::From);
            }
        }
        Ok(Some(run))
    }
}
