//! What can be said of a step.

use std::panic::Location;

use engine_core::format::{self, WordOr};
use serde_json::Value;

use super::after::AfterSteps;
use super::argument::Arg;
use super::http::Expect;
use super::policy::Retry;
use super::port::{Maybe, Port, Step};
use super::reference;
use super::slot::Slot;
use super::state::{Node, Place, Reader};
use super::text::Text;
use crate::seal::Seal;

impl<'w, T, P> Step<'w, T, P> {
    /// Starts only when these have ended. What it takes as arguments it waits for anyway.
    #[track_caller]
    pub fn after(self, steps: impl AfterSteps) -> Self {
        let at = Location::caller();
        let mut state = self.port.scope.lock();
        for awaited in steps.steps(Seal) {
            if awaited.builder != self.port.scope.id() {
                state.foreign(Reader { node: Some(self.node), undoes: false, at });
            } else if let Some(node) = state.node(self.node)
                && !node.after.contains(&awaited.node)
            {
                node.after.push(awaited.node);
            }
        }
        state.place_of_key(self.node, "after", at);
        self
    }

    /// When it is tried again.
    #[track_caller]
    pub fn retry(self, retry: Retry) -> Self {
        self.say("retry", Location::caller(), |node| node.step.retry = Some(retry.0))
    }

    /// The timeout of one attempt, as `"10s"`; else that of its service, else that of the defaults, else 60 s.
    #[track_caller]
    pub fn timeout(self, span: &str) -> Self {
        self.say("timeout", Location::caller(), |node| node.step.timeout = Some(span.to_owned()))
    }

    /// The point of no return: once it is done, the run only goes forward.
    #[track_caller]
    pub fn pivot(self) -> Self {
        self.say("pivot", Location::caller(), |node| node.step.pivot = Some(true))
    }

    /// Where it fails, the run goes on; then there is no output.
    #[track_caller]
    pub fn optional(self) -> Step<'w, T, Maybe> {
        self.say("optional", Location::caller(), |node| node.step.optional = Some(true)).with_presence()
    }

    /// Runs only where this is true; else it is skipped, and there is no output.
    #[track_caller]
    pub fn when(self, condition: impl Arg<bool>) -> Step<'w, T, Maybe> {
        self.set_when(condition.slot(Seal), Location::caller());
        self.with_presence()
    }

    /// Where its condition is false, it fails, and has done nothing; `code` is a word for programs, as `NO_STOCK`.
    #[track_caller]
    pub fn otherwise_fail(self, code: &str, message: impl Into<Text>) -> Step<'w, T> {
        self.set_otherwise(code, message.into().0, Location::caller());
        self.with_presence()
    }

    /// Runs also where all steps that it comes after were skipped. The builder says so itself where they all are
    /// optional or have conditions.
    #[track_caller]
    pub fn if_skipped_run(self) -> Self {
        let at = Location::caller();
        self.say("if_skipped", at, |node| node.step.if_skipped = Some(format::IfSkipped::Run))
    }

    /// Where it is still unknown after the last attempt whether it was carried out, it waits for an operator.
    #[track_caller]
    pub fn on_unknown_stuck(self) -> Self {
        let at = Location::caller();
        self.say("on_unknown", at, |node| node.step.on_unknown = Some(format::OnUnknown::Stuck))
    }

    /// What must hold of what it gives; else it fails.
    #[track_caller]
    pub fn expect(self, expect: Expect) -> Self {
        self.say("expect", Location::caller(), |node| node.step.expect = Some(expect.0))
    }

    /// What it is for.
    #[track_caller]
    pub fn description(self, text: &str) -> Self {
        self.say("description", Location::caller(), |node| node.step.description = Some(text.to_owned()))
    }

    fn set_when(&self, condition: Slot, at: Place) {
        let mut state = self.port.scope.lock();
        let condition = match state.resolve(condition, Reader { node: Some(self.node), undoes: false, at }) {
            Value::String(expression) => expression,
            constant => reference::expression(&constant.to_string()),
        };
        state.place_of_key(self.node, "when", at);
        if let Some(node) = state.node(self.node) {
            node.step.when = Some(condition);
        }
    }

    fn set_otherwise(&self, code: &str, message: Slot, at: Place) {
        let mut state = self.port.scope.lock();
        let message = state.resolve(message, Reader { node: Some(self.node), undoes: false, at });
        let message = message.as_str().map(str::to_owned);
        let fail = format::Fail { fail: code.to_owned(), message, ..format::Fail::default() };
        state.place_of_key(self.node, "otherwise", at);
        if let Some(node) = state.node(self.node) {
            node.step.otherwise = Some(WordOr::Object(fail));
        }
    }

    /// Says something of the step, and notes where that was.
    pub(super) fn say(self, key: &str, at: Place, say: impl FnOnce(&mut Node)) -> Self {
        let mut state = self.port.scope.lock();
        state.place_of_key(self.node, key, at);
        if let Some(node) = state.node(self.node) {
            say(node);
        }
        self
    }

    fn with_presence<Q>(self) -> Step<'w, T, Q> {
        Step { port: Port::new(self.port.scope, self.port.reference), node: self.node }
    }
}
