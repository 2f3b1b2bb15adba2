//! A run while it goes on: live on a terminal, a line for each event that matters elsewhere.

mod plain;
mod terminal;

use std::io::{self, IsTerminal};
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded};
use engine_core::id::{RunId, Seq};
use tokio::time::{Interval, MissedTickBehavior};

pub(crate) use plain::Plain;
use terminal::Terminal;

/// How often a terminal is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// The moments at which [`Progress::tick`] is called.
pub(crate) fn ticks() -> Interval {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// Where progress goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// With the outcome, for people.
    StandardOutput,
    /// Out of the way of a JSON document.
    StandardError,
}

/// What is shown of a run while it goes on.
pub(crate) trait Progress: Send {
    /// Takes in the next event, which is durable; events up to `past` happened before anybody looked.
    fn event(&mut self, recorded: &Recorded, past: Seq);
    /// Time has passed.
    fn tick(&mut self);
    /// Says something about the whole.
    fn say(&mut self, text: &str);
    /// Nothing more comes.
    fn end(&mut self);
}

/// The progress of a run that is followed alone.
pub(crate) fn of_run(run: RunId, definition: Option<&Definition>, target: Target) -> Box<dyn Progress> {
    let is_terminal = match target {
        Target::StandardOutput => io::stdout().is_terminal(),
        Target::StandardError => io::stderr().is_terminal(),
    };
    if is_terminal {
        Box::new(Terminal::new(run, definition.map_or(0, |definition| definition.steps().len()), target))
    } else {
        Box::new(Plain::new(target, String::new()))
    }
}

/// Whether the outcome that follows says the same.
fn is_outcome(event: &Event) -> bool {
    matches!(
        event,
        Event::RunStarted(_)
            | Event::RunCompleted { .. }
            | Event::RunCompensated { .. }
            | Event::RunFailed { .. }
            | Event::RunCancelled { .. }
    )
}
