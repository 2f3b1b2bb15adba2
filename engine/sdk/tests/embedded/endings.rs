//! How runs end, as their callers are told; and what may be asked of them.

use std::sync::Arc;

use engine::{Answer, Ask, CancelReason, Client, ClientError, RunError, RunStatus};

use crate::order::{CURSED, NOTHING, TOO_MUCH, World, brief_engine, workflow};

#[tokio::test]
async fn a_refusal_of_the_first_step_fails_the_run() {
    let world = World::open();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), NOTHING).await.unwrap();
    let RunError::Failed { failure: Some(failure), residue } = run.result().await.unwrap_err() else { panic!() };
    assert_eq!((failure.step.as_str(), failure.code.as_str()), ("reserve", "NOTHING_ORDERED"));
    assert_eq!(failure.message, "it is worth nothing");
    assert_eq!((residue, run.status().await.unwrap()), (vec![], RunStatus::Failed));
    assert!(world.done().is_empty());
}

#[tokio::test]
async fn a_later_refusal_undoes_what_was_done() {
    let world = World::open();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), TOO_MUCH).await.unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!(error.to_string(), "the run failed and was undone: step `charge`: TOO_MUCH: nobody has that much");
    assert!(matches!(error, RunError::Compensated { failure: Some(failure) } if failure.code == "TOO_MUCH"));
    assert_eq!(world.done(), ["reserve", "release"]);
}

#[tokio::test]
async fn a_pivot_of_which_nobody_knows_is_stuck_until_somebody_sees_to_it() {
    let world = World::open();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), CURSED).await.unwrap();
    let RunError::Stuck { run: id, reasons } = run.result().await.unwrap_err() else { panic!() };
    assert_eq!(id, run.id());
    assert!(reasons[0].contains("record") && reasons[0].contains("PEN_BROKE"), "{reasons:?}");
    assert_eq!(run.status().await.unwrap(), RunStatus::Stuck);
    assert_eq!(world.done(), ["reserve", "charge"], "nothing is undone");
    run.ask(Ask::Terminate { reason: Some("torn up".to_owned()) }).await.unwrap();
    let RunError::Cancelled { reason, residue } = run.result().await.unwrap_err() else { panic!() };
    assert_eq!((reason, residue), (CancelReason::Terminated, vec!["reserve".to_owned()]));
}

#[tokio::test]
async fn a_run_is_cancelled_and_undone_while_a_task_is_at_work() {
    let world = World::closed();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), 100).await.unwrap();
    world.until_charging(1).await;
    assert_eq!(run.cancel().await.unwrap(), Answer::Accepted);
    let RunError::Cancelled { reason, residue } = run.result().await.unwrap_err() else { panic!() };
    assert_eq!((reason, residue.len()), (CancelReason::Cancelled, 0));
    assert_eq!(world.done(), ["reserve", "release"]);
    let refused = run.cancel().await.unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { code, .. } if code == "ENDED"), "{refused}");
    let refused = run.signal("hello", "you").await.unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { code, .. } if code == "ENDED"), "{refused}");
}

#[tokio::test]
async fn a_paused_run_begins_nothing_until_it_is_resumed() {
    let world = World::closed();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), 100).await.unwrap();
    world.until_charging(1).await;
    assert_eq!(run.ask(Ask::Pause).await.unwrap(), Answer::Accepted);
    let mut events = run.events();
    world.let_charge();
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        if event.step.as_deref() == Some("charge") && event.kind == engine::EventKind::StepCompleted {
            break;
        }
    }
    assert_eq!(run.status().await.unwrap(), RunStatus::Paused);
    assert_eq!(world.done(), ["reserve", "charge"]);
    assert_eq!(run.ask(Ask::Resume).await.unwrap(), Answer::Accepted);
    assert_eq!(run.result().await.unwrap(), "receipt over 100");
}

/// Who got no answer asks again under the same id.
#[tokio::test]
async fn a_request_that_is_repeated_gets_its_first_answer() {
    let world = World::closed();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), 100).await.unwrap();
    let client: Arc<dyn Client> = engine.client();
    let ask = async |ask| client.ask(run.id(), "request-1", ask).await;
    assert_eq!(ask(Ask::Pause).await.unwrap(), Answer::Accepted);
    assert_eq!(run.ask(Ask::Resume).await.unwrap(), Answer::Accepted);
    assert_eq!(ask(Ask::Pause).await.unwrap(), Answer::Accepted, "and nothing happens");
    world.let_charge();
    assert_eq!(run.result().await.unwrap(), "receipt over 100");
    assert_eq!(ask(Ask::Pause).await.unwrap(), Answer::Accepted);
    let unknown = client.look("01a20959-a6bd-781b-91cd-7c473dbe2580").await.unwrap_err();
    assert!(matches!(unknown, ClientError::Unknown(_)), "{unknown}");
}
