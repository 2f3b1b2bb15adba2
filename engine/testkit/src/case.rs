//! One case: a workflow, its input, the services, and what people ask for meanwhile.

use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded};
use engine_core::id::{Name, Side};
use engine_core::payload::Payload;
use engine_core::request::{Demand, Resolution};
use engine_runtime::tasks::Tasks;
use serde_json::Value;

use crate::services::{Behaviour, Script};

/// One case to be simulated.
#[derive(Clone)]
pub struct Case {
    pub(crate) name: String,
    pub(crate) definition: Arc<Definition>,
    pub(crate) input: Value,
    pub(crate) services: Script,
    pub(crate) tasks: Option<Arc<dyn Tasks>>,
    pub(crate) acts: Vec<(Point, Act)>,
    pub(crate) downtime: Duration,
    pub(crate) lasts: Duration,
}

/// A moment in a run.
#[derive(Clone)]
pub enum Point {
    /// The run was started.
    Begun,
    /// An attempt of the step's forward side was begun, this many at least.
    InFlight(Name, u32),
    /// An attempt to undo the step was begun.
    Undoing(Name),
    /// The step failed this often and waits for another attempt.
    Waiting(Name, u32),
    /// A step ended well.
    Completed(Name),
    /// The step, or its compensation, waits for an operator.
    Stuck(Name),
    /// A fact of this kind was recorded.
    Recorded(fn(&Event) -> bool),
    /// Nothing more happens by itself: the run ended, is stuck, or nothing can move.
    AtRest,
}

/// What is done at a point.
#[derive(Clone)]
pub enum Act {
    /// Somebody asks the run for something, under an id that is the same however often it is sent.
    Ask(Demand),
    /// Time passes before the next act is looked at.
    Wait(Duration),
    /// From now on an endpoint behaves so.
    Change(String, Behaviour),
}

impl Case {
    /// A case of this workflow; nobody asks for anything meanwhile.
    pub fn new(name: &str, definition: Arc<Definition>, input: Value, services: Script) -> Self {
        let (tasks, acts) = (None, Vec::new());
        let (downtime, lasts) = (Duration::ZERO, Duration::from_hours(24));
        Self { name: name.to_owned(), definition, input, services, tasks, acts, downtime, lasts }
    }

    /// Every process has these tasks, none unless said.
    pub fn with_tasks(self, tasks: Arc<dyn Tasks>) -> Self {
        Self { tasks: Some(tasks), ..self }
    }

    /// Once this point is reached, and the acts before are done, this is done.
    pub fn at(mut self, point: Point, act: Act) -> Self {
        self.acts.push((point, act));
        self
    }

    /// This much time passes between the end of a process and the next.
    pub fn with_downtime(self, downtime: Duration) -> Self {
        Self { downtime, ..self }
    }

    /// The case is over after this long, a day if nothing else is said: a run may try again without end.
    pub fn lasting(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Act {
    /// An operator resolves this step.
    pub fn resolve(step: &str, action: Resolution) -> Self {
        Self::Ask(Demand::Resolve { step: Some(step.into()), action, output: None })
    }

    /// Somebody cancels the run.
    pub fn cancel() -> Self {
        Self::Ask(Demand::Cancel { reason: None })
    }

    /// Somebody terminates the run.
    pub fn terminate() -> Self {
        Self::Ask(Demand::Terminate { reason: None })
    }

    /// Somebody sends a signal.
    pub fn signal(name: &str, payload: &Value) -> Self {
        let payload = Payload::json(payload.to_string().into_bytes());
        Self::Ask(Demand::Signal { name: name.into(), payload })
    }

    /// Somebody has the ended run carried out anew from this step on.
    pub fn rerun(from: &str) -> Self {
        Self::Ask(Demand::Rerun { from: from.into() })
    }

    /// An operator says that this step was done, and gave this.
    pub fn resolve_done(step: &str, output: &Value) -> Self {
        let output = Some(Payload::json(output.to_string().into_bytes()));
        Self::Ask(Demand::Resolve { step: Some(step.into()), action: Resolution::Done, output })
    }
}

impl Point {
    /// An attempt of this step is in flight.
    pub fn in_flight(step: &str) -> Self {
        Self::InFlight(step.into(), 1)
    }

    /// The step waits for its second attempt.
    pub fn waiting(step: &str) -> Self {
        Self::Waiting(step.into(), 1)
    }

    /// Whether a run with this history has been there. [`Point::AtRest`] is not seen in a history.
    pub(crate) fn is_passed(&self, history: &[Recorded]) -> bool {
        let count = |is: &dyn Fn(&Event) -> bool| history.iter().filter(|recorded| is(&recorded.event)).count();
        let at_least = |wanted: u32, is: &dyn Fn(&Event) -> bool| count(is) >= wanted as usize;
        match self {
            Self::Begun => !history.is_empty(),
            Self::InFlight(name, wanted) => at_least(*wanted, &|event| match event {
                Event::StepScheduled { step, .. } | Event::AttemptStarted { step, side: Side::Forward, .. } => {
                    step == name
                }
                _ => false,
            }),
            Self::Undoing(name) => {
                at_least(1, &|event| matches!(event, Event::CompensationStarted { step, .. } if step == name))
            }
            Self::Waiting(name, wanted) => {
                at_least(*wanted, &|event| matches!(event, Event::AttemptFailed(failed) if failed.step == *name))
            }
            Self::Completed(name) => {
                at_least(1, &|event| matches!(event, Event::StepCompleted { step, .. } if step == name))
            }
            Self::Stuck(name) => at_least(1, &|event| match event {
                Event::StepStuck { step, .. } | Event::CompensationFailed { step, .. } => step == name,
                _ => false,
            }),
            Self::Recorded(is) => at_least(1, is),
            Self::AtRest => false,
        }
    }
}
