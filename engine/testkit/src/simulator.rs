//! Runs a case through one process after another, each cut off where the plan says.

use std::sync::{Arc, Mutex, PoisonError};

use engine_core::time::Timestamp;
use engine_runtime::{Options, Secrets};
use engine_store::MemoryStore;
use tokio::runtime::Builder;

use crate::case::Case;
use crate::client::{Client, Exit, Memory};
use crate::clock::SimClock;
use crate::left::Left;
use crate::life::Life;
use crate::random::SeededRandom;
use crate::report::{Outcome, Report};
use crate::services::Services;
use crate::store::{FaultStore, Planned};

/// Simulates one case, as often as asked, each time from scratch and the same way.
pub struct Simulator {
    case: Arc<Case>,
    seed: u64,
}

/// What outlives the processes.
struct World {
    clock: Arc<SimClock>,
    random: Arc<SeededRandom>,
    services: Arc<Services>,
    memory: Arc<Mutex<Memory>>,
}

/// How a process ended.
enum Ended {
    Crashed,
    /// Nothing could move although the run is open: it waits for somebody, or the case is over before.
    Stalled {
        out_of_time: bool,
    },
    Exited(Exit),
}

/// Secrets of a case: it has none.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _: &str) -> Option<String> {
        None
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }
}

/// When every case begins.
const START: Timestamp = Timestamp::from_millis(1_750_000_000_000);

impl Simulator {
    /// A simulator of this case.
    pub fn new(case: Case) -> Self {
        Self { case: Arc::new(case), seed: 1 }
    }

    /// With other random bits: other run ids, and so other jitter.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The case.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// Runs the case to its rest. The first process has the first of these faults, and so on; where there is none left,
    /// the process is left alone.
    pub fn run(&self, faults: &[Planned]) -> Report {
        let world = self.world();
        let mut store = Arc::new(FaultStore::new(MemoryStore::new(), Life::new(), faults.first().copied()));
        let (mut writes, mut struck, mut over, mut findings) = (Vec::new(), 0, false, Vec::new());
        loop {
            let ended = self.process(&world, &store);
            writes.push(store.writes());
            struck += usize::from(store.has_struck());
            let plan = faults.get(writes.len()).copied();
            let is_last = match ended {
                Ended::Crashed => false,
                Ended::Exited(Exit::Broken(_)) if store.has_struck() => false,
                Ended::Exited(Exit::Broken(why)) => {
                    findings.push(format!("the run could not go on: {why}"));
                    true
                }
                Ended::Exited(Exit::Rested { out_of_time }) | Ended::Stalled { out_of_time } => {
                    over = out_of_time;
                    true
                }
            };
            store = Arc::new(store.reopen(Life::new(), plan.filter(|_| !is_last)));
            if is_last {
                break;
            }
            world.clock.advance(self.case.downtime);
        }
        world.services.settle();
        findings.extend(world.services.audit());
        let report = self.report(&world, &store, findings);
        Report { writes, struck, out_of_time: over, ..report }
    }

    fn world(&self) -> World {
        let clock = Arc::new(SimClock::starting_at(START));
        clock.limit(START.after(self.case.lasts));
        World {
            services: Arc::new(Services::new(clock.clone(), self.case.services.clone())),
            clock,
            random: Arc::new(SeededRandom::new(self.seed)),
            memory: Arc::default(),
        }
    }

    /// One process, from its start to its end. When this returns, nothing of it is left.
    fn process(&self, world: &World, store: &Arc<FaultStore>) -> Ended {
        let life = store.life();
        let mut builder = Builder::new_current_thread();
        world.clock.drive(&mut builder, life);
        let runtime = match builder.build() {
            Ok(runtime) => runtime,
            Err(error) => return Ended::Exited(Exit::Broken(error.to_string())),
        };
        let transport = world.services.reached_from(life);
        let mut options = Options::new(world.clock.clone(), world.random.clone(), transport, Arc::new(NoSecrets));
        if let Some(tasks) = &self.case.tasks {
            options.tasks = tasks.clone();
        }
        let client = Client {
            case: self.case.clone(),
            clock: world.clock.clone(),
            services: world.services.clone(),
            memory: world.memory.clone(),
        };
        let (own_life, own_store) = (life.clone(), store.clone());
        runtime.block_on(async {
            let client = tokio::spawn(async move {
                let exit = client.run(own_store, options).await;
                // Time stands still from here on.
                own_life.end();
                exit
            });
            tokio::select! {
                biased;
                exit = client => {
                    Ended::Exited(exit.unwrap_or_else(|error| Exit::Broken(format!("the client panicked: {error}"))))
                }
                () = life.over() => Ended::Crashed,
                () = world.clock.stalled() => Ended::Stalled { out_of_time: world.clock.has_reached_limit() },
            }
        })
    }

    /// What there is in the end, but for how the processes went.
    fn report(&self, world: &World, store: &Arc<FaultStore>, mut findings: Vec<String>) -> Report {
        let memory = world.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = Builder::new_current_thread()
            .build()
            .map_err(|error| error.to_string())
            .and_then(|runtime| runtime.block_on(Left::read(&**store, &self.case, &memory)));
        let mut left = left.unwrap_or_else(|why| Left { findings: vec![why], ..Left::default() });
        findings.append(&mut left.findings);
        Report {
            outcome: Outcome { status: left.status, net: world.services.net() },
            history: left.histories.pop().unwrap_or_default(),
            earlier: left.histories,
            out_of_time: false,
            writes: Vec::new(),
            struck: 0,
            not_done: self.case.acts.len() - memory.done,
            answers: memory.answers.into_iter().map(|(act, (_, answer))| (act, answer)).collect(),
            requests: world.services.requests(),
            findings,
        }
    }
}
