//! The suite that every store must pass, on sled, and sled beside the store in memory.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use engine_store::conformance::{Subject, World, random};
use engine_store::{Gate, MemoryStore, Store};
use engine_store_sled::SledStore;
use tempfile::TempDir;

struct Sled {
    data: TempDir,
    gated: TempDir,
}

impl Sled {
    fn new() -> Self {
        Self { data: TempDir::new().unwrap(), gated: TempDir::new().unwrap() }
    }
}

#[async_trait]
impl Subject for Sled {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(SledStore::open(self.data.path()).unwrap())
    }

    async fn gated(&mut self, gate: Gate) -> Arc<dyn Store> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pass = move || runtime.block_on(gate.pass()).map_err(std::io::Error::other);
        Arc::new(SledStore::open_with_sync(self.gated.path(), pass).unwrap())
    }
}

engine_store::conformance_tests!(Sled::new());

/// The store in memory, which a restart of the other one does not touch.
struct Memory(Option<Arc<MemoryStore>>);

#[async_trait]
impl Subject for Memory {
    async fn open(&mut self) -> Arc<dyn Store> {
        let store = Arc::new(self.0.as_ref().map_or_else(MemoryStore::new, |store| store.reopen()));
        self.0 = Some(Arc::clone(&store));
        store
    }

    async fn gated(&mut self, gate: Gate) -> Arc<dyn Store> {
        Arc::new(MemoryStore::behind(gate))
    }
}

async fn beside_memory(number: u64) {
    let mut memory = World::new(Memory(None), true).await;
    let mut store = World::new(Sled::new(), true).await;
    random::same_answers(number, 600, &mut memory, &mut store).await;
}

#[tokio::test]
async fn answers_as_the_store_in_memory() {
    for seed in [1, 2, 3] {
        beside_memory(seed).await;
    }
}
