//! The table "requests by phase": every request in every phase of a run, paused or not, and repeated.

use engine_core::event::Event;
use engine_core::id::{Name, Side};
use engine_core::machine::after_end;
use engine_core::payload::Payload;
use engine_core::request::{Demand, Resolution};
use serde_json::json;

use super::kit::{Story, answered, step, undoable};
use super::words::answer_word;

/// How far the run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Two steps before the pivot are in flight.
    Plain,
    /// One of them was not sent for want of a secret.
    StuckAsAWhole,
    PivotInFlight,
    /// The pivot waits for its next attempt; it did nothing yet.
    PivotHarmless,
    /// The pivot waits for its next attempt; what it did is unknown.
    PivotUnknown,
    PivotStuck,
    /// What comes after it is in flight.
    PivotDone,
    Stopping,
    /// An undoing is in flight.
    Backward,
    /// An undoing waits for an operator.
    UndoStuck,
    After,
    Ended,
}

use At::{
    After, Backward, Ended, PivotDone, PivotHarmless, PivotInFlight, PivotStuck, PivotUnknown, Plain, Stopping,
    StuckAsAWhole, UndoStuck,
};

const EVERY: [At; 12] = [
    Plain,
    StuckAsAWhole,
    PivotInFlight,
    PivotHarmless,
    PivotUnknown,
    PivotStuck,
    PivotDone,
    Stopping,
    Backward,
    UndoStuck,
    After,
    Ended,
];
const OPEN: &[At] = EVERY.first_chunk::<11>().unwrap();
const FORWARD: &[At] = EVERY.first_chunk::<7>().unwrap();
const TURNED: &[At] = &[Stopping, Backward, UndoStuck, After];

const DEMANDS: [&str; 10] = [
    "signal",
    "cancel",
    "terminate",
    "pause",
    "resume",
    "resolve p --done",
    "resolve a --done",
    "resolve run",
    "rerun",
    "delete",
];

/// Whether the run was paused before the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum If {
    Going,
    Paused,
    Either,
}

use If::{Either, Going, Paused};

