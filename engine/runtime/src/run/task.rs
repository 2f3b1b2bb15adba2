//! The task of one driven run.

mod again;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_core::call::Call;
use engine_core::event::Recorded;
use engine_core::id::{Name, Seq, Side};
use engine_core::machine::{self, Command, Input, Machine, Progress, Send, TimerKey, Turn};
use engine_core::request::{Answer, Demand, Request};
use engine_core::time::Timestamp;
use engine_store::CommitError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::bounds;
use crate::clock::Clock;
use crate::committer::Committer;
use crate::driven::Drove;
use crate::error::LoadError;
use crate::options::Observer;
use crate::read;
use crate::report::{Report, Reports};
use crate::run::attempt::{Attempt, Ended, Sender};
use crate::run::hand::Hand;
use crate::run::mailbox::{Mail, Mailbox};
use crate::run::turn::{self, Besides, Identity};
use crate::tasks::Note;

/// What a run's task works with.
pub(crate) struct Setup {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) committer: Committer,
    pub(crate) sender: Sender,
    pub(crate) identity: Identity,
    pub(crate) reports: Reports,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// True once the run goes forward no more.
    pub(crate) turns: watch::Sender<bool>,
    /// What attempts note of how far they are.
    pub(crate) noted: mpsc::Receiver<Box<Note>>,
    /// True once the engine stops: nothing new begins, and what is in flight ends.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The task of one run.
pub(crate) struct RunTask {
    setup: Setup,
    machine: Machine,
    mailbox: Mailbox,
    attempts: JoinSet<Result<Ended, LoadError>>,
    calls: BTreeMap<(Name, Side), (Seq, Arc<Call>)>,
    timers: BTreeMap<TimerKey, Timestamp>,
    hand: Hand,
    /// Why the run is set aside once what has come is durable.
    broken: Option<Broken>,
    /// Requests whose answers wait for their commit.
    asked: Vec<(Demand, String, oneshot::Sender<Answer>)>,
    /// Attempts that wait to hear whether what they noted is durable.
    noting: Vec<(Name, Side, oneshot::Sender<bool>)>,
    /// The last durable event.
    durable: Seq,
}

/// Why a run is no longer driven although it has not ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("an attempt broke: {0}")]
    Attempt(String),
    #[error("the engine panicked while it carried the run out: {0}")]
    Panicked(String),
    #[error("the request was taken, and no answer is there")]
    Unanswered,
}

impl RunTask {
    /// A task for this machine, whose events up to `durable` are in the store.
    pub(crate) fn new(setup: Setup, machine: Machine, mailbox: Mailbox, durable: Seq) -> Self {
        Self {
            hand: Hand::new(setup.sender.world.memory.clone()),
            broken: None,
            setup,
            machine,
            mailbox,
            attempts: JoinSet::new(),
            calls: BTreeMap::new(),
            timers: BTreeMap::new(),
            asked: Vec::new(),
            noting: Vec::new(),
            durable,
        }
    }

    /// The next turn has a payload of so many bytes to work on.
    pub(crate) fn takes(&mut self, bytes: usize) {
        self.hand.takes(bytes);
    }

    /// Takes the first turn: what the machine was given so far, and what goes with it.
    pub(crate) async fn first_turn(&mut self, besides: Besides) -> Result<(), Broken> {
        self.take_turn(besides).await
    }

    /// Takes one turn with a request, in a process that does not drive the run: it is decided and recorded, and
    /// nothing begins.
    pub(crate) async fn visit(mut self, request: Request, besides: Besides) -> Result<Answer, Broken> {
        self.machine.hold();
        let (id, demand) = (request.id.clone(), request.demand.clone());
        self.hand.takes_request(&request);
        self.machine.push(Input::Request(request));
        self.decide_and_commit(besides).await?;
        self.answer_to(&id, &demand).ok_or(Broken::Unanswered)
    }

    /// Drives the run until it ends, or only waits while nobody follows it, or the engine stops. A history that has
    /// moved on is read again, once.
    pub(crate) async fn drive(&mut self) -> Result<Drove, Broken> {
        match self.drive_on().await {
            Err(Broken::Commit(CommitError::Conflict { .. })) => {
                Box::pin(self.again()).await?;
                Box::pin(self.drive_on()).await
            }
            driven => driven,
        }
    }

