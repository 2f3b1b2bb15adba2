//! Who follows a run is told what the store says.

use std::sync::Arc;

use engine_core::state::Status;
use engine_runtime::{Engine, Finished, read};
use engine_store::MemoryStore;
use tokio::time::timeout;

use crate::stage::Stage;
use crate::world::{self, SOON, World, answer};

#[tokio::test]
async fn the_end_that_is_told_is_that_of_the_history() {
    let (world, stage, store) = (World::new(), Stage::new(), Arc::new(MemoryStore::new()));
    let mut options = stage.options();
    options.transport = world.clone();
    // Larger than what an event holds, small enough, and a failure.
    world.script("/s1", [answer(200, &format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000)))]);
    world.script("/s3", [answer(400, "{}")]);
    let engine = Engine::open(store.clone(), options).await.unwrap();
    for (length, status) in [(2, Status::Completed), (3, Status::Failed)] {
        let run = engine.start(world::start(&world::chain(length), &length.to_string())).await.unwrap().run;
        let handle = engine.drive(run).await.unwrap();
        let finished = timeout(SOON, handle.finish()).await.unwrap();
        let Finished::Ended(end) = finished else { panic!("{finished:?}") };
        assert_eq!(end.status(), status);
        assert_eq!(*end, read::state(&*store, run).await.unwrap());
    }
}
