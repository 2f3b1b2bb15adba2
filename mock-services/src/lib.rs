//! Six stateful microservices with fault knobs: user, order, payment, notification, inventory and
//! analytics, each a wiremock server of its own.
//!
//! They keep a ledger of every request and its effect, honour idempotency keys (order, payment,
//! inventory), refuse a forward request whose compensation came first, and misbehave by rules
//! ([`Fault`]). With a state directory they remember all of it, so that they can be killed and
//! started again.
//!
//! Every service also answers `GET /health`, `GET /__ledger`, and `GET`, `POST` and `DELETE` of
//! `/__faults`.

mod admin;
mod arguments;
mod call;
mod catalogue;
mod desk;
mod doors;
mod error;
mod fault;
mod journal;
mod ledger;
mod money;
mod server;
mod services;
mod shared;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

pub use arguments::{Arguments, PortChoice, serve};
pub use catalogue::SERVICES;
pub use error::MockError;
pub use fault::{Fault, FaultError};

use catalogue::Service;
use desk::Desk;
use doors::{Door, Doors};
use shared::Shared;

/// Lets the answer to the request that closes a port get out through that very port.
const GRACE: Duration = Duration::from_millis(50);

/// Where the services listen, on 127.0.0.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// 8001 to 8006, in the order of [`SERVICES`].
    Fixed,
    /// Any free ports; see [`MockServices::urls`].
    #[default]
    Ephemeral,
}

/// How to start the services.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where they listen.
    pub ports: Ports,
    /// Where they remember everything; without it, only in memory.
    pub state_dir: Option<PathBuf>,
    /// Rules from the start. With a state directory they replace the rules given at the start
    /// before, also when there are none; a rule given again keeps its counters.
    pub faults: Vec<Fault>,
}

/// The six running services. They end when this is dropped; [`MockServices::stop`] also waits.
pub struct MockServices {
    shared: Arc<Shared>,
    doors: Arc<Mutex<Doors>>,
    keeper: JoinHandle<()>,
}

impl MockServices {
    /// Starts the services. When this returns they answer.
    pub async fn start(options: Options) -> Result<MockServices, MockError> {
        let bound = doors::bind_all(options.ports)?;
        let desk = Desk::open(options.state_dir.as_deref(), options.faults)?;
        let addresses = bound.iter().map(|(service, (address, _))| (*service, *address)).collect();
        let shared = Shared::new(desk, addresses);
        let doors = Arc::new(Mutex::new(doors::open_all(bound, &shared).await?));
        let timer = Arc::clone(&shared);
        std::thread::spawn(move || timer.run_timer());
        let keeper = tokio::spawn(keep_doors(Arc::clone(&doors), Arc::clone(&shared)));
        Ok(MockServices { shared, doors, keeper })
    }

    /// The base address of a service, also of one whose port is closed by a rule.
    pub fn url(&self, service: &str) -> Option<String> {
        self.shared.url(Service::named(service)?)
    }

    /// The base addresses of all services, by name.
    pub fn urls(&self) -> BTreeMap<String, String> {
        SERVICES.into_iter().filter_map(|service| Some((service.to_owned(), self.url(service)?))).collect()
    }

    /// What `GET /__ledger` answers.
    pub fn ledger(&self) -> Value {
        self.shared.desk().to_json()
    }

    /// Stops the services, cuts their connections, and waits until their ports are free. Late
    /// effects that are still to come happen after the next start from the same state directory.
    pub async fn stop(self) {
        self.end();
        let doors = std::mem::take(&mut *self.doors.lock().await);
        for (service, door) in doors {
            if let (Door::Open(server), Some(address)) = (door, self.shared.addresses.get(&service)) {
                doors::close(server, *address).await;
            }
        }
    }

    fn end(&self) {
        self.shared.desk().close();
        self.shared.wake_timer();
        self.keeper.abort();
    }
}

impl Drop for MockServices {
    fn drop(&mut self) {
        self.end();
    }
}

/// Opens and closes ports when the rules have changed.
async fn keep_doors(doors: Arc<Mutex<Doors>>, shared: Arc<Shared>) {
    loop {
        shared.doors.notified().await;
        tokio::time::sleep(GRACE).await;
        doors::reconcile(&mut *doors.lock().await, &shared).await;
    }
}
