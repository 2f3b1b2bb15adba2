//! Progress on a terminal: what has happened above, what is going on below, live.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine_core::event::{Event, Recorded};
use engine_core::id::{Name, RunId, Seq, Side};
use engine_core::state::{Activity, State};
use engine_core::time::Timestamp;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Progress, Target, is_outcome};
use crate::render::{event, failure, time};

/// Lines that are live at once; more are only counted.
const LIVE: usize = 12;

/// Redraws per second.
const REDRAWS: u8 = 10;

/// Live progress.
pub(crate) struct Terminal {
    screen: MultiProgress,
    run: RunId,
    state: Option<State>,
    steps: usize,
    live: BTreeMap<(Name, Side), Live>,
    summary: ProgressBar,
    began: Instant,
}

/// A line about one side of a step that something is going on with.
struct Live {
    bar: ProgressBar,
    since: Instant,
    shows: Shows,
}

/// What such a line says.
enum Shows {
    InFlight { attempt: u32 },
    Waiting { attempt: u32, why: String, delay: Duration, until: String },
    Still { text: String },
}

impl Terminal {
    /// Live progress of a run with this many steps.
    pub(crate) fn new(run: RunId, steps: usize, target: Target) -> Self {
        let target = match target {
            Target::StandardOutput => ProgressDrawTarget::stdout_with_hz(REDRAWS),
            Target::StandardError => ProgressDrawTarget::stderr_with_hz(REDRAWS),
        };
        let screen = MultiProgress::with_draw_target(target);
        let summary = screen.add(line("{msg}"));
        Self { screen, run, state: None, steps, live: BTreeMap::new(), summary, began: Instant::now() }
    }

    fn apply(&mut self, recorded: &Recorded) {
        match &mut self.state {
            Some(state) => state.apply(recorded),
            // Events come from the first one on.
            None => self.state = State::begin(self.run, recorded).ok(),
        }
    }

    /// Brings the live lines of a step up to date.
    fn refresh(&mut self, step: &Name, at: Timestamp) {
        for side in [Side::Forward, Side::Compensation] {
            let shows = self.state.as_ref().and_then(|state| shows(state, step, side, at));
            self.show((step.clone(), side), shows);
        }
    }

    /// Shows this on the live line, which comes and goes with what it says.
    fn show(&mut self, key: (Name, Side), shows: Option<Shows>) {
        let room = self.live.len() < LIVE;
        match (shows, self.live.get_mut(&key)) {
            (Some(shows), Some(live)) => (live.shows, live.since) = (shows, Instant::now()),
            (Some(shows), None) if room => {
                let bar = self.screen.insert_before(&self.summary, line("{spinner} {msg}"));
                self.live.insert(key, Live { bar, since: Instant::now(), shows });
            }
            (Some(_), None) => {}
            (None, _) => {
                if let Some(live) = self.live.remove(&key) {
                    live.bar.finish_and_clear();
                    self.screen.remove(&live.bar);
                }
            }
        }
    }

    fn summarize(&self) {
        let Some(state) = &self.state else { return };
        let over = state.steps().filter(|(_, step)| step.forward.is_ended()).count();
        let steps = self.steps.max(over);
        let elapsed = time::span(Duration::from_secs(self.began.elapsed().as_secs()));
        let hidden = state.in_flight().saturating_sub(self.live.len());
        let hidden = if hidden > 0 { format!(" · {hidden} more in flight") } else { String::new() };
        self.summary.set_message(format!("{} · {over} of {steps} steps · {elapsed}{hidden}", state.status()));
        self.summary.tick();
    }
}

impl Progress for Terminal {
    fn event(&mut self, recorded: &Recorded, past: Seq) {
        self.apply(recorded);
        for step in recorded.event.steps() {
            self.refresh(step, recorded.at);
        }
        if recorded.seq == past {
            let over = self.state.iter().flat_map(State::steps).filter(|(_, step)| step.forward.is_ended()).count();
            self.say(&format!("goes on: {over} of {} steps are over", self.steps.max(over)));
        } else if recorded.seq > past && !is_outcome(&recorded.event) && !is_live(&recorded.event) {
            let mark = mark(&recorded.event);
            self.say(&format!("{mark} {}", event::text(recorded)));
        }
        self.tick();
    }

