//! Threads that may block and panic.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use engine_store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::panics::{self, THREADS};

/// How many jobs may wait for a thread; who brings more waits.
const QUEUE_LEN: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads that do jobs in the order in which they come.
pub(crate) struct Pool {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn new(name: &str, threads: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>(QUEUE_LEN);
        let queue = Arc::new(Mutex::new(queue));
        let spawn = |number: usize| {
            let queue = Arc::clone(&queue);
            let work = move || {
                while let Some(job) = next(&queue) {
                    job();
                }
            };
            thread::Builder::new().name(format!("{THREADS}-{name}-{number}")).spawn(work)
        };
        let threads = (0..threads).map(spawn).collect::<io::Result<_>>()?;
        Ok(Self { jobs: Some(jobs), threads })
    }

    /// Has a thread do this.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job = move || drop(answer.send(panics::guard(what, job)));
        jobs.send(Box::new(job)).await.map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn next(queue: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Jobs are guarded, so a thread does not panic.
            let _ = thread.join();
        }
    }
}