/// The request, where the run is, its answer, what is recorded besides, and the status afterwards: `=` stands for the
/// one before, `going` for the one that the run would have were it not paused.
type Row = (&'static str, &'static [At], If, &'static str, &'static [&'static str], &'static str);

const TABLE: &[Row] = &[
    ("signal", FORWARD, Either, "accepted", &[], "="),
    ("signal", TURNED, Either, "no-op", &[], "="),
    ("signal", &[Ended], Going, "refused ENDED", &[], "="),
    ("cancel", &[Plain], Either, "accepted", &["stop by cancel"], "Compensating"),
    (
        "cancel",
        &[StuckAsAWhole],
        Either,
        "accepted",
        &["run unstuck", "stop by cancel", "fail x none", "undo a"],
        "Compensating",
    ),
    ("cancel", &[PivotHarmless], Either, "accepted", &["stop by cancel", "fail p none", "undo a"], "Compensating"),
    ("cancel", &[PivotInFlight, PivotUnknown, PivotStuck], Either, "held", &[], "going"),
    ("cancel", &[PivotDone], Either, "refused PIVOT_DONE", &[], "="),
    ("cancel", TURNED, Either, "no-op", &[], "="),
    ("cancel", &[Ended], Going, "refused ENDED", &[], "="),
    ("terminate", &[Plain], Either, "accepted", &["fail a unknown", "fail x unknown", "CANCELLED +a"], "Cancelled"),
    ("terminate", &[StuckAsAWhole], Either, "accepted", &["fail x none", "CANCELLED +a"], "Cancelled"),
    ("terminate", &[PivotInFlight, PivotUnknown], Either, "accepted", &["fail p unknown", "CANCELLED +a"], "Cancelled"),
    ("terminate", &[PivotHarmless], Either, "accepted", &["fail p none", "CANCELLED +a"], "Cancelled"),
    ("terminate", &[PivotStuck, UndoStuck], Either, "accepted", &["CANCELLED +a"], "Cancelled"),
    ("terminate", &[PivotDone], Either, "accepted", &["fail b unknown", "CANCELLED +a +b"], "Cancelled"),
    ("terminate", &[Stopping], Either, "accepted", &["fail a unknown", "CANCELLED +a"], "Cancelled"),
    ("terminate", &[Backward], Either, "accepted", &["undo stuck a", "CANCELLED +a"], "Cancelled"),
    ("terminate", &[After], Either, "accepted", &["forgive tell unknown", "CANCELLED"], "Cancelled"),
    ("terminate", &[Ended], Going, "refused ENDED", &[], "="),
    ("pause", OPEN, Going, "accepted", &[], "Paused"),
    ("pause", OPEN, Paused, "no-op", &[], "="),
    ("pause", &[Ended], Going, "refused ENDED", &[], "="),
    ("resume", OPEN, Going, "no-op", &[], "="),
    ("resume", OPEN, Paused, "accepted", &[], "going"),
    ("resume", &[Ended], Going, "refused ENDED", &[], "="),
    ("resolve p --done", &[PivotStuck], Going, "accepted", &["done p", "begin b"], "Running"),
    ("resolve p --done", &[PivotStuck], Paused, "accepted", &["done p"], "Paused"),
    (
        "resolve p --done",
        &[Plain, StuckAsAWhole, PivotInFlight, PivotHarmless, PivotUnknown, PivotDone],
        Either,
        "refused NOT_STUCK",
        &[],
        "=",
    ),
    ("resolve p --done", TURNED, Either, "refused NOT_STUCK", &[], "="),
    ("resolve p --done", &[Ended], Going, "refused ENDED", &[], "="),
    ("resolve a --done", FORWARD, Either, "refused NOT_STUCK", &[], "="),
    ("resolve a --done", &[UndoStuck], Going, "accepted", &["undone a", "begin tell"], "Compensating"),
    ("resolve a --done", &[UndoStuck], Paused, "accepted", &["undone a"], "Paused"),
    ("resolve a --done", &[Stopping, Backward, After], Either, "refused NOT_STUCK", &[], "="),
    ("resolve a --done", &[Ended], Going, "refused ENDED", &[], "="),
    ("resolve run", &[StuckAsAWhole], Going, "accepted", &["run unstuck"], "Running"),
    ("resolve run", &[StuckAsAWhole], Paused, "accepted", &["run unstuck"], "Paused"),
    (
        "resolve run",
        &[Plain, PivotInFlight, PivotHarmless, PivotUnknown, PivotStuck, PivotDone],
        Either,
        "refused NOT_STUCK",
        &[],
        "=",
    ),
    ("resolve run", TURNED, Either, "refused NOT_STUCK", &[], "="),
    ("resolve run", &[Ended], Going, "refused ENDED", &[], "="),
    ("rerun", OPEN, Either, "refused OPEN", &[], "="),
    ("rerun", &[Ended], Going, "for whoever holds its history", &[], "="),
    ("delete", OPEN, Either, "refused OPEN", &[], "="),
    ("delete", &[Ended], Going, "for whoever holds its history", &[], "="),
];

fn demand(name: &str) -> Demand {
    let resolve = |step: Option<&str>, action, output: Option<&str>| Demand::Resolve {
        step: step.map(Name::new),
        action,
        output: output.map(|output| Payload::json(output.as_bytes())),
    };
    match name {
        "signal" => Demand::Signal { name: Name::new("go"), payload: Payload::json(*b"1") },
        "cancel" => Demand::Cancel { reason: Some("fraud".to_owned()) },
        "terminate" => Demand::Terminate { reason: None },
        "pause" => Demand::Pause,
        "resume" => Demand::Resume,
        "resolve p --done" => resolve(Some("p"), Resolution::Done, Some("1")),
        "resolve a --done" => resolve(Some("a"), Resolution::Done, Some("1")),
        "resolve run" => resolve(None, Resolution::Retry, None),
        "rerun" => Demand::Rerun { from: Name::new("a") },
        "delete" => Demand::Delete,
        other => panic!("{other}"),
    }
}

/// A run that came so far: `a` and `x`, then the pivot `p`, then `b`.
fn come_to(at: At) -> Story {
    let steps = json!({
        "a": undoable(&[], json!({})), "x": step(&[], json!({})),
        "p": step(&["a", "x"], json!({ "pivot": true })), "b": undoable(&["p"], json!({}))
    });
    let mut run = Story::with(steps, json!({ "on_failure": { "tell": step(&[], json!({})) } }));
    match at {
        Plain => {}
        StuckAsAWhole => {
            run.lacks_secret("x", Side::Forward);
            run.answers("a", 200);
        }
        PivotInFlight | PivotHarmless | PivotUnknown | PivotStuck | PivotDone => {
            run.answers("a", 200);
            run.answers("x", 200);
        }
        Stopping | Backward | UndoStuck | After | Ended => run.answers("x", 422),
    }
    match at {
        PivotHarmless => run.answers("p", 429),
        PivotUnknown => run.answers("p", 500),
        PivotStuck => run.answers("p", 302),
        PivotDone => run.answers("p", 200),
        Backward | UndoStuck | After | Ended => run.answers("a", 200),
        Plain | StuckAsAWhole | PivotInFlight | Stopping => {}
    }
    match at {
        UndoStuck => run.undo_answers("a", 422),
        After | Ended => run.undo_answers("a", 200),
        Plain | StuckAsAWhole | PivotInFlight | PivotHarmless | PivotUnknown | PivotStuck | PivotDone | Stopping
        | Backward => {}
    }
    if at == Ended {
        run.ends("tell", Side::Forward, answered(200, &json!(null)));
        run.turn();
    }
    run
}

fn rows(name: &str, at: At, paused: bool) -> impl Iterator<Item = &'static Row> {
    let fits = move |row: &&Row| {
        row.0 == name && row.1.contains(&at) && matches!((row.2, paused), (Either, _) | (Going, false) | (Paused, true))
    };
    TABLE.iter().filter(fits)
}

