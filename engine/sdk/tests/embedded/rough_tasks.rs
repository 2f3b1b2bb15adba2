//! Tasks that misbehave: the engine goes on, and so do all other runs.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use engine::{DefinitionError, Engine, Retry, RunError, StepContext, TaskError, Workflow};
use tokio::sync::watch;

/// Holds the threads of tasks until the test lets them go.
struct Held {
    begun: watch::Sender<usize>,
    until: Mutex<Receiver<()>>,
}

async fn panics(_: StepContext, number: u32) -> Result<u32, TaskError> {
    assert!(number == 0, "this task panics");
    Ok(number)
}

/// Blocks its thread, and knows nothing of time.
async fn blocks(cx: StepContext, number: u32) -> Result<u32, TaskError> {
    let held = Arc::clone(&*cx.state::<Arc<Held>>()?);
    held.begun.send_modify(|begun| *begun += 1);
    held.until.lock().unwrap().recv()?;
    Ok(number)
}

async fn computes(cx: StepContext, number: u32) -> Result<u32, TaskError> {
    cx.blocking(move || number + 1).await
}

async fn leaks(_: StepContext, number: u32) -> Result<u32, TaskError> {
    // It outlives its attempt, and the run.
    tokio::spawn(std::future::pending::<()>());
    Ok(number)
}

fn panicking() -> Result<Workflow<u32, u32>, DefinitionError> {
    let wf = Workflow::builder("panicking");
    let step = wf.step("panics", panics, wf.input::<u32>()).retry(Retry::fixed(2, "1ms"));
    wf.finish(step)
}

fn blocking() -> Result<Workflow<u32, u32>, DefinitionError> {
    let wf = Workflow::builder("blocking");
    let step = wf.step("blocks", blocks, wf.input::<u32>()).retry(Retry::never()).timeout("100ms");
    wf.finish(step)
}

fn well_behaved() -> Result<Workflow<u32, u32>, DefinitionError> {
    let wf = Workflow::builder("well_behaved");
    let leaked = wf.step("leaks", leaks, wf.input::<u32>());
    let step = wf.step("computes", computes, leaked);
    wf.finish(step)
}

#[tokio::test]
async fn a_panic_is_a_failure_like_any_other() {
    let (rough, well) = (panicking().unwrap(), well_behaved().unwrap());
    let engine = Engine::in_memory().register(&rough).register(&well).start().await.unwrap();
    let error = engine.start(&rough, 1).await.unwrap().result().await.unwrap_err();
    let RunError::Failed { failure: Some(failure), .. } = error else { panic!("{error}") };
    assert_eq!(failure.code, "PANICKED");
    assert!(failure.message.contains("this task panics"), "{failure}");
    assert_eq!(engine.start(&rough, 0).await.unwrap().result().await.unwrap(), 0);
    assert_eq!(engine.start(&well, 1).await.unwrap().result().await.unwrap(), 2);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_task_that_blocks_its_thread_times_out_and_what_it_gives_later_is_dropped() {
    let (release, until) = channel();
    let held = Arc::new(Held { begun: watch::Sender::new(0), until: Mutex::new(until) });
    let (rough, well) = (blocking().unwrap(), well_behaved().unwrap());
    let engine = Engine::in_memory().register(&rough).register(&well).state(held.clone()).task_threads(2);
    let engine = engine.start().await.unwrap();
    let error = engine.start(&rough, 1).await.unwrap().result().await.unwrap_err();
    let RunError::Failed { failure: Some(failure), .. } = error else { panic!("{error}") };
    assert_eq!(failure.code, "TIMEOUT");
    // One of two threads is still blocked.
    assert_eq!(engine.start(&well, 1).await.unwrap().result().await.unwrap(), 2);
    assert_eq!(engine.late_results(), 0);
    release.send(()).unwrap();
    while engine.late_results() == 0 {
        tokio::task::yield_now().await;
    }
    engine.shutdown().await.unwrap();
}

/// All threads of tasks are blocked: the engine itself has its own, and answers.
#[tokio::test]
async fn an_engine_whose_tasks_have_no_thread_left_still_answers() {
    let (release, until) = channel();
    let held = Arc::new(Held { begun: watch::Sender::new(0), until: Mutex::new(until) });
    let rough = blocking().unwrap();
    let engine = Engine::in_memory().register(&rough).state(held.clone()).task_threads(1).start().await.unwrap();
    let (first, second) = (engine.start(&rough, 1).await.unwrap(), engine.start(&rough, 2).await.unwrap());
    held.begun.subscribe().wait_for(|begun| *begun == 1).await.unwrap();
    assert!(matches!(first.result().await, Err(RunError::Failed { .. })));
    assert!(matches!(second.result().await, Err(RunError::Failed { .. })));
    drop(release);
    engine.shutdown().await.unwrap();
}
