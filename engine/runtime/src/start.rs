//! Starting a run, once: the same request again gives the run that it started.

use std::sync::Arc;

use engine_core::bounds as core_bounds;
use engine_core::definition::Definition;
use engine_core::event::RunStarted;
use engine_core::expression::Value;
use engine_core::id::{Digest, Name, RunId, Seq};
use engine_core::machine::Machine;
use engine_core::payload::Payload;
use engine_store::{Claim, ClaimChange, ClaimState, CommitError, IndexRow};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::caught;
use crate::engine::Engine;
use crate::error::{DriveError, LoadError, StartError};
use crate::run::{Besides, Broken};

/// A run to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The workflow.
    pub definition: Arc<Definition>,
    /// The id that users find it by, unique per workflow.
    pub workflow_id: Option<String>,
    /// The id of this very request, where it may have to be repeated: a repeat gives the same run.
    pub request_id: Option<String>,
    /// Who asks.
    pub actor: String,
    /// What it works on, as JSON.
    pub input: Arc<[u8]>,
    /// Labels beside those of the workflow.
    pub labels: Vec<(String, String)>,
    /// Policy changed for this run only, as `payment.url` → `http://…`.
    pub overrides: Vec<(String, String)>,
    /// What a start without an id does where such a run is open.
    pub reuse: Reuse,
}

/// What a start without an id does where a run of the same workflow and input, started without an id, is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reuse {
    /// Gives that run. Several are an error.
    OpenRun,
    /// Starts another.
    Never,
}

/// A run that was started, now or before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Whether it was started just now.
    pub fresh: bool,
}

impl Engine {
    /// Starts a run and drives it. Once this returns, the run survives a kill and a power cut.
    ///
    /// With a workflow id that exists, gives that run, open or ended; with other input it is refused. The answer is
    /// the same after a crash: the id and the run become durable together.
    ///
    /// # Errors
    /// See [`StartError`]; nothing was stored.
    pub async fn start(&self, mut start: Start) -> Result<Started, StartError> {
        let definition = start.definition.clone();
        let input_len = start.input.len();
        let input = {
            let mut desk = self.memory().deciding.lease();
            desk.cover(input_len).await;
            let canonical = check(&start)?;
            // Many starts may share one input: it is copied only where it is kept otherwise than it was given.
            if *canonical != *start.input {
                start.input = canonical.into();
            }
            Digest::of(&start.input)
        };
        if let Some(started) = self.existing(&start, input).await? {
            return Ok(started);
        }
        if let Some(free) = self.store().free_bytes().filter(|free| *free < bounds::DISK_RESERVE) {
            return Err(StartError::NoSpace { free, reserve: bounds::DISK_RESERVE });
        }
        self.put_definition(definition.clone()).await?;

        let now = self.now();
        self.until_nobody_is_alone().await;
        let reservation = self.fresh_run();
        let run = reservation.run();
        let take = |key| ClaimChange::Take { key, claim: Claim { run, input, state: ClaimState::Live }, now };
        let request = start.request_id.as_ref().map(|id| request_key(definition.name(), id));
        let id = start.workflow_id.as_ref().map(|id| claim_key(definition.name(), id));
        let besides = Besides { claims: request.into_iter().chain(id).map(take).collect(), ..Besides::default() };
        let machine = Machine::start(definition, run, started(start.clone()), now)
            .map_err(|error| DriveError::Load(LoadError::History(error)))?;
        let (mut task, line) = self.task(run, machine, input, Seq(0)).ok_or(StartError::ShuttingDown)?;
        task.takes(input_len);
        match caught::work(task.first_turn(besides)).await {
            Ok(()) => {
                self.tend(reservation, line, Box::new(task));
                Ok(Started { run, fresh: true })
            }
            Err(broken) => self.lost_race(broken, &start, input).await,
        }
    }

    /// The run that this start has already started, if any.
    async fn existing(&self, start: &Start, input: Digest) -> Result<Option<Started>, StartError> {
        let workflow = start.definition.name();
        if let Some(request) = &start.request_id
            && let Some(run) = self.claimed(&request_key(workflow, request), request, input).await?
        {
            // The very same start, repeated: it gets the first answer.
            return Ok(Some(Started { run, fresh: true }));
        }
        let known = |run| Started { run, fresh: false };
        if let Some(workflow_id) = &start.workflow_id {
            return Ok(self.claimed(&claim_key(workflow, workflow_id), workflow_id, input).await?.map(known));
        }
        if start.reuse == Reuse::Never {
            return Ok(None);
        }
        let runs = self.open_without_id(workflow, input).await?;
        match runs.as_slice() {
            [] => Ok(None),
            [run] => Ok(Some(known(*run))),
            [..] => Err(StartError::Ambiguous { runs }),
        }
    }

