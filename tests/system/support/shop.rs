//! The six mock services, in this process, so that they outlive the engines that a test kills.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mock_services::{MockServices, Options, Ports};
use serde_json::Value;
use tempfile::TempDir;

use super::{Effects, Engine};

pub(crate) struct Shop {
    mocks: MockServices,
    _runtime: tokio::runtime::Runtime,
    dir: TempDir,
}

impl Shop {
    pub(crate) fn open(faults: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let faults = faults.iter().map(|rule| rule.parse().unwrap()).collect();
        let options = Options { ports: Ports::Ephemeral, state_dir: None, faults };
        let mocks = runtime.block_on(MockServices::start(options)).unwrap();
        Self { mocks, _runtime: runtime, dir: TempDir::new().unwrap() }
    }

    /// The binary, with a data directory of this shop's and the shop's addresses.
    pub(crate) fn engine(&self) -> Engine {
        let urls = self.mocks.urls();
        let overrides = urls.iter().map(|(service, url)| format!("{service}.url={url}")).collect();
        Engine { overrides, ..Engine::new(&self.dir.path().join("data")) }
    }

    /// The same for a workflow that calls some of the services only.
    pub(crate) fn engine_for(&self, content: &Value) -> Engine {
        let mut engine = self.engine();
        engine.overrides.retain(|url| content["services"].get(url.split('.').next().unwrap()).is_some());
        engine
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a workflow file.
    pub(crate) fn file(&self, content: &Value) -> PathBuf {
        let path = self.dir.path().join("order_saga.json");
        std::fs::write(&path, serde_json::to_string_pretty(content).unwrap()).unwrap();
        path
    }

    pub(crate) fn ledger(&self) -> Value {
        self.mocks.ledger()
    }

    pub(crate) fn effects(&self) -> Effects {
        Effects::of(&self.ledger())
    }

    /// Waits until the ledger says so.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while !holds(&self.ledger()) {
            assert!(began.elapsed() < Duration::from_mins(1), "never came about: {what}\n{:#}", self.ledger());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until an endpoint was called that often.
    pub(crate) fn until_called(&self, endpoint: &str, times: usize) {
        self.until(&format!("call {times} of {endpoint}"), |ledger| {
            let entries = ledger["entries"].as_array().unwrap();
            entries.iter().filter(|entry| entry["endpoint"] == endpoint).count() >= times
        });
    }

    /// Lifts all faults.
    pub(crate) fn lift_faults(&self) {
        let url = self.mocks.url("payment").unwrap();
        let address = url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        write!(socket, "DELETE /__faults HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }

    /// How often an endpoint was called, and with which bodies, in order.
    pub(crate) fn calls(&self, endpoint: &str) -> Vec<Value> {
        let ledger = self.ledger();
        let entries = ledger["entries"].as_array().unwrap();
        entries.iter().filter(|entry| entry["endpoint"] == endpoint).cloned().collect()
    }

    /// No key is used for two things, and no thing is done under two keys.
    pub(crate) fn assert_keys_are_sound(&self) {
        let ledger = self.ledger();
        assert_eq!(ledger["violations"], 0, "a key was used for two things: {ledger:#}");
        for endpoint in ["process", "refund", "update", "release", "create"] {
            let mut keys: Vec<Value> = self.calls(endpoint).iter().map(|entry| entry["key"].clone()).collect();
            keys.dedup();
            assert!(keys.len() <= 1, "{endpoint} was asked for under several keys: {keys:?}");
        }
    }
}
