//! A task whose run is read again from the store.

use engine_core::machine::{Input, Machine};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::driven::Drove;
use crate::error::LoadError;
use crate::inbox;
use crate::read;
use crate::run::hand::Hand;
use crate::run::task::{Broken, RunTask};
use crate::run::turn::Besides;

impl RunTask {
    /// Throws away what is known of the run, reads its history again, and takes a turn. What was in flight is cut
    /// off, and made again; who waits for an answer asks again.
    pub(crate) async fn again(&mut self) -> Result<(), Broken> {
        self.attempts = JoinSet::new();
        self.timers.clear();
        self.calls.clear();
        self.asked.clear();
        self.noting.clear();
        self.hand = Hand::new(self.setup.sender.world.memory.clone());
        let (run, store) = (self.machine.state().run, self.setup.sender.store.clone());
        let state = read::state(&*store, run).await?;
        self.durable = state.last;
        let definition = self.machine.definition().clone();
        self.machine = Machine::resume(definition, state);
        let besides = self.wake().await?;
        self.take_turn(besides).await
    }

    /// Tells a machine that was read from the store where it stands, and what waits in the run's inbox. Gives what the
    /// turn then takes from there.
    pub(crate) async fn wake(&mut self) -> Result<Besides, LoadError> {
        self.machine.push(Input::Recovered);
        let mut besides = Besides::default();
        for (arrival, request) in inbox::waiting(&*self.setup.sender.store, self.machine.state().run).await? {
            besides.inbox.push(arrival);
            self.hand.takes_request(&request);
            self.machine.push(Input::Request(request));
        }
        Ok(besides)
    }

    /// Has a run go on that was stuck for want of tasks, where this process has them.
    pub(crate) fn equip(&mut self) {
        let tasks = &self.setup.sender.tasks;
        if self.machine.parked_tasks().iter().all(|name| tasks.find(name).is_some()) {
            self.machine.push(Input::Equipped);
        }
    }

    /// Begins nothing new any more: what is in flight ends, and then the task does. Gives what would have told it
    /// otherwise.
    pub(crate) fn hold(&mut self) -> watch::Receiver<bool> {
        // Nobody changes it any more, so nobody needs to keep the other end.
        std::mem::replace(&mut self.setup.stopping, watch::channel(true).1)
    }

    /// Reads the run again, and goes on for as long as the engine does.
    pub(crate) async fn go_on(&mut self, stopping: watch::Receiver<bool>) -> Result<Drove, Broken> {
        self.setup.stopping = stopping;
        if self.machine.state().end.is_some() || *self.setup.stopping.borrow() {
            return Ok(Drove::ToItsEnd);
        }
        self.again().await?;
        self.drive().await
    }

    /// How many of the run's attempts have ended.
    pub(crate) fn results(&self) -> u64 {
        self.machine.state().results
    }
}
