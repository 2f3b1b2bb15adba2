//! Progress as lines, for logs and pipes.

use engine_core::event::Recorded;
use engine_core::id::Seq;

use crate::print;
use crate::progress::{Progress, Target, is_outcome};
use crate::render::{count, event};

/// Progress as lines.
pub(crate) struct Plain {
    target: Target,
    prefix: String,
    /// Whether it was said what had happened before.
    past_said: bool,
}

impl Plain {
    /// Lines that begin with `prefix`.
    pub(crate) fn new(target: Target, prefix: String) -> Self {
        Self { target, prefix, past_said: false }
    }

    fn line(&self, text: &str) {
        let line = format!("{}{text}", self.prefix);
        match self.target {
            Target::StandardOutput => print::line(&line),
            Target::StandardError => print::note(&line),
        }
    }
}

impl Progress for Plain {
    fn event(&mut self, recorded: &Recorded, past: Seq) {
        if recorded.seq <= past {
            if !self.past_said {
                self.past_said = true;
                let events = count(usize::try_from(past.0).unwrap_or(usize::MAX), "event");
                self.line(&format!("goes on after {events}"));
            }
        } else if !is_outcome(&recorded.event) {
            self.line(&event::text(recorded));
        }
    }

    fn tick(&mut self) {}

    fn say(&mut self, text: &str) {
        self.line(text);
    }

    fn end(&mut self) {}
}