fn answers(run: &Story, id: &str) -> usize {
    let is_answer = |event: &Event| matches!(event, Event::RequestAnswered { id: own, .. } if own == id);
    run.history.iter().filter(|recorded| is_answer(&recorded.event)).count()
}

fn check(name: &str, at: At, paused: bool) {
    let cell = format!("{name}, {at:?}, paused: {paused}");
    let found: Vec<&Row> = rows(name, at, paused).collect();
    let [(_, _, _, expected, besides, status)] = found[..] else { panic!("{cell}: {} rows", found.len()) };
    let mut run = come_to(at);
    let going = run.status();
    if paused {
        run.pause();
    }
    run.news();
    let before = run.status();
    run.demands("r", demand(name));
    run.turn();
    let answer = if at == Ended {
        assert_eq!(run.news(), [""; 0], "{cell}: an ended run is not written to");
        let answer = after_end(run.state(), &demand(name));
        answer.map_or_else(|| "for whoever holds its history".to_owned(), |answer| answer_word(&answer))
    } else {
        let mut news = run.news();
        assert_eq!(news.remove(0), run.answer_to("r"), "{cell}: the answer comes first");
        assert_eq!(news, *besides, "{cell}");
        run.answer_to("r")
    };
    assert_eq!(answer, *expected, "{cell}");
    let status = match *status {
        "=" => before.to_string(),
        "going" => going.to_string(),
        other => other.to_owned(),
    };
    assert_eq!(run.status().to_string(), status, "{cell}");
    is_answered_once(&mut run, name, at, &answer, &cell);
}

/// A repeat gets the first answer, whatever it asks for, also after a restart; it changes nothing.
fn is_answered_once(run: &mut Story, name: &str, at: At, answer: &str, cell: &str) {
    let status = run.status();
    for again in [name, "terminate", "pause"] {
        run.demands("r", demand(again));
        run.turn();
        assert_eq!(run.news(), [""; 0], "{cell}: a repeat");
        assert_eq!(run.status(), status, "{cell}: a repeat");
    }
    run.crashes();
    run.news();
    let status = run.status();
    run.demands("r", demand("terminate"));
    run.demands("r", demand(name));
    run.turn();
    assert_eq!((run.news(), run.status()), (Vec::new(), status), "{cell}: a repeat after a restart");
    assert_eq!(answers(run, "r"), usize::from(at != Ended), "{cell}");
    match at {
        Ended => assert_eq!(after_end(run.state(), &demand(name)).is_some(), answer.starts_with("refused"), "{cell}"),
        _ => assert_eq!(run.answer_to("r"), answer, "{cell}: a repeat after a restart"),
    }
}

#[test]
fn every_request_is_answered_by_the_table() {
    for name in DEMANDS {
        for at in EVERY {
            check(name, at, false);
            if at != Ended {
                check(name, at, true);
            }
        }
    }
}

#[test]
fn no_row_stands_for_nothing() {
    for (name, places, ..) in TABLE {
        assert!(DEMANDS.contains(name) && !places.is_empty(), "{name}");
        assert!(places.iter().all(|at| EVERY.contains(at)));
    }
}

#[test]
fn a_request_that_comes_with_the_end_of_the_run_is_not_recorded() {
    let mut run = come_to(After);
    run.news();
    run.ends("tell", Side::Forward, answered(200, &json!(null)));
    run.demands("late", demand("terminate"));
    run.turn();
    assert_eq!(run.news(), ["done tell", "COMPENSATED"]);
    assert_eq!(answer_word(&after_end(run.state(), &demand("terminate")).unwrap()), "refused ENDED");
}