    async fn drive_on(&mut self) -> Result<Drove, Broken> {
        while self.machine.state().end.is_none() && !self.has_stopped() {
            let (only_waits, is_followed) = (self.only_waits(), self.setup.reports.is_followed());
            if only_waits && !is_followed {
                return Ok(Drove::UntilDormant(self.next_timer()));
            }
            self.wait_and_turn(only_waits).await?;
        }
        Ok(Drove::ToItsEnd)
    }

    /// Whether nothing happens for some time, unless somebody asks for it.
    fn only_waits(&self) -> bool {
        let soon = || self.setup.clock.now().after(bounds::DORMANT_FROM);
        self.attempts.is_empty()
            && !*self.setup.stopping.borrow()
            && self.mailbox.is_empty()
            && self.next_timer().is_none_or(|due| due >= soon())
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.timers.values().min().copied()
    }

    fn has_stopped(&self) -> bool {
        *self.setup.stopping.borrow() && self.attempts.is_empty()
    }

    /// Waits until something happens, and takes the turn that it asks for. Where the run only waits, nobody following
    /// it any more is something.
    async fn wait_and_turn(&mut self, only_waits: bool) -> Result<(), Broken> {
        let next_timer = self.next_timer().filter(|_| !*self.setup.stopping.borrow());
        let (clock, store) = (self.setup.clock.clone(), self.setup.sender.store.clone());
        tokio::select! {
            biased;
            // Whatever the run waits for could not be recorded any more.
            error = store.broken() => return Err(CommitError::Store(error).into()),
            Some(ended) = self.attempts.join_next() => self.take_result(ended),
            () = self.mailbox.wait() => {}
            // The sender of notes is kept here too, so the channel is never closed.
            Some(note) = self.setup.noted.recv() => self.take_note(*note),
            Ok(()) = self.setup.stopping.changed() => {}
            () = clock.sleep_until(next_timer.unwrap_or_default()), if next_timer.is_some() => {}
            () = self.setup.reports.unfollowed(), if only_waits => return Ok(()),
        }
        self.drain();
        // Boxed, so that a run which waits does not keep room for what only a turn needs.
        Box::pin(self.take_turn(Besides::default())).await?;
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Hands over everything that has come: results, then requests, then timers, so that an acknowledged request
    /// beats a timer that is not yet committed.
    fn drain(&mut self) {
        while !self.machine.is_full()
            && let Some(ended) = self.attempts.try_join_next()
        {
            self.take_result(ended);
        }
        while !self.machine.is_full()
            && let Ok(note) = self.setup.noted.try_recv()
        {
            self.take_note(*note);
        }
        for Mail { request, answer } in self.mailbox.drain() {
            self.asked.push((request.demand.clone(), request.id.clone(), answer));
            self.hand.takes_request(&request);
            self.machine.push(Input::Request(request));
        }
        if !*self.setup.stopping.borrow() {
            let now = self.setup.clock.now();
            let due: Vec<TimerKey> =
                self.timers.iter().filter(|(_, due)| **due <= now).map(|(key, _)| key.clone()).collect();
            for key in due {
                self.timers.remove(&key);
                self.machine.push(Input::TimerFired(key));
            }
        }
    }

    /// Hands over how an attempt ended. One that could not be made sets the run aside, but not before what came with
    /// it is durable.
    fn take_result(&mut self, ended: Result<Result<Ended, LoadError>, tokio::task::JoinError>) {
        match ended {
            Ok(Ok(Ended::With(input, room))) => {
                self.hand.takes_answer(&input, room);
                self.machine.push(*input);
            }
            Ok(Ok(Ended::Unsent)) => {}
            Ok(Err(error)) => self.broken = Some(error.into()),
            Err(error) => self.broken = Some(Broken::Attempt(error.to_string())),
        }
    }

    fn take_note(&mut self, note: Note) {
        let Note { step, side, attempt, checkpoint, kept } = note;
        self.hand.takes(checkpoint.len().try_into().unwrap_or(usize::MAX));
        self.noting.push((step.clone(), side, kept));
        self.machine.push(Input::Checkpoint { step, side, attempt, checkpoint });
    }

    /// Decides, commits, and only then acts.
    async fn take_turn(&mut self, besides: Besides) -> Result<(), Broken> {
        let before = self.durable;
        let commands = self.decide_and_commit(besides).await?;
        // Before anybody is answered, so that who then follows the run does not see it where it was.
        self.report();
        self.answer();
        self.say_what_is_kept(before);
        if self.broken.is_some() {
            return Ok(());
        }
        for command in commands {
            self.carry_out(command);
        }
        Ok(())
    }

    async fn decide_and_commit(&mut self, besides: Besides) -> Result<Vec<Command>, Broken> {
        self.hand.work_on(0).await;
        if *self.setup.stopping.borrow() || self.broken.is_some() {
            self.machine.hold();
        }
        let now = self.setup.clock.now();
        let (run, store) = (self.machine.state().run, self.setup.sender.store.clone());
        while let Progress::Needs(payloads) = self.machine.advance(now) {
            for seq in payloads {
                let payload = match self.machine.undelivered(seq) {
                    Some(payload) => payload.clone(),
                    None => read::recorded(&*store, run, seq).await?,
                };
                self.hand.work_on(payload.len().try_into().unwrap_or(usize::MAX)).await;
                self.machine.supply(seq, read::payload(&*store, run, &payload).await?);
            }
        }
        let Turn { mut events, commands } = self.machine.take_turn();
        if !events.is_empty() || !besides.is_empty() {
            let spilled = turn::spill(&*store, self.machine.state(), &mut events).await;
            spilled.map_err(CommitError::Store)?;
            self.hand.spilled();
            self.keep_calls(&events);
            let observed = self.setup.observer.as_ref().map(|observer| (observer.clone(), events.clone()));
            let state = self.machine.state();
            let unit = turn::unit(&self.setup.identity, state, self.durable, events, &commands, besides);
            self.durable = self.setup.committer.commit(unit).await?;
            if let Some((observer, events)) = observed {
                observer.recorded(run, &events);
            }
        }
        self.hand.committed();
        Ok(commands)
    }

    /// Keeps the calls of attempts that may be made again, so that they need not be read from the store.
    fn keep_calls(&mut self, events: &[Recorded]) {
        for Recorded { seq, event, .. } in events {
            if let Some((step, side, call)) = turn::scheduled(event) {
                self.calls.insert((step.clone(), side), (*seq, Arc::new(call.clone())));
            }
        }
        let state = self.machine.state();
        self.calls.retain(|(step, side), _| state.activity(step, *side) != engine_core::state::Activity::Idle);
    }

    /// Tells attempts whether what they noted is durable since then.
    fn say_what_is_kept(&mut self, before: Seq) {
        for (step, side, kept) in std::mem::take(&mut self.noting) {
            let last = self.machine.state().step(&step).tries(side).checkpoint;
            // The attempt may be gone.
            let _ = kept.send(last.is_some_and(|last| last > before));
        }
    }

    fn answer(&mut self) {
        for (demand, id, answer) in std::mem::take(&mut self.asked) {
            if let Some(given) = self.answer_to(&id, &demand) {
                // Whoever asked may be gone; the answer is in the history.
                let _ = answer.send(given);
            }
        }
    }

    /// The recorded answer; else what a run that takes this in no more says for ever.
    fn answer_to(&self, id: &str, demand: &Demand) -> Option<Answer> {
        let state = self.machine.state();
        let ended = || state.end.as_ref().and_then(|_| machine::after_end(state, demand));
        state.answers.get(id).cloned().or_else(ended).or_else(|| machine::answer_if_full(state, demand))
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::SetTimer { key, due } => {
                self.timers.insert(key, due);
            }
            Command::ClearTimer { key } => {
                self.timers.remove(&key);
            }
            Command::Send(send) => {
                let state = self.machine.state().step(&send.step);
                let (forward, checkpoint) = (state.effect, state.tries(send.side).checkpoint);
                let attempt = Attempt { call: self.call(&send), send, forward, checkpoint };
                self.attempts.spawn(self.setup.sender.clone().attempt(attempt));
            }
        }
    }

    fn call(&self, send: &Send) -> Option<Arc<Call>> {
        let (seq, call) = self.calls.get(&(send.step.clone(), send.side))?;
        (*seq == send.call).then(|| call.clone())
    }

    fn report(&self) {
        let state = self.machine.state();
        let report = Report::at(self.durable, state.status());
        match &state.end {
            Some(_) => self.setup.reports.tell_end(report, state),
            None => self.setup.reports.tell(report),
        }
        if state.stop.is_some() {
            self.setup.turns.send_replace(true);
        }
    }
}
