//! The desk: takes requests one at a time, asks the fault rules, the ledger and the services in
//! that order, journals what follows, and says how to react. It has no clock and no sockets.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::error::MockError;
use crate::fault::{Book, Cut, Fault, Knobs, Rule, Verdict};
use crate::journal::{Journal, Record, Settled};
use crate::ledger::{Entry, Ledger, Outcome, Standing};
use crate::services::{Decision, World};

/// The answer to a late request leaves a little after its effect, never before it.
const AFTER_THE_EFFECT: Duration = Duration::from_millis(25);

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    Reply {
        answer: Answer,
        delay: Duration,
        retry_after: Option<u64>,
    },
    /// The connection is closed without an answer.
    Cut,
}

impl Reaction {
    pub(crate) fn reply(answer: Answer) -> Reaction {
        Reaction::Reply { answer, delay: Duration::ZERO, retry_after: None }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Reaction::Reply { answer, .. } => Some(answer.status),
            Reaction::Cut => None,
        }
    }
}

/// Everything the six services know.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    world: World,
    ledger: Ledger,
    book: Book,
    journal: Option<Journal>,
    closed: bool,
}

impl Desk {
    /// Remembers what the journal in `state_dir` holds; without one it starts anew and keeps
    /// everything in memory.
    pub(crate) fn open(state_dir: Option<&Path>, faults: Vec<Fault>) -> Result<Desk, MockError> {
        let mut desk = Desk::default();
        if let Some(dir) = state_dir {
            let (journal, records) = Journal::open(dir)?;
            for record in records {
                desk.apply(record);
            }
            desk.journal = Some(journal);
        }
        let rules = desk.book.restarted(faults);
        if rules != desk.book.rules() {
            desk.set_rules(rules).map_err(|source| MockError::StateDir {
                path: state_dir.unwrap_or(Path::new(".")).to_owned(),
                source,
            })?;
        }
        Ok(desk)
    }

    /// Lets go of the journal. Requests that still come in are cut off, as by a killed process.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.journal = None;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    pub(crate) fn set_rules(&mut self, rules: Vec<Rule>) -> io::Result<()> {
        self.commit(Record::Rules(rules))
    }

    /// One request.
    pub(crate) fn handle(&mut self, call: &Call, now: u64) -> Reaction {
        if self.closed {
            return Reaction::Cut;
        }
        let verdict = self.book.consult(call.endpoint);
        let mut entry = Entry::new(self.ledger.next_seq(), now, call, &verdict);
        let reaction = match at_the_door(&verdict) {
            Some(reaction) => reaction,
            None => self.take(call, &mut entry, &verdict),
        };
        entry.status = reaction.status();
        match self.commit(Record::Request(Box::new(entry))) {
            Ok(()) => reaction,
            Err(error) => {
                Reaction::reply(Answer::refused(503, &format!("the mock's journal cannot be written: {error}")))
            }
        }
    }

    /// The service sees the request: its key first, then what it asks for.
    fn take(&mut self, call: &Call, entry: &mut Entry, verdict: &Verdict) -> Reaction {
        let knobs = &verdict.knobs;
        let standing = self.ledger.standing(call, knobs.fence_off);
        let service = call.endpoint.service();
        if service.honours_keys() && !knobs.fence_off && standing != Standing::Reused {
            entry.fences.clone_from(&call.forward_key);
        }
        let (outcome, answer) = match standing {
            Standing::Repeat(answer) => (Outcome::Repeat, answer),
            Standing::InWork => (Outcome::InWork, Answer::refused(409, "this key is being carried out")),
            Standing::Reused => (Outcome::KeyReused, Answer::refused(422, "key reused")),
            Standing::Fenced => (Outcome::Fenced, fenced()),
            Standing::Fresh => {
                let decision = match injected(verdict) {
                    Some(answer) => Decision { answer, effect: None },
                    None => self.world.decide(call, entry.seq),
                };
                if let Some(late) = knobs.late {
                    entry.outcome = Outcome::Pending;
                    entry.due = Some(entry.at.saturating_add(millis(late)));
                    return at_the_back(knobs, decision.answer, late + AFTER_THE_EFFECT);
                }
                entry.effect.clone_from(&decision.effect);
                (Outcome::of(&decision), decision.answer)
            }
        };
        entry.outcome = outcome;
        entry.answer = Some(answer.clone());
        at_the_back(knobs, answer, knobs.delay.unwrap_or_default())
    }

    /// When the next late request is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.ledger.next_due().map(|(due, _)| due)
    }

    /// Carries out, or refuses, every late request that is due.
    pub(crate) fn settle(&mut self, now: u64) -> io::Result<()> {
        while let Some((due, seq)) = self.ledger.next_due() {
            let Some(entry) = self.ledger.entry(seq).filter(|_| due <= now && !self.closed) else {
                break;
            };
            let call = entry.call();
            let stopped = call
                .key
                .as_deref()
                .is_some_and(|key| !entry.fence_off && self.ledger.is_fenced(call.endpoint.service(), key));
            let settled = if stopped {
                Settled { seq, at: now, outcome: Outcome::Fenced, answer: fenced(), effect: None }
            } else {
                let decision = self.world.decide(&call, seq);
                let outcome = Outcome::of(&decision);
                Settled { seq, at: now, outcome, answer: decision.answer, effect: decision.effect }
            };
            self.commit(Record::Settled(settled))?;
        }
        Ok(())
    }

    /// Journal first, then memory: what was answered is remembered.
    fn commit(&mut self, record: Record) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.append(&record)?;
        }
        self.apply(record);
        Ok(())
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Request(entry) => {
                self.book.count(&entry.met, entry.fired);
                if let Some(effect) = &entry.effect {
                    self.world.apply(effect);
                }
                self.ledger.record(*entry);
            }
            Record::Settled(settled) => {
                if let Some(effect) = &settled.effect {
                    self.world.apply(effect);
                }
                self.ledger.settle(settled);
            }
            Record::Rules(rules) => self.book.replace(rules),
        }
    }

    /// The ledger and the services' state.
    pub(crate) fn to_json(&self) -> Value {
        let mut ledger = self.ledger.to_json();
        ledger.insert("state".to_owned(), self.world.summary());
        Value::Object(ledger)
    }
}

