//! Panics of sled, which it has instead of errors for damaged files and broken disks.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError, Weak};
use std::thread;

use engine_store::StoreError;
use tokio::sync::oneshot;

use crate::files;
use crate::shared::Shared;

/// What the names of this crate's threads begin with.
pub(crate) const THREADS: &str = "engine-store";

/// Open stores, to be failed when one of sled's own threads panics.
static OPEN: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Does something with sled; a panic becomes an error.
///
/// After one, nothing that sled says is to be relied on any more, so the store must end.
pub(crate) fn guard<T>(what: &str, act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // What the panic may have left half done is never looked at again: the caller ends the store.
    panic::catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|panic| Err(StoreError::Io { what: what.to_owned(), why: text(panic.as_ref()) }))
}

/// Does something with sled on a thread of its own, where a panic is not printed, and waits for it.
pub(crate) fn aside<T: Send>(name: &str, act: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
    silence();
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(format!("{THREADS}-{name}"))
            .spawn_scoped(scope, || guard("using the data directory", act))
            .map_err(|error| StoreError::Io { what: "starting a thread".to_owned(), why: error.to_string() })?;
        thread.join().unwrap_or(Err(StoreError::Closed))
    })
}

/// The same for a caller that must not block. Where the caller no longer waits, it is done all the same.
pub(crate) async fn apart<T: Send + 'static>(
    name: &str,
    act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (answer, answered) = oneshot::channel();
    thread::Builder::new()
        .name(format!("{THREADS}-{name}"))
        .spawn(move || drop(answer.send(guard("using the data directory", act))))
        .map_err(|error| StoreError::Io { what: "starting a thread".to_owned(), why: error.to_string() })?;
    answered.await.unwrap_or(Err(StoreError::Closed))
}

/// Fails `shared` when a thread of sled panics: whoever waits for that thread would wait for ever.
pub(crate) fn watch(shared: Weak<Shared>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|shared| shared.strong_count() > 0);
    open.push(shared);
}

/// Keeps panics that become errors from being printed as well. The hook that was there gets all others.
pub(crate) fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            let name = thread.name().unwrap_or_default();
            if name.starts_with("sled") || name.starts_with("log flusher") {
                fail_all(&text(info.payload()));
            } else if !name.starts_with(THREADS) {
                before(info);
            }
        }));
    });
}

fn fail_all(why: &str) {
    // Whoever holds the lock may be the one that panics.
    let open = OPEN.try_lock().map(|open| open.clone()).unwrap_or_default();
    for shared in open.iter().filter_map(Weak::upgrade) {
        shared.fail(StoreError::Io { what: "writing the database".to_owned(), why: why.to_owned() });
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(|| "it panicked".to_owned(), |text| files::readable(&text))
}