    fn tick(&mut self) {
        for ((step, side), live) in &self.live {
            live.bar.set_message(format!("{}: {}", event::subject(step, *side), live.text()));
            live.bar.tick();
        }
        self.summarize();
    }

    fn say(&mut self, text: &str) {
        // A terminal that has gone away is no reason to stop the run.
        let _ = self.screen.println(text);
    }

    fn end(&mut self) {
        let _ = self.screen.clear();
    }
}

impl Live {
    fn text(&self) -> String {
        let passed = self.since.elapsed();
        match &self.shows {
            Shows::InFlight { attempt: 0 | 1 } => format!("in flight, {}", seconds(passed)),
            Shows::InFlight { attempt } => format!("attempt {attempt} in flight, {}", seconds(passed)),
            Shows::Waiting { attempt, why, delay, until } => {
                let left = seconds(delay.saturating_sub(passed));
                format!("attempt {attempt} failed: {why}; next in {left}, at {until} UTC")
            }
            Shows::Still { text } => text.clone(),
        }
    }
}

/// What there is to say about one side of a step while something goes on with it.
fn shows(state: &State, step: &Name, side: Side, now: Timestamp) -> Option<Shows> {
    let known = state.step(step);
    let attempt = known.tries(side).attempt;
    match state.activity(step, side) {
        Activity::Idle => None,
        Activity::InFlight => Some(Shows::InFlight { attempt }),
        Activity::BackingOff { due } => {
            let why = match side {
                Side::Forward => known.failure.as_ref(),
                Side::Compensation => known.undo.failure.as_ref(),
            };
            let why = why.map(failure).unwrap_or_default();
            Some(Shows::Waiting { attempt, why, delay: due.since(now), until: time::clock(due) })
        }
        Activity::Parked => Some(Shows::Still { text: "not sent: the run is stuck".to_owned() }),
        Activity::Stuck => Some(Shows::Still { text: "stuck: it waits for an operator".to_owned() }),
    }
}

/// Tenths of a second while they matter.
fn seconds(span: Duration) -> String {
    let tenths = u64::try_from(span.as_millis() / 100).unwrap_or(u64::MAX);
    time::span(Duration::from_millis(tenths.saturating_mul(100)))
}

fn line(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

/// Whether a live line says the same.
fn is_live(event: &Event) -> bool {
    matches!(
        event,
        Event::StepScheduled { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptFailed(_)
            | Event::CompensationStarted { .. }
            | Event::CompensationAttemptFailed(_)
    )
}

fn mark(event: &Event) -> &'static str {
    match event {
        Event::StepCompleted { .. } => "✓",
        Event::CompensationCompleted { .. } => "↩",
        Event::StepFailed { .. } => "✗",
        Event::StepSkipped { .. } | Event::CompensationSkipped { .. } => "–",
        Event::StepStuck { .. } | Event::CompensationFailed { .. } | Event::RunStuck { .. } => "!",
        _ => "·",
    }
}

#[cfg(test)]
mod tests {
    use engine_core::state::Forward;

    use super::*;
    use crate::render::sample;

    #[test]
    fn live_lines_follow_what_goes_on() {
        let mut terminal = Terminal::new(sample::run(), 3, Target::StandardError);
        terminal.screen.set_draw_target(ProgressDrawTarget::hidden());
        let mut seen = Vec::new();
        for recorded in sample::compensated() {
            terminal.event(&recorded, Seq(0));
            seen.push(
                terminal.live.keys().map(|(step, side)| event::subject(step, *side)).collect::<Vec<_>>().join(" "),
            );
        }
        let expected = ["", "charge", "charge", "charge", "", "record", "", "", "undo charge", "", ""];
        assert_eq!(seen, expected);
        let ended = terminal.state.as_ref().map(|state| state.step(&Name::new("charge")).forward);
        assert_eq!(ended, Some(Forward::Done));
    }
}