/// Faults that strike before the service sees the request.
fn at_the_door(verdict: &Verdict) -> Option<Reaction> {
    let knobs = &verdict.knobs;
    if knobs.cut == Some(Cut::Before) {
        return Some(Reaction::Cut);
    }
    let status = knobs.status.filter(|status| !knobs.effect && !is_definite(*status))?;
    Some(Reaction::Reply {
        answer: fault_answer(status, verdict.text.as_deref()),
        delay: knobs.delay.unwrap_or_default(),
        retry_after: knobs.retry_after,
    })
}

/// An injected definite refusal is the service's answer: it stands for the key, and a key that was
/// carried out before keeps its first answer.
fn injected(verdict: &Verdict) -> Option<Answer> {
    let knobs = &verdict.knobs;
    let status = knobs.status.filter(|_| !knobs.effect)?;
    Some(fault_answer(status, verdict.text.as_deref()))
}

/// Faults on the way back: the effect stands, the client does not learn of it.
fn at_the_back(knobs: &Knobs, answer: Answer, delay: Duration) -> Reaction {
    if knobs.cut == Some(Cut::After) {
        return Reaction::Cut;
    }
    let answer = match knobs.status {
        Some(status) if knobs.effect && answer.is_success() => fault_answer(status, None),
        _ if knobs.malformed && answer.is_success() => Answer { status: answer.status, body: broken(&answer.body) },
        _ => answer,
    };
    let retry_after = knobs.retry_after.filter(|_| knobs.status == Some(answer.status));
    Reaction::Reply { answer, delay, retry_after }
}

fn is_definite(status: u16) -> bool {
    (400..500).contains(&status) && ![408, 409, 425, 429].contains(&status)
}

fn fault_answer(status: u16, rule: Option<&str>) -> Answer {
    Answer::json(status, &json!({ "error": "injected fault", "rule": rule }))
}

fn fenced() -> Answer {
    Answer::refused(422, "fenced")
}

/// The first half of an object is never valid JSON.
fn broken(body: &str) -> String {
    body.chars().take(body.chars().count() / 2).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
