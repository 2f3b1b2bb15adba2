//! What one process does for the people who use it: takes up what is open, starts the run, and does the case's acts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::event::Recorded;
use engine_core::id::RunId;
use engine_core::request::{Answer, Demand, Request};
use engine_runtime::{Clock, DriveError, Engine, Finished, LoadError, Options, Reuse, RunHandle, Start};
use engine_store::Store;

use crate::case::{Act, Case, Point};
use crate::clock::SimClock;
use crate::services::Services;

/// What people remember across the deaths of processes: what was acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The run that was started, and its reruns.
    pub(crate) runs: Vec<RunId>,
    /// Answers by the position of the act, each with the run that was asked.
    pub(crate) answers: BTreeMap<usize, (RunId, Answer)>,
    /// How many acts are done.
    pub(crate) done: usize,
    /// Whether the last run was deleted.
    pub(crate) deleted: bool,
}

/// How a process ended, other than by a crash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// The run ended, or waits for somebody, or the case is over before.
    Rested { out_of_time: bool },
    /// It could not go on.
    Broken(String),
}

/// One process's side of a case.
pub(crate) struct Client {
    pub(crate) case: Arc<Case>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) services: Arc<Services>,
    pub(crate) memory: Arc<Mutex<Memory>>,
}

/// The workflow id of a case's run.
pub(crate) const WORKFLOW_ID: &str = "case";

/// The id of the request that an act makes: the same however often it is sent.
pub(crate) fn request_id(act: usize) -> String {
    format!("request-{act}")
}

impl Client {
    pub(crate) async fn run(self, store: Arc<dyn Store>, options: Options) -> Exit {
        let clock = self.clock.clone();
        match self.try_run(store, options).await {
            Ok(()) => Exit::Rested { out_of_time: clock.has_reached_limit() },
            Err(why) => Exit::Broken(why),
        }
    }

    async fn try_run(self, store: Arc<dyn Store>, options: Options) -> Result<(), String> {
        let engine = Engine::open(store, options).await.map_err(text)?;
        for run in engine.open_runs().await.map_err(text)? {
            engine.drive(run).await.map_err(text)?;
        }
        if self.memory().runs.is_empty() {
            let started = engine.start(self.start()).await.map_err(text)?.run;
            self.memory().runs.push(started);
        }
        self.follow(&engine).await
    }

    fn start(&self) -> Start {
        Start {
            definition: self.case.definition.clone(),
            request_id: None,
            workflow_id: Some(WORKFLOW_ID.to_owned()),
            actor: "client".to_owned(),
            input: self.case.input.to_string().into_bytes().into(),
            labels: Vec::new(),
            overrides: Vec::new(),
            reuse: Reuse::OpenRun,
        }
    }

    /// Follows the run to its rest, and does what is to be done on the way.
    async fn follow(&self, engine: &Engine) -> Result<(), String> {
        let mut to_do: VecDeque<(usize, &(Point, Act))> = self.case.acts.iter().enumerate().collect();
        to_do.drain(..self.memory().done);
        while !self.memory().deleted {
            match engine.drive(self.last_run()?).await {
                Ok(handle) => self.until_rest(engine, handle, &mut to_do).await?,
                // It was deleted, and the answer did not come through.
                Err(DriveError::Load(LoadError::Unknown(_)))
                    if matches!(to_do.front(), Some((_, (_, Act::Ask(Demand::Delete))))) => {}
                Err(error) => return Err(error.to_string()),
            }
            let Some((number, (Point::AtRest, act))) = to_do.front() else { return Ok(()) };
            self.act(engine, *number, act).await?;
            to_do.pop_front();
        }
        Ok(())
    }

    /// Until nothing more happens by itself.
    async fn until_rest(
        &self,
        engine: &Engine,
        mut handle: RunHandle,
        to_do: &mut VecDeque<(usize, &(Point, Act))>,
    ) -> Result<(), String> {
        let mut history: Vec<Recorded> = Vec::new();
        loop {
            while let Some((number, (point, act))) = to_do.front()
                && point.is_passed(&history)
            {
                self.act(engine, *number, act).await?;
                to_do.pop_front();
            }
            let next = tokio::select! {
                biased;
                next = handle.next() => next,
                // Nothing can move although the run is open: it waits for somebody.
                () = self.clock.stalled() => return Ok(()),
            };
            match next {
                Some(recorded) => history.push(recorded),
                None => {
                    return match handle.finish().await {
                        Finished::Broken(why) => Err(why),
                        Finished::Interrupted => Err("the engine stopped by itself".to_owned()),
                        _ => Ok(()),
                    };
                }
            }
        }
    }

    async fn act(&self, engine: &Engine, number: usize, act: &Act) -> Result<(), String> {
        match act {
            Act::Wait(span) => self.clock.sleep_until(self.clock.now().after(*span)).await,
            Act::Change(path, behaviour) => self.services.change(path, behaviour.clone()),
            Act::Ask(demand) => {
                let request = Request { id: request_id(number), actor: "operator".to_owned(), demand: demand.clone() };
                self.ask(engine, number, request).await?;
            }
        }
        self.memory().done = number + 1;
        Ok(())
    }

    /// Asks twice, as somebody does who is not sure that it came through: the answer has to be the same. Only what was
    /// held may have been decided meanwhile.
    async fn ask(&self, engine: &Engine, number: usize, request: Request) -> Result<(), String> {
        let run = self.last_run()?;
        let (answer, rerun) = ask_once(engine, run, &request).await?;
        self.memory().answers.insert(number, (run, answer.clone()));
        let again = ask_once(engine, run, &request).await?;
        if again != (answer.clone(), rerun) && answer != Answer::Held {
            return Err(format!("{request:?} was answered with {answer:?}, {rerun:?} and then with {again:?}"));
        }
        let mut memory = self.memory();
        memory.runs.extend(rerun);
        memory.deleted = request.demand == Demand::Delete && answer == Answer::Accepted;
        Ok(())
    }

    fn last_run(&self) -> Result<RunId, String> {
        self.memory().runs.last().copied().ok_or_else(|| "no run was started".to_owned())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_once(engine: &Engine, run: RunId, request: &Request) -> Result<(Answer, Option<RunId>), String> {
    match &request.demand {
        Demand::Rerun { .. } => engine.rerun(run, request.clone()).await.map_err(text),
        _ => engine.request(run, request.clone()).await.map(|answer| (answer, None)).map_err(text),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