    /// The run that holds this key for this input.
    async fn claimed(&self, key: &str, id: &str, input: Digest) -> Result<Option<RunId>, StartError> {
        let (claim, now) = (self.store().claim(key).await?, self.now());
        // An expired tombstone holds nothing: the start itself takes its place.
        let holds = |claim: &Claim| !matches!(claim.state, ClaimState::Tombstone { expires } if expires <= now);
        claim.filter(holds).map(|claim| same_input(&claim, id, input)).transpose()
    }

    /// Open runs of this workflow with this input that were started without an id.
    async fn open_without_id(&self, workflow: &Name, input: Digest) -> Result<Vec<RunId>, StartError> {
        let mut runs = Vec::new();
        for run in self.open_runs().await? {
            let row = self.store().row(run).await?;
            let matches = |row: &IndexRow| row.workflow == *workflow && row.input == input && row.workflow_id.is_none();
            runs.extend(row.filter(matches).map(|row| row.run));
        }
        Ok(runs)
    }

    /// Another start with the same id was quicker: its run is the answer.
    async fn lost_race(&self, broken: Broken, start: &Start, input: Digest) -> Result<Started, StartError> {
        match broken {
            Broken::Commit(CommitError::Claimed { .. }) => {
                self.existing(start, input).await?.ok_or(StartError::ShuttingDown)
            }
            Broken::Commit(CommitError::Store(error)) => Err(StartError::Store(error)),
            broken => Err(StartError::NotCommitted(broken.to_string())),
        }
    }
}

/// Refuses what can't be started; gives the input as it is kept: without white space, so that its digest is that of
/// the JSON.
fn check(start: &Start) -> Result<Vec<u8>, StartError> {
    let (len, limit) = (start.input.len(), core_bounds::MAX_PAYLOAD);
    if len > limit {
        return Err(StartError::InputTooLarge { len, limit });
    }
    let is_invalid = |id: &&String| id.is_empty() || id.len() > core_bounds::ID_LEN || id.contains(char::is_control);
    if let Some(id) = start.workflow_id.iter().chain(&start.request_id).find(is_invalid) {
        return Err(StartError::IdInvalid(id.chars().take(80).collect()));
    }
    let invalid = |why: String| StartError::InputUnreadable(why);
    Value::from_slice(&start.input).map_err(|error| invalid(error.to_string()))?;
    let json: serde_json::Value = serde_json::from_slice(&start.input).map_err(|error| invalid(error.to_string()))?;
    start.definition.check_input(&json)?;
    Ok(json.to_string().into_bytes())
}

fn same_input(claim: &Claim, workflow_id: &str, input: Digest) -> Result<RunId, StartError> {
    match claim.state {
        ClaimState::Tombstone { .. } => Err(StartError::IdRetired(workflow_id.to_owned())),
        ClaimState::Live if claim.input == input => Ok(claim.run),
        ClaimState::Live => Err(StartError::IdTaken { workflow_id: workflow_id.to_owned(), run: claim.run }),
    }
}

/// The unique key of a workflow id.
pub(crate) fn claim_key(workflow: &Name, workflow_id: &str) -> String {
    format!("workflow/{workflow}/{workflow_id}")
}

/// The labels of a run: its own, and those of its workflow that it does not set itself.
fn labels(definition: &Definition, own: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_set = |key: &str| own.iter().any(|(own, _)| own == key);
    let inherited: Vec<_> = definition.labels().iter().filter(|(key, _)| !is_set(key)).cloned().collect();
    inherited.into_iter().chain(own).collect()
}

/// The unique key of a start that may be repeated.
fn request_key(workflow: &Name, request: &str) -> String {
    format!("start/{workflow}/{request}")
}

fn started(start: Start) -> RunStarted {
    let definition = &start.definition;
    let by_id = || start.workflow_id.as_ref().map_or_else(|| "start".to_owned(), |id| format!("start/{id}"));
    let request_id = start.request_id.clone().unwrap_or_else(by_id);
    RunStarted {
        workflow: definition.name().clone(),
        version: definition.version().to_owned(),
        definition: definition.digest(),
        children: Vec::new(),
        workflow_id: start.workflow_id,
        request_id,
        actor: start.actor,
        input: Payload::json(start.input),
        labels: labels(definition, start.labels),
        priority: 0,
        start_at: None,
        expires_at: None,
        overrides: start.overrides,
        parent: None,
        origin: None,
        traceparent: None,
        baggage: None,
        sampled: true,
    }
}
