//! Steps: from their keys in the file to what the engine carries out.

use super::calls::{Around, Called, both};
use super::check::{Checked, Checker, Noted};
use super::texts::{Place, Scope};
use super::{Compensate, Expect, Kind, OnUnknown, Otherwise, OutputRule, Step, StepIndex};
use crate::expression::scan;
use crate::failure::Effect;
use crate::format::{self, At, WordOr, pointer_to, quoted};
use crate::id::Name;

/// The code of a broken expectation that names none.
const EXPECTATION_FAILED: &str = "EXPECTATION_FAILED";

impl Checker<'_> {
    /// All steps; nothing where one of them is wrong.
    pub(super) fn steps(&mut self) -> Checked<Vec<Step>> {
        let mut steps = Ok(Vec::new());
        for (index, (place, name, step)) in self.all_steps().enumerate() {
            let index = StepIndex::at(index);
            let pointer = pointer_to(place, name);
            self.after(index, name, step.after.as_deref().unwrap_or_default(), &pointer);
            let step = self.step(index, name, step, &pointer);
            steps = both(steps, step, Vec::push);
        }
        steps
    }

    fn after(&mut self, index: StepIndex, name: &str, earlier: &[String], pointer: &str) {
        let mut seen = std::collections::BTreeSet::new();
        for (position, other) in earlier.iter().enumerate() {
            let place = format!("{pointer}/after/{position}");
            let Some(step) = self.by_name.get(other.as_str()).copied() else {
                let near = self.near_step(other, self.is_on_failure(index));
                self.findings.add_at(&place, At::Value, || format!("there is no step {}{near}", quoted(other)));
                continue;
            };
            let problem = if step == index {
                Some(format!("{} comes after itself", quoted(name)))
            } else if !seen.insert(step) {
                Some(format!("{} is named twice", quoted(other)))
            } else {
                match (self.is_on_failure(index), self.is_on_failure(step)) {
                    (false, true) => Some(format!(
                        "{} is a step of `on_failure`; it runs only after a run has failed",
                        quoted(other)
                    )),
                    (true, false) => {
                        Some(format!("steps of `on_failure` come after all others anyway; take {} out", quoted(other)))
                    }
                    _ => None,
                }
            };
            match (problem, self.after.get_mut(index.get())) {
                (Some(problem), _) => self.findings.add(&place, problem),
                (None, Some(after)) => drop(after.insert(step)),
                (None, None) => {}
            }
        }
    }

    fn step(&mut self, index: StepIndex, name: &str, step: &format::Step, pointer: &str) -> Checked<Step> {
        let place = Place { step: Some(index), scope: Scope::Condition, on_failure: self.is_on_failure(index) };
        let when = step.when.as_deref().map(|when| self.condition(when, place, &format!("{pointer}/when")));
        let otherwise = self.otherwise(step, place, pointer);
        let kind = self.kind(step, place, pointer);
        self.misplaced(step, place.on_failure, pointer);
        let compensate = step.compensate.as_ref().map(|undo| self.compensate(undo, place, pointer));
        Ok(Step {
            name: Name::new(name),
            description: step.description.clone(),
            kind: kind?,
            after: Vec::new(),
            before: Vec::new(),
            when: when.transpose()?,
            otherwise: otherwise?,
            if_skipped: step.if_skipped == Some(format::IfSkipped::Run),
            optional: step.optional == Some(true),
            pivot: step.pivot == Some(true),
            on_unknown: match step.on_unknown {
                Some(format::OnUnknown::Stuck) => OnUnknown::Stuck,
                Some(format::OnUnknown::Fail) | None => OnUnknown::Fail,
            },
            compensate: compensate.transpose()?,
        })
    }

    fn kind(&mut self, step: &format::Step, place: Place, pointer: &str) -> Checked<Kind> {
        let called = match (&step.http, &step.task, &step.value) {
            (Some(http), None, None) => Called::Http(http),
            (None, Some(task), None) => Called::Task(task),
            (None, None, Some(value)) => {
                let pointer = format!("{pointer}/value");
                return self.template(value, place.with(Scope::Request), &pointer).map(Kind::Value);
            }
            (None, None, None) => {
                let message = || "a step does something: give it `http`, `task` or `value`".into();
                self.findings.add_at(pointer, At::Key, message);
                return Err(Noted);
            }
            (http, task, value) => {
                let keys = [("http", http.is_some()), ("task", task.is_some()), ("value", value.is_some())];
                let written: Vec<_> = keys.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).collect();
                self.more_than_one(&written, pointer);
                return Err(Noted);
            }
        };
        let around = self.around(step, called, place, pointer);
        let call = self.call(called, around, place.with(Scope::Request), pointer)?;
        Ok(Kind::Call(Box::new(call)))
    }

    fn more_than_one(&mut self, written: &[&str], pointer: &str) {
        let count = if written.len() == 2 { "two" } else { "three" };
        let last = written.last().copied().unwrap_or_default();
        self.findings.add_at(&format!("{pointer}/{last}"), At::Key, || {
            let keys: Vec<_> = written.iter().map(|key| format!("`{key}`")).collect();
            format!("a step does one thing: {} are {count}; make them {count} steps", keys.join(" and "))
        });
    }

    fn around(&mut self, step: &format::Step, called: Called<'_>, place: Place, pointer: &str) -> Checked<Around> {
        let place = place.with(Scope::Answer);
        let expect = step.expect.as_ref().map(|expect| self.expect(expect, place, &format!("{pointer}/expect")));
        let output = self.output(step.output.as_ref(), place, &format!("{pointer}/output"));
        if let (Called::Task(_), Ok(OutputRule::Response)) = (called, &output) {
            self.findings.add(&format!("{pointer}/output"), "a task has no response: its output is what it gives");
        }
        let base = self.policies.forward.clone();
        let retry = self.policy(&base, step.retry.as_ref(), &format!("{pointer}/retry"));
        let timeout = self.timeout(step.timeout.as_deref(), called.service(), &format!("{pointer}/timeout"));
        Ok(Around { expect: expect.transpose()?, output: output?, retry, timeout })
    }

    fn expect(&mut self, expect: &format::Expect, place: Place, pointer: &str) -> Checked<Expect> {
        let that = self.condition(&expect.that, place, &format!("{pointer}/that"));
        let code = expect.code.as_deref().unwrap_or(EXPECTATION_FAILED);
        self.code(code, &format!("{pointer}/code"));
        let message = expect.message.as_deref().map(|text| self.text(text, place, &format!("{pointer}/message")));
        Ok(Expect {
            that: that?,
            code: code.to_owned(),
            message: message.transpose()?,
            effect: match expect.effect {
                Some(format::ExpectEffect::None) => Effect::None,
                Some(format::ExpectEffect::Done) => Effect::Done,
                Some(format::ExpectEffect::Unknown) | None => Effect::Unknown,
            },
        })
    }

    fn output(&mut self, output: Option<&serde_json::Value>, place: Place, pointer: &str) -> Checked<OutputRule> {
        let Some(output) = output else { return Ok(OutputRule::Body) };
        match output.as_str() {
            Some("body") => return Ok(OutputRule::Body),
            Some("response") => return Ok(OutputRule::Response),
            Some(text) if !scan::has_expression(text) => {
                let message = format!(
                    "{} is no output: give \"body\", \"response\", or JSON with expressions over `.output`",
                    quoted(text)
                );
                self.findings.add(pointer, message);
                return Err(Noted);
            }
            _ => {}
        }
        self.template(output, place, pointer).map(OutputRule::Template)
    }

    fn otherwise(&mut self, step: &format::Step, place: Place, pointer: &str) -> Checked<Otherwise> {
        let pointer = format!("{pointer}/otherwise");
        if step.otherwise.is_some() && step.when.is_none() {
            self.findings.add_at(&pointer, At::Key, || {
                "`otherwise` says what happens where `when` is false; there is no `when`".into()
            });
        }
        match &step.otherwise {
            None | Some(WordOr::Word(format::Skip::Skip)) => Ok(Otherwise::Skip),
            Some(WordOr::Object(fail)) => {
                self.code(&fail.fail, &format!("{pointer}/fail"));
                let message = fail.message.as_deref().map(|text| self.text(text, place, &format!("{pointer}/message")));
                Ok(Otherwise::Fail { code: fail.fail.clone(), message: message.transpose()? })
            }
        }
    }

    /// Codes are for programs: a fixed word, never a sentence.
    fn code(&mut self, code: &str, pointer: &str) {
        let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let fine = code.starts_with(|c: char| c.is_ascii_uppercase()) && code.chars().all(word);
        if !fine || code.len() > crate::bounds::NAME_LEN {
            let message = format!("{} is no code: use upper-case letters, digits and `_`, 64 at most", quoted(code));
            self.findings.add(pointer, message);
        }
    }

    fn compensate(&mut self, undo: &format::Compensate, place: Place, pointer: &str) -> Checked<Compensate> {
        let pointer = format!("{pointer}/compensate");
        let place = place.with(Scope::Undo);
        let base = self.policies.compensation.clone();
        let retry = self.policy(&base, undo.retry.as_ref(), &format!("{pointer}/retry"));
        let timeout = undo.timeout.as_deref();
        let mut undoes = |http: Option<&format::Http>, task: Option<&format::Task>, call_pointer: &str| {
            let called = self.called(http, task, call_pointer)?;
            let timeout = self.timeout(timeout, called.service(), &format!("{pointer}/timeout"));
            let around = Around { expect: None, output: OutputRule::Body, retry: retry.clone(), timeout };
            self.call(called, Ok(around), place, call_pointer)
        };
        let unknown = undo
            .unknown
            .as_ref()
            .map(|unknown| undoes(unknown.http.as_ref(), unknown.task.as_ref(), &format!("{pointer}/unknown")));
        let call = undoes(undo.http.as_ref(), undo.task.as_ref(), &pointer);
        Ok(Compensate { call: call?, unknown: unknown.transpose()? })
    }

    /// Keys that mean nothing on this step.
    fn misplaced(&mut self, step: &format::Step, on_failure: bool, pointer: &str) {
        let mut refuse = |there: bool, key: &str, why: &str| {
            if there {
                self.findings
                    .add_at(&format!("{pointer}/{key}"), At::Key, || format!("`{key}` can't stand here: {why}"));
            }
        };
        if step.http.is_none() && step.task.is_none() && step.value.is_some() {
            let why = "a `value` is computed and calls nobody";
            refuse(step.expect.is_some(), "expect", why);
            refuse(step.retry.is_some(), "retry", why);
            refuse(step.timeout.is_some(), "timeout", why);
            refuse(step.on_unknown.is_some(), "on_unknown", why);
            refuse(step.output.is_some(), "output", why);
            refuse(step.compensate.is_some(), "compensate", why);
        }
        if on_failure {
            let why = "the steps of `on_failure` run after all is over, and are not undone";
            refuse(step.pivot == Some(true), "pivot", why);
            refuse(step.compensate.is_some(), "compensate", why);
            refuse(step.on_unknown == Some(format::OnUnknown::Stuck), "on_unknown", why);
        } else if step.pivot == Some(true) {
            let why = "the pivot decides whether a run can still turn back, so it can't be left out";
            refuse(step.optional == Some(true), "optional", why);
        }
    }
}
