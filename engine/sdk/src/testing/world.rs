//! What outlives the simulated processes of a test: time, randomness, services, and what they were asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_core::time::Timestamp;
use engine_runtime::{Clock as _, Options, Secrets};
use engine_store::MemoryStore;
use engine_testkit::{FaultStore, Life, Planned, SeededRandom, SimClock};
use tokio::runtime::Builder;

use super::TestEngine;
use super::doubles::Doubles;
use super::service::Services;
use crate::bound::Program;

/// When every test begins.
const START: Timestamp = Timestamp::from_millis(1_750_000_000_000);

/// A hundred years: who waits longer waits for ever.
const LASTS: Duration = Duration::from_hours(24 * 365 * 100);

/// What outlives the simulated processes of a test.
pub(super) struct World {
    pub(super) clock: Arc<SimClock>,
    random: Arc<SeededRandom>,
    pub(super) services: Arc<Services>,
    pub(super) doubles: Arc<Doubles>,
    pub(super) program: Program,
    store: Mutex<Arc<FaultStore>>,
}

/// How a simulated process came to its end.
pub(super) enum Lived<R> {
    /// The test was through.
    Through(R),
    /// It was cut off.
    Crashed,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        let clock = Arc::new(SimClock::starting_at(START));
        clock.limit(START.after(LASTS));
        Arc::new(Self {
            clock,
            random: Arc::new(SeededRandom::new(1)),
            services: Arc::new(Services::new()),
            doubles: Arc::default(),
            program: Program::default(),
            store: Mutex::new(Arc::new(FaultStore::new(MemoryStore::new(), Life::new(), None))),
        })
    }

    /// One process, in which the test is carried out from its beginning, cut off as planned; and how much it wrote. When
    /// this returns, nothing of it is left.
    pub(super) fn live<R>(
        self: &Arc<Self>,
        plan: Option<Planned>,
        test: impl AsyncFnOnce(TestEngine) -> R,
    ) -> (Lived<R>, u64) {
        let life = Life::new();
        let store = Arc::new(self.store(|store| store.reopen(life.clone(), plan)));
        *locked(&self.store) = store.clone();
        let mut builder = Builder::new_current_thread();
        self.clock.drive(&mut builder, &life);
        let runtime = match builder.build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("no runtime for the test: {error}"),
        };
        let lived = runtime.block_on(async {
            let engine = TestEngine::new(self.clone(), store.clone());
            let test = async {
                let result = test(engine).await;
                // Time stands still from here on.
                life.end();
                result
            };
            tokio::select! {
                biased;
                result = test => Lived::Through(result),
                () = life.over() => Lived::Crashed,
                () = self.clock.stalled() => {
                    panic!("the test waits for what never comes: no task can go on, and no timer is set")
                }
            }
        });
        (lived, store.writes())
    }

    /// Does something with the store of the latest process.
    pub(super) fn store<T>(&self, with: impl FnOnce(&FaultStore) -> T) -> T {
        with(&locked(&self.store))
    }

    /// The world as the engine of a process sees it.
    pub(super) fn options(&self) -> Options {
        Options::new(self.clock.clone(), self.random.clone(), self.services.clone(), Arc::new(TestSecrets))
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.clock.now().since(START)
    }
}

pub(super) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A test has no secrets: whoever needs one gets its name.
struct TestSecrets;

impl Secrets for TestSecrets {
    fn secret(&self, name: &str) -> Option<String> {
        Some(format!("secret-{name}"))
    }

    fn environment(&self, name: &str) -> Option<String> {
        Some(format!("env-{name}"))
    }
}
