//! What holds of every run.

use std::sync::Arc;

use engine_core::event::{Event, StopCause};
use engine_core::machine::Command;
use proptest::prelude::*;

use crate::audit::audit;
use crate::driver::{Driver, Plan, Scene, Supply};
use crate::expected::completes;
use crate::spec::{Spec, specs};

fn check(scene: &Scene) {
    audit(scene);
    let completed = matches!(scene.history.last().unwrap().event, Event::RunCompleted { .. });
    let turned = scene.history.iter().any(|recorded| match &recorded.event {
        Event::StopBegan { cause } => *cause == StopCause::Cancelled,
        Event::RunCancelled { .. } => true,
        _ => false,
    });
    if let Some(expected) = completes(&scene.spec, &scene.cut_off).filter(|_| !turned) {
        assert_eq!(completed, expected, "whether the run completes");
    }
}

fn events(spec: &Arc<Spec>, plan: Plan) -> Scene {
    Driver::new(spec, plan).finish(|_| {})
}

proptest! {
    /// Whatever services, operators and crashes do: the run ends, and its history keeps to the rules.
    #[test]
    fn every_run_ends_by_the_rules(spec in specs(40), crashes in 0..6usize, unsent in 0..4usize) {
        let plan = Plan { crashes, unsent, ..Plan::CALM };
        check(&Driver::new(&Arc::new(spec), plan).finish(|_| {}));
    }

    /// Also where somebody pauses, resumes, cancels, terminates and signals at any moment.
    #[test]
    fn every_run_answers_by_the_rules(spec in specs(20), crashes in 0..6usize, unsent in 0..3usize, requests in 1..16usize) {
        let plan = Plan { crashes, unsent, requests, ..Plan::CALM };
        check(&Driver::new(&Arc::new(spec), plan).finish(|_| {}));
    }

    /// A run can be cut after any turn, and goes on by the rules.
    #[test]
    fn every_turn_survives_a_crash(spec in specs(8), unsent in 0..2usize, requests in 0..6usize) {
        let mut scenes = Vec::new();
        let plan = Plan { unsent, requests, ..Plan::CALM };
        Driver::new(&Arc::new(spec), plan).finish(|scene| scenes.push(scene.clone()));
        for scene in scenes {
            let mut machine = scene.machine();
            let turn = scene.decide(&mut machine);
            let active: Vec<Command> = scene.active.values().cloned().collect();
            prop_assert_eq!(&turn.events, &vec![], "taking up a run decides nothing");
            prop_assert_eq!(&turn.commands, &active, "a run that is taken up hands out what was in flight");
            prop_assert_eq!(machine.outstanding(), active);
            check(&Driver::after_crash(scene).finish(|_| {}));
        }
    }

    /// The same inputs give the same events: again, however payloads are supplied, and however often the run is put
    /// out of memory.
    #[test]
    fn decisions_repeat(spec in specs(12), unsent in 0..3usize, requests in 0..6usize) {
        let spec = Arc::new(spec);
        let calm = Plan { unsent, requests, ..Plan::CALM };
        let first = events(&spec, calm);
        for (supply, anew) in [
            (Supply::AsAsked, false),
            (Supply::OneByOne, false),
            (Supply::Ahead, false),
            (Supply::OneByOne, true),
            (Supply::Ahead, true),
        ] {
            let again = events(&spec, Plan { supply, anew, ..calm });
            prop_assert_eq!(&first.history, &again.history, "{:?}, anew: {}", supply, anew);
            prop_assert_eq!(&first.turns, &again.turns);
            prop_assert_eq!(&first.sends, &again.sends);
        }
    }
}
