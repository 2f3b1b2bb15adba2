//! Requests to runs: answered once each, by the run's own task where this process drives it, else by a visit.
//!
//! A visit takes one turn of a run that nobody drives here: the request is decided and recorded, and nothing begins.
//! Where the run can't be read now, the request is kept in its durable inbox.

use engine_core::bounds as core_bounds;
use engine_core::expression::Value;
use engine_core::id::{Digest, RunId};
use engine_core::machine;
use engine_core::request::{Answer, Demand, Request};
use engine_store::{Claim, ClaimChange, ClaimState, Unit};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::bounds;
use crate::caught;
use crate::driven::Place;
use crate::engine::{Engine, TakenUp};
use crate::error::{DriveError, LoadError, RequestError};
use crate::inbox;
use crate::run::{Broken, Mail};

impl Engine {
    /// Answers a request. Once this returns the answer is durable; the same request id gets the same answer, also
    /// after a crash. The run is not driven because of it.
    ///
    /// A run that has ended is not written to any more: its answer follows from its history, which stays as it is.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request(&self, run: RunId, request: Request) -> Result<Answer, RequestError> {
        check(&request)?;
        // A run may end, or be taken up, between the look at it and the request.
        let mut _followed;
        for _ in 0..bounds::REQUEST_ROUNDS {
            let answered = match self.driven().place(run).await {
                Place::Driven { mail, followed } => {
                    _followed = Some(followed);
                    hand_over(run, &mail, request.clone()).await?
                }
                Place::Dormant(reservation) => {
                    // Followed, so that it is not laid down again before it was asked. Where it can't be taken up, it
                    // is visited.
                    _followed = self.take_up(reservation).await.ok();
                    None
                }
                Place::Free(_reservation) => self.visit(run, request.clone()).await?,
            };
            if let Some(answer) = answered {
                return Ok(answer);
            }
            tokio::task::yield_now().await;
        }
        Err(RequestError::Busy(run))
    }

    /// Takes one turn of a run that this process does not drive.
    async fn visit(&self, run: RunId, request: Request) -> Result<Option<Answer>, RequestError> {
        let state = match self.load(run).await {
            Ok(TakenUp::Open { task, besides, .. }) => {
                return visited(caught::work(task.visit(request, besides)).await).map(Some);
            }
            Ok(TakenUp::Ended(state)) => state,
            Err(DriveError::Load(LoadError::Unknown(run))) => return self.gone(run, &request).await.map(Some),
            Err(DriveError::Load(unreadable)) => {
                let put = inbox::put(&**self.store(), self.committer(), run, request).await;
                put.map_err(|error| RequestError::NotCommitted(error.to_string()))?;
                return Err(RequestError::Kept(unreadable));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(answer) = state.answers.get(&request.id) {
            return Ok(Some(answer.clone()));
        }
        if let Some(answer) = machine::after_end(&state, &request.demand) {
            return Ok(Some(answer));
        }
        match &request.demand {
            Demand::Delete => self.delete(run, &request.id).await.map(Some),
            Demand::Rerun { from } => self.rerun_ended(&state, &request, from).await.map(Some),
            Demand::Signal { .. }
            | Demand::Cancel { .. }
            | Demand::Terminate { .. }
            | Demand::Pause
            | Demand::Resume
            | Demand::Resolve { .. } => Ok(None),
        }
    }

    /// Forgets an ended run. The claim makes a repeat find that it was asked for, and a delete that a crash cut off be
    /// done again.
    async fn delete(&self, run: RunId, request: &str) -> Result<Answer, RequestError> {
        let now = self.now();
        let claim = Claim { run, input: Digest::of(b""), state: ClaimState::Live };
        let take = ClaimChange::Take { key: delete_key(run, request), claim, now };
        let noted = self.committer().commit(Unit { claims: vec![take], ..Unit::default() }).await;
        match noted {
            Ok(_) | Err(engine_store::CommitError::Claimed { .. }) => {}
            Err(error) => return Err(RequestError::NotCommitted(error.to_string())),
        }
        self.store().delete(run, now.after(bounds::ID_RETENTION)).await.map_err(LoadError::Store)?;
        Ok(Answer::Accepted)
    }

    /// The answer for a run that is not there: it may be the one that this very request deleted.
    async fn gone(&self, run: RunId, request: &Request) -> Result<Answer, RequestError> {
        let deleted = self.store().claim(&delete_key(run, &request.id)).await.map_err(LoadError::Store)?;
        match (deleted, &request.demand) {
            (Some(_), Demand::Delete) => Ok(Answer::Accepted),
            _ => Err(LoadError::Unknown(run).into()),
        }
    }
}

fn delete_key(run: RunId, request: &str) -> String {
    format!("delete/{run}/{request}")
}

fn visited(visited: Result<Answer, Broken>) -> Result<Answer, RequestError> {
    visited.map_err(|broken| DriveError::NotCommitted(broken.to_string()).into())
}

/// Puts a request into the mailbox of a driven run. None where the run ended, or stopped being driven, before it took
/// the request.
async fn hand_over(run: RunId, mail: &Sender<Box<Mail>>, request: Request) -> Result<Option<Answer>, RequestError> {
    let (answer, answered) = oneshot::channel();
    match mail.try_send(Box::new(Mail { request, answer })) {
        Ok(()) => Ok(answered.await.ok()),
        Err(TrySendError::Full(_)) => Err(RequestError::Busy(run)),
        Err(TrySendError::Closed(_)) => Ok(None),
    }
}

/// Refuses what no run could take.
fn check(request: &Request) -> Result<(), RequestError> {
    let unusable = |why: &str| Err(RequestError::Unusable(why.to_owned()));
    if request.id.is_empty() || request.id.len() > core_bounds::ID_LEN {
        return unusable("its id must have 1 to 256 bytes");
    }
    if let Demand::Cancel { reason: Some(reason) } | Demand::Terminate { reason: Some(reason) } = &request.demand
        && reason.len() > core_bounds::MESSAGE_LEN
    {
        return unusable("its reason is longer than 1,000 bytes");
    }
    let Some(payload) = request.demand.payload() else { return Ok(()) };
    let Some(bytes) = payload.inline() else { return unusable("what comes with it must be given in full") };
    if bytes.len() > core_bounds::MAX_PAYLOAD {
        return unusable("what comes with it is larger than 64 MiB");
    }
    match Value::from_slice(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(RequestError::Unusable(format!("what comes with it is no JSON that can be used: {error}"))),
    }
}
