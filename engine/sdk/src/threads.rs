//! The threads that tasks are carried out on.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads of their own for tasks: one that a task blocks is lost to other tasks, and to nobody else.
#[derive(Debug)]
pub(crate) struct TaskThreads(Option<Runtime>);

/// As few as let one task block while another one goes on.
const FEWEST: usize = 2;

impl TaskThreads {
    /// So many threads, else as many as the machine has.
    pub(crate) fn new(threads: Option<usize>) -> io::Result<Self> {
        let threads = threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(FEWEST, |threads| threads.get().max(FEWEST))
        });
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_name("engine-task").enable_all();
        builder.build().map(|runtime| Self(Some(runtime)))
    }

    /// For whoever has something to carry out on them.
    pub(crate) fn handle(&self) -> Handle {
        match &self.0 {
            Some(runtime) => runtime.handle().clone(),
            // Taken only when this is dropped.
            None => Handle::current(),
        }
    }
}

impl Drop for TaskThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Not to wait for a task that blocks, which also may not be done where others are awaited.
            runtime.shutdown_background();
        }
    }
}
