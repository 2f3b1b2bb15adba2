//! Panics of one run's work, caught so that they concern that run only.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::run::Broken;

/// What the work on a run gives; where it panics, the run is broken.
pub(crate) async fn work<T>(work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    caught(Box::pin(work)).await.unwrap_or_else(|why| Err(Broken::Panicked(why)))
}

/// What the work gives, or what it panicked with. What it worked on is dropped with it, so nothing half done is seen.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    let poll = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(text(&*panic))),
    });
    poll.await
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
