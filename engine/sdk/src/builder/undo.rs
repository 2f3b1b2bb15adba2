//! How a step is undone.

use std::panic::Location;

use engine_core::format;
use serde::Serialize;
use serde_json::Value;

use super::argument::Args;
use super::http::Http;
use super::policy::Retry;
use super::port::Step;
use super::reference;
use super::slot::Slot;
use super::state::{Called, Place, Reader, State, Undo};
use crate::seal::Seal;
use crate::task::{ArgTypes, Given, NoCapture, TaskEntry, TaskFn, TaskFuture, TaskResult, Undoes, task_name};

impl<T, P> Step<'_, T, P> {
    /// Is undone by this task: it takes the [`Outcome`](crate::Outcome) of this step, then these arguments. It is named
    /// after the step, `charge.undo@1`, unless something else is said.
    #[track_caller]
    pub fn compensate<F, Sig, A>(self, undo: F, args: A) -> Self
    where
        F: TaskFn<Sig> + NoCapture + Send + Sync,
        F::Ret: TaskFuture + Send + 'static,
        <F::Ret as TaskFuture>::Gives: TaskResult<Ok: Serialize>,
        Sig: Undoes<T>,
        Sig: ArgTypes + 'static,
        A: Args<Sig::Rest>,
    {
        const { assert!(F::CAPTURED == 0, "a task may not capture variables, nor be a pointer: name a function") }
        let (given, args) = (undo.given(Seal), args.slots(Seal));
        self.undo_by_task(Part::Call, (given, TaskEntry::new(undo)), args, Location::caller());
        self
    }

    /// Is undone by this request. Where it is unknown whether the step was carried out, what it gave is `null` there.
    #[track_caller]
    pub fn compensate_http(self, http: Http) -> Self {
        self.undo_by_http(Part::Call, http, Location::caller());
        self
    }

    /// Where it is unknown whether the step was carried out, is undone by this task instead. It takes these arguments
    /// and no outcome, and is named after the step, `charge.unknown@1`, unless something else is said.
    #[track_caller]
    pub fn unknown<F, Sig, A>(self, undo: F, args: A) -> Self
    where
        F: TaskFn<Sig> + NoCapture + Send + Sync,
        F::Ret: TaskFuture + Send + 'static,
        <F::Ret as TaskFuture>::Gives: TaskResult<Ok: Serialize>,
        Sig: ArgTypes + 'static,
        A: Args<Sig>,
    {
        const { assert!(F::CAPTURED == 0, "a task may not capture variables, nor be a pointer: name a function") }
        let (given, args) = (undo.given(Seal), args.slots(Seal));
        self.undo_by_task(Part::Unknown, (given, TaskEntry::new(undo)), args, Location::caller());
        self
    }

    /// Where it is unknown whether the step was carried out, is undone by this request instead.
    #[track_caller]
    pub fn unknown_http(self, http: Http) -> Self {
        self.undo_by_http(Part::Unknown, http, Location::caller());
        self
    }

    /// When its compensation is tried again; else as the defaults say, else patiently: 60 times, up to 5 minutes apart.
    #[track_caller]
    pub fn compensation_retry(self, retry: Retry) -> Self {
        self.say_of_undo("retry", Location::caller(), |undo| undo.retry = Some(retry.0));
        self
    }

    /// The timeout of one attempt of its compensation.
    #[track_caller]
    pub fn compensation_timeout(self, span: &str) -> Self {
        self.say_of_undo("timeout", Location::caller(), |undo| undo.timeout = Some(span.to_owned()));
        self
    }

    fn undo_by_task(&self, part: Part, (given, task): (Given, TaskEntry), args: Vec<Slot>, at: Place) {
        let mut state = self.port.scope.lock();
        let step = state.name_of(self.node).to_owned();
        let name = state.task(task_name(given, &format!("{step}.{}", part.task_name())), task, at);
        let mut all: Vec<Value> = part.takes_outcome().then(|| reference::outcome(&step)).into_iter().collect();
        all.extend(state.resolve_all(args, Reader { node: Some(self.node), undoes: true, at }));
        let args = Some(all).filter(|all| !all.is_empty());
        let task = format::Task { name, args, ..format::Task::default() };
        drop(state);
        self.set_undo(part, Called::Task(task), at);
    }

    fn undo_by_http(&self, part: Part, http: Http, at: Place) {
        let mut state = self.port.scope.lock();
        let (http, output) = state.http(http, Reader { node: Some(self.node), undoes: true, at });
        if output.is_some() {
            state.problem(at, "nobody takes what a compensation gives: leave out `.output(..)`");
        }
        drop(state);
        self.set_undo(part, Called::Http(Box::new(http)), at);
    }

    fn set_undo(&self, part: Part, called: Called, at: Place) {
        self.say_of_undo(part.key(), at, |undo| *part.of(undo) = Some(called));
    }

    fn say_of_undo(&self, key: &str, at: Place, say: impl FnOnce(&mut Undo)) {
        let pointer = format!("compensate/{key}");
        self.say(pointer.trim_end_matches('/'), at, |node| {
            node.undo.at.get_or_insert(at);
            say(&mut node.undo);
        });
    }
}

/// The calls of a compensation.
#[derive(Clone, Copy)]
enum Part {
    Call,
    Unknown,
}

impl Part {
    fn task_name(self) -> &'static str {
        match self {
            Self::Call => "undo",
            Self::Unknown => "unknown",
        }
    }

    /// Its key below `compensate`; the call itself stands there.
    fn key(self) -> &'static str {
        match self {
            Self::Call => "",
            Self::Unknown => "unknown",
        }
    }

    fn takes_outcome(self) -> bool {
        matches!(self, Self::Call)
    }

    fn of(self, undo: &mut Undo) -> &mut Option<Called> {
        match self {
            Self::Call => &mut undo.call,
            Self::Unknown => &mut undo.unknown,
        }
    }
}

impl State {
    /// The compensation of a step as the file has it.
    pub(super) fn compensation(undo: &Undo) -> Result<Option<format::Compensate>, Place> {
        let Some(at) = undo.at else { return Ok(None) };
        let (http, task) = split(undo.call.clone().ok_or(at)?);
        let unknown = undo.unknown.clone().map(|unknown| {
            let (http, task) = split(unknown);
            format::Unknown { comment: format::Comment, http, task }
        });
        let (retry, timeout) = (undo.retry.clone(), undo.timeout.clone());
        Ok(Some(format::Compensate { comment: format::Comment, http, task, retry, timeout, unknown }))
    }
}

fn split(called: Called) -> (Option<format::Http>, Option<format::Task>) {
    match called {
        Called::Http(http) => (Some(*http), None),
        Called::Task(task) => (None, Some(task)),
    }
}
