//! Reruns: an ended run is carried out anew from one step on, as a new run that takes over what came before.

use engine_core::event::{Event, Origin, RunStarted};
use engine_core::id::{Name, RunId, Seq};
use engine_core::machine::{self, Carried, Machine};
use engine_core::payload::Payload;
use engine_core::request::{Answer, Request};
use engine_core::state::State;
use engine_store::{Claim, ClaimChange, ClaimState, CommitError, Store};

use crate::caught;
use crate::engine::Engine;
use crate::error::{DriveError, LoadError, RequestError};
use crate::read;
use crate::run::{Besides, Broken};
use crate::start::claim_key;

impl Engine {
    /// Carries an ended run out anew from this step on, and drives the new run. It is linked to its source, takes
    /// over its workflow id, and carries what the steps before gave; it never undoes those. The same request id gives
    /// the same new run, also after a crash.
    ///
    /// Gives the answer, and the new run where it was accepted.
    ///
    /// # Errors
    /// See [`RequestError`]; nothing was stored, unless the new run is there and could not be driven: then the same
    /// request finds it.
    pub async fn rerun(&self, source: RunId, request: Request) -> Result<(Answer, Option<RunId>), RequestError> {
        let id = request.id.clone();
        let answer = self.request(source, request).await?;
        let run = rerun_by(&**self.store(), source, &id).await?;
        if let Some(run) = run {
            self.drive(run).await?;
        }
        Ok((answer, run))
    }

    pub(crate) async fn rerun_ended(
        &self,
        source: &State,
        request: &Request,
        from: &Name,
    ) -> Result<Answer, RequestError> {
        if rerun_by(&**self.store(), source.run, &request.id).await?.is_some() {
            return Ok(Answer::Accepted);
        }
        let definition = self.definition(source.definition).await?;
        let plan = match machine::plan(&definition, source, from) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(refusal),
        };
        self.until_nobody_is_alone().await;
        let reservation = self.fresh_run();
        let (run, now) = (reservation.run(), self.now());
        let row = self.store().row(source.run).await.map_err(LoadError::Store)?;
        let input = row.ok_or(LoadError::Unknown(source.run))?.input;
        let start = self.started_anew(source, request, from, run).await?;
        let mut carried = Vec::with_capacity(plan.len());
        for (step, ended) in plan {
            carried.push((step, self.copied(source.run, run, ended).await?));
        }
        let claim = || Claim { run, input, state: ClaimState::Live };
        let key = rerun_key(source.run, &request.id);
        let mut claims = vec![ClaimChange::Take { key, claim: claim(), now }];
        claims.extend(source.workflow_id.as_ref().map(|id| ClaimChange::Move {
            key: claim_key(&source.workflow, id),
            from: source.run,
            to: claim(),
        }));
        let mut machine = Machine::rerun(definition, run, start, carried, now)
            .map_err(|error| DriveError::Load(LoadError::History(error)))?;
        // What begins here would count as sent, and nobody may be there to send it.
        machine.hold();
        let (mut task, _) = self.task(run, machine, input, Seq(0)).ok_or(DriveError::ShuttingDown)?;
        match caught::work(task.first_turn(Besides { claims, ..Besides::default() })).await {
            // Claimed by the same request, at the same moment.
            Ok(()) | Err(Broken::Commit(CommitError::Claimed { .. })) => Ok(Answer::Accepted),
            Err(Broken::Commit(CommitError::NotHeld { .. })) => Ok(id_has_moved(source)),
            Err(broken) => Err(RequestError::NotCommitted(broken.to_string())),
        }
    }

    /// How the new run begins: as its source did, but for what links it to that.
    async fn started_anew(
        &self,
        source: &State,
        request: &Request,
        from: &Name,
        run: RunId,
    ) -> Result<RunStarted, RequestError> {
        let first = read::event(&**self.store(), source.run, Seq(1)).await?;
        let Event::RunStarted(started) = first.event else {
            return Err(LoadError::History(engine_core::state::FoldError::NoStart(source.run)).into());
        };
        let input = self.copied_payload(source.run, run, started.input.clone()).await?;
        Ok(RunStarted {
            request_id: request.id.clone(),
            actor: request.actor.clone(),
            input,
            origin: Some(Origin::Rerun { run: source.run, from: from.clone() }),
            parent: None,
            start_at: None,
            expires_at: None,
            ..*started
        })
    }

    async fn copied(&self, source: RunId, run: RunId, carried: Carried<Seq>) -> Result<Carried<Payload>, RequestError> {
        Ok(match carried {
            Carried::Skipped(reason) => Carried::Skipped(reason),
            Carried::Failed(failure) => Carried::Failed(failure),
            Carried::Done(seq) => {
                let event = read::event(&**self.store(), source, seq).await?.event;
                let output = event.payload().ok_or(LoadError::PayloadMissing { run: source, seq })?;
                Carried::Done(self.copied_payload(source, run, output.clone()).await?)
            }
        })
    }

    /// A payload for the new run, which refers to no blob of another one: the source may be deleted.
    async fn copied_payload(&self, source: RunId, run: RunId, payload: Payload) -> Result<Payload, RequestError> {
        if let Payload::Blob { digest, .. } = &payload {
            let bytes = self.store().blob(source, *digest).await.map_err(LoadError::Store)?;
            self.store().put_blob(run, *digest, bytes).await.map_err(LoadError::Store)?;
        }
        Ok(payload)
    }
}

/// The new run that this request to rerun a run has made, if any. Like every request it does not drive a run: made by
/// [`Engine::request`] alone, the new one has begun nothing yet.
///
/// # Errors
/// The store failed.
pub async fn rerun_by(store: &dyn Store, source: RunId, request: &str) -> Result<Option<RunId>, LoadError> {
    let claim = store.claim(&rerun_key(source, request)).await?;
    Ok(claim.map(|claim| claim.run))
}

fn rerun_key(source: RunId, request: &str) -> String {
    format!("rerun/{source}/{request}")
}

fn id_has_moved(source: &State) -> Answer {
    let id = source.workflow_id.as_deref().unwrap_or_default();
    Answer::refused("ID_MOVED", format!("the id `{id}` belongs to a later run by now: rerun that one"))
}
