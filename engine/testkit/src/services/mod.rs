//! Services that do what a script says, and keep a ledger.
//!
//! They outlive the processes that call them. A request that has arrived goes on whatever becomes of its caller: its
//! effect is there at once, or, where the script says so, later.

mod desk;
mod ledger;
mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine_core::machine::AttemptOutcome;
use engine_core::time::Timestamp;
use engine_runtime::{Clock, Request, Transport};

use crate::clock::SimClock;
use crate::life::Life;
use desk::{Asked, Desk};

pub use ledger::{Became, Entry};
pub use script::{Behaviour, Endpoint, Script};

/// Scripted services.
pub struct Services {
    clock: Arc<SimClock>,
    desk: Mutex<Desk>,
}

impl Services {
    /// Services of this script, in the time of this clock.
    pub fn new(clock: Arc<SimClock>, script: Script) -> Self {
        Self { clock, desk: Mutex::new(Desk::new(script)) }
    }

    /// The way to these services from one process.
    pub fn reached_from(self: &Arc<Self>, life: &Life) -> Arc<dyn Transport> {
        Arc::new(Connection { services: self.clone(), life: life.clone() })
    }

    /// From now on the endpoint does this with every request.
    pub fn change(&self, path: &str, behaviour: Behaviour) {
        self.desk().change(path, behaviour);
    }

    /// Lets everything that is in work come to its end.
    pub fn settle(&self) {
        self.desk().settle(Timestamp::from_millis(u64::MAX));
    }

    /// What was done at each endpoint and not undone; each key counts once.
    pub fn net(&self) -> BTreeMap<String, usize> {
        self.desk().ledger.net()
    }

    /// What should never happen and did: a key carried out twice or used for two things, something undone that was
    /// not done, something done after its compensation.
    pub fn audit(&self) -> Vec<String> {
        self.desk().ledger.audit()
    }

    /// Every request, in the order of arrival.
    pub fn requests(&self) -> Vec<Entry> {
        self.desk().ledger.entries.clone()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the services from one process: once that is over, nothing is sent any more.
struct Connection {
    services: Arc<Services>,
    life: Life,
}

#[async_trait]
impl Transport for Connection {
    async fn send(&self, request: Request) -> AttemptOutcome {
        self.life.go_on().await;
        let clock = &self.services.clock;
        let (now, timeout) = (clock.now(), request.timeout);
        let reaction = self.services.desk().arrive(&asked(request), now);
        if reaction.after >= timeout {
            clock.sleep_until(now.after(timeout)).await;
            return AttemptOutcome::Lost { timed_out: true, message: "no answer in time".to_owned() };
        }
        clock.sleep_until(now.after(reaction.after)).await;
        reaction.outcome
    }
}

/// The request by the service's name and the path, wherever the service is.
fn asked(request: Request) -> Asked {
    let header = |name: &str| {
        request.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let after_scheme = request.url.split_once("://").map_or(request.url.as_str(), |(_, rest)| rest);
    let path = after_scheme.split_once('/').map_or("", |(_, path)| path);
    let body = request.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
    Asked {
        path: format!("{}/{path}", request.pool),
        key: header("idempotency-key").unwrap_or_default(),
        key_of: header("idempotency-key-of"),
        body: body.unwrap_or_default(),
        service: request.pool,
    }
}
