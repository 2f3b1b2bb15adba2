//! What a directory keeps between two engines, and who may open it.

use std::sync::Arc;

use engine::{ClientError, Engine, OpenError, RegisterError, RunStatus, StartError};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::order::{World, engine, workflow};

#[tokio::test]
async fn the_next_engine_goes_on_with_what_was_open_and_knows_what_has_ended() {
    let (dir, order) = (TempDir::new().unwrap(), workflow().unwrap());
    let world = World::open();
    let first = engine(dir.path(), &world).await;
    let ended = first.start(&order, 100).id("order-1").await.unwrap();
    assert_eq!(ended.result().await.unwrap(), "receipt over 100");
    first.shutdown().await.unwrap();

    let closed = World::closed();
    let second = engine(dir.path(), &closed).await;
    let open = second.start(&order, 200).id("order-2").await.unwrap();
    closed.until_charging(1).await;
    let (waiter, asked) = (open.clone(), tokio::spawn(async move { waiter_result(&open).await }));
    second.shutdown_within(std::time::Duration::ZERO).await.unwrap();
    assert!(asked.await.unwrap().contains("shut"), "who waits is told");

    let third = engine(dir.path(), &world).await;
    let found = third.find(&order, "order-2").await.unwrap();
    assert_eq!(found.id(), waiter.id());
    assert_eq!(found.result().await.unwrap(), "receipt over 200");
    let found = third.find(&order, "order-1").await.unwrap();
    assert_eq!((found.id(), found.status().await.unwrap()), (ended.id(), RunStatus::Completed));
    assert_eq!(found.result().await.unwrap(), "receipt over 100");
    assert_eq!(world.done(), ["reserve", "charge", "record", "charge", "record"], "nothing is done again");
    assert_eq!(closed.done(), ["reserve"]);
    third.shutdown().await.unwrap();
}

async fn waiter_result(run: &engine::RunHandle<String>) -> String {
    run.result().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_start_with_an_id_can_be_repeated() {
    let (dir, order, world) = (TempDir::new().unwrap(), workflow().unwrap(), World::open());
    // An id may look like that of a run.
    let id = "01a20959-a6bd-781b-91cd-7c473dbe2580";
    let first = engine(dir.path(), &world).await;
    let run = first.start(&order, 100).id(id).label("shop", "north").await.unwrap();
    let again = first.start(&order, 100).id(id).await.unwrap();
    assert_eq!((run.is_new(), again.is_new(), again.id()), (true, false, run.id()));
    assert_eq!(first.find(&order, id).await.unwrap().id(), run.id());
    assert_eq!(first.find(&order, run.id()).await.unwrap().id(), run.id());
    run.result().await.unwrap();
    first.shutdown().await.unwrap();

    let second = engine(dir.path(), &world).await;
    let again = second.start(&order, 100).id(id).await.unwrap();
    assert_eq!((again.is_new(), again.id()), (false, run.id()));
    let other = second.start(&order, 200).id(id).await.unwrap_err();
    assert!(matches!(&other, StartError::Id(why) if why.contains(id)), "{other}");
    let unknown = second.find(&order, "order-2").await.unwrap_err();
    assert!(matches!(&unknown, ClientError::Unknown(id) if id == "order-2"), "{unknown}");
    assert_eq!(world.done(), ["reserve", "charge", "record"]);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_run_is_forgotten_once_it_has_ended() {
    let (order, world) = (workflow().unwrap(), World::closed());
    let engine = crate::order::brief_engine(&world).await;
    let run = engine.start(&order, 100).id("order-1").await.unwrap();
    let refused = run.delete().await.unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { code, .. } if code == "OPEN"), "{refused}");
    world.let_charge();
    run.result().await.unwrap();
    run.delete().await.unwrap();
    assert!(matches!(engine.find(&order, "order-1").await, Err(ClientError::Unknown(_))));
    assert!(matches!(run.status().await, Err(ClientError::Unknown(_))));
    let retired = engine.start(&order, 100).id("order-1").await.unwrap_err();
    assert!(matches!(retired, StartError::Id(_)), "{retired}");
}

#[tokio::test]
async fn what_can_not_be_started_leaves_nothing() {
    let (dir, order, world) = (TempDir::new().unwrap(), workflow().unwrap(), World::open());
    let engine = engine(dir.path(), &world).await;
    for id in ["", "a\nb", &"x".repeat(300)] {
        let refused = engine.start(&order, 100).id(id).await.unwrap_err();
        assert!(matches!(refused, StartError::Id(_)), "{id}: {refused}");
    }
    let stranger = engine::Workflow::builder("stranger");
    let same = stranger.value::<u32>("same", stranger.input::<u32>());
    let stranger = stranger.finish(same).unwrap();
    let refused = engine.start(&stranger, 100).await.unwrap_err();
    assert!(matches!(&refused, StartError::NotRegistered(name) if name == "stranger"), "{refused}");
    engine.shutdown().await.unwrap();
    assert!(matches!(engine.start(&order, 100).await, Err(StartError::ShuttingDown)));
    assert!(matches!(engine.find(&order, "order-1").await, Err(ClientError::ShuttingDown(_))));
    assert!(world.done().is_empty());
}

#[tokio::test]
async fn one_engine_has_a_directory() {
    let (dir, world) = (TempDir::new().unwrap(), World::open());
    let first = engine(dir.path(), &world).await;
    let order = workflow().unwrap();
    let second = || Engine::open(dir.path()).register(&order).state(world.clone()).start();
    let refused = second().await.unwrap_err();
    assert!(matches!(refused, OpenError::Directory(_)), "{refused:?}");
    let said = refused.to_string();
    assert!(said.contains("in use") && said.contains(&std::process::id().to_string()), "{said}");
    first.shutdown().await.unwrap();
    second().await.unwrap().shutdown().await.unwrap();
}

/// A program may forget to shut its engine down before its tokio runtime ends.
#[test]
fn an_engine_whose_runtime_is_gone_leaves_the_directory_to_the_next() {
    let (dir, order) = (TempDir::new().unwrap(), workflow().unwrap());
    let runtime = || Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = runtime();
    let forgotten = first.block_on(async {
        let world = World::closed();
        let engine = engine(dir.path(), &world).await;
        engine.start(&order, 100).id("order-1").await.unwrap();
        world.until_charging(1).await;
        engine
    });
    drop(first);
    drop(forgotten);
    runtime().block_on(async {
        let engine = engine(dir.path(), &World::open()).await;
        assert_eq!(engine.find(&order, "order-1").await.unwrap().result().await.unwrap(), "receipt over 100");
        engine.shutdown().await.unwrap();
    });
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_before_the_directory_is_made() {
    let (dir, order) = (TempDir::new().unwrap(), workflow().unwrap());
    let path = dir.path().join("data");
    let refused = Engine::open(&path).register(&order).start().await.unwrap_err();
    assert!(matches!(&refused, OpenError::Register(RegisterError::StateMissing { .. })), "{refused:?}");
    let said = refused.to_string();
    assert!(said.contains("workflow `order`") && said.contains("World"), "{said}");

    let other = engine::Workflow::builder("order");
    let same = other.value::<u32>("same", other.input::<u32>());
    let other = other.finish(same).unwrap();
    let world: Arc<World> = World::open();
    let refused = Engine::open(&path).register(&order).register(&other).state(world).start().await.unwrap_err();
    assert!(matches!(&refused, OpenError::Register(RegisterError::WorkflowTwice { .. })), "{refused:?}");
    assert!(!path.exists());
}
