//! Whoever wants to know what happens to runs, as it happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine_core::event::Recorded;
use engine_core::id::RunId;
use engine_runtime::Observer;

use crate::history::HistoryEvent;

type Call = dyn Fn(&str, &HistoryEvent) + Send + Sync;

/// A function that is told of every event.
#[derive(Clone)]
pub(crate) struct Hook(Arc<Call>);

impl Hook {
    pub(crate) fn new(hook: impl Fn(&str, &HistoryEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn observer(self) -> Arc<dyn Observer> {
        Arc::new(self)
    }
}

impl Observer for Hook {
    fn recorded(&self, run: RunId, events: &[Recorded]) {
        let run = run.to_string();
        // What others make of it must not concern the run.
        let told = catch_unwind(AssertUnwindSafe(|| {
            for event in events {
                (self.0)(&run, &HistoryEvent::of(event));
            }
        }));
        if told.is_err() {
            tracing::error!(run, "what observes the engine panicked");
        }
    }
}
