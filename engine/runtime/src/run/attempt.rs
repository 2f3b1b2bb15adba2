//! One attempt on its way: wait for a slot, load the call, bind, send.

use std::sync::Arc;

use engine_core::call::Call;
use engine_core::event::Event;
use engine_core::id::RunId;
use engine_core::machine::{Input, Send};
use engine_store::Store;
use tokio::sync::Semaphore;

use crate::error::LoadError;
use crate::http::{Binder, Transport, Unbound};
use crate::read;

/// What attempts of one run share.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) run: RunId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) binder: Binder,
    /// Attempts in flight in this process.
    pub(crate) slots: Arc<Semaphore>,
}

impl Sender {
    /// Makes one attempt and says how it ended. `call` is the rendered call where it is still in memory.
    pub(crate) async fn attempt(self, send: Send, call: Option<Arc<Call>>) -> Result<Input, LoadError> {
        // The semaphore is never closed; should it be, the attempt just goes without a slot.
        let _slot = self.slots.clone().acquire_owned().await.ok();
        let call = match call {
            Some(call) => call,
            None => Arc::new(self.load(&send).await?),
        };
        let body = match &call.body {
            Some(body) => Some(read::payload(&*self.store, self.run, body).await?),
            None => None,
        };
        let Send { step, side, attempt, .. } = send.clone();
        Ok(match self.binder.bind(&call, &send, body).await {
            Ok(request) => {
                let outcome = self.transport.send(request).await;
                Input::AttemptEnded { step, side, attempt, outcome }
            }
            Err(Unbound { reason, message }) => Input::AttemptNotSent { step, side, attempt, reason, message },
        })
    }

    async fn load(&self, send: &Send) -> Result<Call, LoadError> {
        match read::event(&*self.store, self.run, send.call).await?.event {
            Event::StepScheduled { call, .. } | Event::CompensationStarted { call, .. } => Ok(call),
            _ => Err(LoadError::PayloadMissing { run: self.run, seq: send.call }),
        }
    }
}
