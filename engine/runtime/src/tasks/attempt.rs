//! One attempt of a task: begun on its own threads, awaited for as long as it may take, and then left alone.

use std::sync::Arc;
use std::time::Duration;

use engine_core::bounds as core_bounds;
use engine_core::event::StuckReason;
use engine_core::failure::{Effect, Failure};
use engine_core::id::{Name, RunId};
use engine_core::machine::{Again, AttemptOutcome, Send, TaskFailure};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

use super::context::Inner;
use super::{Late, Note, Stopped, Task, TaskContext, TaskEnd, Undecodable};
use crate::bounds;
use crate::caught::caught;
use crate::clock::Clock;
use crate::http::{Binder, Transport};
use crate::memory::PayloadMemory;

/// What tasks of one run work in.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) run: RunId,
    pub(crate) workflow: Name,
    pub(crate) workflow_id: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) binder: Binder,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) memory: PayloadMemory,
    pub(crate) notes: mpsc::Sender<Box<Note>>,
    /// Where tasks are carried out; where the engine is, unless said.
    pub(crate) threads: Option<Handle>,
    pub(crate) late: Late,
}

/// One attempt.
pub(crate) struct TaskAttempt {
    pub(crate) send: Send,
    pub(crate) args: Arc<[u8]>,
    pub(crate) forward: Effect,
    pub(crate) last_checkpoint: Option<Arc<[u8]>>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) turned: Option<watch::Receiver<bool>>,
}

/// How an attempt ended, as its run is told.
pub(crate) enum Outcome {
    /// So.
    Ended(AttemptOutcome),
    /// It did nothing, and an operator has to see to it.
    Unbound { reason: StuckReason, message: String },
}

/// What comes back from the task's own thread.
type Came = Result<Result<TaskEnd, Undecodable>, String>;

impl World {
    /// Makes the attempt and says how it ended, within its timeout. Dropping the future abandons it.
    pub(crate) async fn attempt(&self, task: Arc<dyn Task>, attempt: TaskAttempt) -> Outcome {
        let TaskAttempt { send, args, forward, last_checkpoint, stopping, turned } = attempt;
        let (abandon, abandoned) = watch::channel(false);
        let (name, timeout) = (send.step.clone(), send.timeout);
        let deadline = self.clock.now().after(timeout);
        let span = tracing::info_span!(
            "task", run = %self.run, workflow = %self.workflow, step = %send.step, side = ?send.side,
            attempt = send.attempt
        );
        let context = TaskContext::new(Inner {
            run: self.run,
            workflow: self.workflow.clone(),
            workflow_id: self.workflow_id.clone(),
            send,
            forward,
            deadline,
            last_checkpoint,
            clock: self.clock.clone(),
            binder: self.binder.clone(),
            transport: self.transport.clone(),
            memory: self.memory.clone(),
            notes: self.notes.clone(),
            stopped: Stopped { abandoned, stopping, turned },
            engine: Handle::current(),
        });
        let (tell, mut told) = oneshot::channel::<Came>();
        let late = self.late.clone();
        let work = async move {
            // Whatever the task does when it is called is its own code too, and so is reading its arguments.
            let came = caught(async move {
                match task.begin(context, &args) {
                    Ok(work) => Ok(work.await),
                    Err(undecodable) => Err(undecodable),
                }
            });
            if tell.send(came.await).is_err() {
                late.one_more();
                tracing::warn!("the task came back when nobody waited for it any more: its result is dropped");
            }
        };
        let threads = self.threads.clone().unwrap_or_else(Handle::current);
        let work = threads.spawn(work.instrument(span)).abort_handle();
        let mut left_alone = LeftAlone { abandon, work, clock: self.clock.clone(), is_over: false };
        let came = tokio::select! {
            biased;
            came = &mut told => came,
            () = self.clock.sleep_until(deadline) => return Outcome::Ended(timed_out(&name, timeout)),
        };
        left_alone.is_over = true;
        // The sender is dropped only with the threads that tasks run on.
        came.map_or_else(|_| Outcome::Ended(lost("the process ends")), outcome)
    }
}

fn outcome(came: Came) -> Outcome {
    match came {
        Ok(Ok(TaskEnd::Gave(json))) if json.len() > core_bounds::MAX_PAYLOAD => {
            let (len, limit) = (json.len(), core_bounds::MAX_PAYLOAD);
            let message = format!("what the task gives has {len} bytes; {limit} are the most");
            Outcome::Ended(failed("PAYLOAD_TOO_LARGE", message, Again::No))
        }
        Ok(Ok(TaskEnd::Gave(json))) => Outcome::Ended(AttemptOutcome::Gave(json.into())),
        Ok(Ok(TaskEnd::Failed(failure))) => Outcome::Ended(AttemptOutcome::Failed(failure)),
        Ok(Ok(TaskEnd::Unbound { reason, message })) => Outcome::Unbound { reason, message },
        Ok(Err(Undecodable(message))) => Outcome::Unbound { reason: StuckReason::InputUndecodable, message },
        Err(panic) => {
            Outcome::Ended(failed("PANICKED", format!("the task panicked: {panic}"), Again::Yes { not_before: None }))
        }
    }
}

/// A failure after which it is not known what the task did.
fn failed(code: &str, message: String, again: Again) -> AttemptOutcome {
    let failure = Failure::new(code, message);
    AttemptOutcome::Failed(TaskFailure { failure, again, did_nothing: false, settles: false })
}

fn lost(message: &str) -> AttemptOutcome {
    AttemptOutcome::Lost { timed_out: false, message: message.to_owned() }
}

fn timed_out(step: &Name, timeout: Duration) -> AttemptOutcome {
    let took = engine_core::time::DisplayDuration(timeout);
    AttemptOutcome::Lost { timed_out: true, message: format!("the task of step `{step}` took longer than {took}") }
}

/// A task that nobody waits for any more: it is told so, and stopped where it next waits for something once it had
/// the time to tidy up.
struct LeftAlone {
    abandon: watch::Sender<bool>,
    work: tokio::task::AbortHandle,
    clock: Arc<dyn Clock>,
    is_over: bool,
}

impl Drop for LeftAlone {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.abandon.send_replace(true);
        let (work, clock) = (self.work.clone(), self.clock.clone());
        match Handle::try_current() {
            Ok(engine) => drop(engine.spawn(async move {
                clock.sleep_until(clock.now().after(bounds::TASK_GRACE)).await;
                work.abort();
            })),
            Err(_) => work.abort(),
        }
    }
}
