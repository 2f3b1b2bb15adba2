//! The engine of a test as a client: opened when it is first asked, and asked in the same way after a crash.

use async_trait::async_trait;

use super::TestEngine;
use crate::client::{Answer, Ask, Client, ClientError, NewRun, RunView, StartError, StartedRun};
use crate::history::HistoryEvent;

impl TestEngine {
    async fn opened(&self) -> Result<&dyn Client, ClientError> {
        match self.embedded().await {
            Ok(embedded) => Ok(&**embedded),
            Err(error) => Err(ClientError::Unavailable(error.to_string())),
        }
    }
}

#[async_trait]
impl Client for TestEngine {
    async fn start_run(&self, mut start: NewRun) -> Result<StartedRun, StartError> {
        if start.workflow_id.is_none() {
            start.request_id = Some(format!("test-{}", self.next_number()));
        }
        self.embedded().await?.start_run(start).await
    }

    async fn ask(&self, run: &str, _: &str, ask: Ask) -> Result<Answer, ClientError> {
        let request_id = format!("test-{}", self.next_number());
        self.opened().await?.ask(run, &request_id, ask).await
    }

    async fn look(&self, run: &str) -> Result<RunView, ClientError> {
        self.opened().await?.look(run).await
    }

    async fn rest(&self, run: &str) -> Result<RunView, ClientError> {
        self.opened().await?.rest(run).await
    }

    async fn events(&self, run: &str, after: u64) -> Result<Vec<HistoryEvent>, ClientError> {
        self.opened().await?.events(run, after).await
    }

    async fn has_events(&self, run: &str, after: u64) -> Result<bool, ClientError> {
        self.opened().await?.has_events(run, after).await
    }
}
