//! Takes requests one at a time: the script first, then the key, then the deed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine_core::machine::{Answered, AttemptOutcome, Body};
use engine_core::time::Timestamp;
use serde_json::{Value, json};

use super::ledger::{Became, Entry, Happened, Ledger};
use super::script::{Behaviour, Deed, Endpoint, Script};

/// A request as a service sees it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) service: String,
    /// `service/path`.
    pub(super) path: String,
    pub(super) key: String,
    pub(super) key_of: Option<String>,
    pub(super) body: String,
}

/// What the caller gets, and after how long.
pub(super) struct Reaction {
    pub(super) outcome: AttemptOutcome,
    pub(super) after: Duration,
}

#[derive(Clone, PartialEq, Debug)]
struct Reply {
    status: u16,
    body: Value,
}

/// What a key stands for.
#[derive(Clone, Debug)]
struct KeyUse {
    path: String,
    body: String,
    /// None while it is in work.
    reply: Option<Reply>,
}

/// Everything the services know.
pub(super) struct Desk {
    script: Script,
    pub(super) ledger: Ledger,
    asked: BTreeMap<String, usize>,
    keys: BTreeMap<(String, String), KeyUse>,
    fenced: BTreeSet<(String, String)>,
    /// Requests in work, by when they are due and the position of their entry.
    pending: BTreeMap<(Timestamp, usize), Asked>,
}

impl Desk {
    pub(super) fn new(script: Script) -> Self {
        Self {
            script,
            ledger: Ledger::default(),
            asked: BTreeMap::new(),
            keys: BTreeMap::new(),
            fenced: BTreeSet::new(),
            pending: BTreeMap::new(),
        }
    }

    /// From now on the endpoint behaves so.
    pub(super) fn change(&mut self, path: &str, behaviour: Behaviour) {
        let script = std::mem::take(&mut self.script);
        self.script = script.with(path, |endpoint| Endpoint { first: Vec::new(), then: behaviour, ..endpoint });
    }

    /// Carries out, or refuses, what is in work and due.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, position), asked) = entry.remove_entry();
            let (name, endpoint) = self.script.find(&asked.path);
            let id = (asked.service.clone(), asked.key.clone());
            let (became, reply) = if endpoint.honours_keys && self.script.fences() && self.fenced.contains(&id) {
                (Became::Fenced, fenced())
            } else {
                self.carry_out(&asked, &name, &endpoint)
            };
            if let Some(known) = self.keys.get_mut(&id) {
                known.reply = Some(reply);
            }
            if let Some(entry) = self.ledger.entries.get_mut(position) {
                entry.became = became;
            }
        }
    }

    /// One request arrives.
    pub(super) fn arrive(&mut self, asked: &Asked, now: Timestamp) -> Reaction {
        self.settle(now);
        let (name, endpoint) = self.script.find(&asked.path);
        let count = self.asked.entry(name.clone()).or_default();
        let behaviour = endpoint.behaviour(*count).clone();
        *count += 1;
        let position = self.ledger.entries.len();
        self.ledger.entries.push(Entry {
            at: now,
            service: asked.service.clone(),
            endpoint: name.clone(),
            key: asked.key.clone(),
            key_of: asked.key_of.clone(),
            body: asked.body.clone(),
            became: Became::Fault,
        });
        if let Some(outcome) = at_the_door(&behaviour) {
            return Reaction { outcome, after: endpoint.latency };
        }
        let (became, reply) = self.take(asked, &name, &endpoint, &behaviour);
        if became == Became::Pending {
            self.pending.insert((now.after(late(&behaviour)), position), asked.clone());
        }
        if let Some(entry) = self.ledger.entries.get_mut(position) {
            entry.became = became;
        }
        at_the_back(&behaviour, &reply, became, endpoint.latency)
    }

    /// The service sees the request: its key first, then what it asks for.
    fn take(&mut self, asked: &Asked, name: &str, endpoint: &Endpoint, behaviour: &Behaviour) -> (Became, Reply) {
        let id = (asked.service.clone(), asked.key.clone());
        if endpoint.honours_keys {
            if let Some(key_of) = &asked.key_of {
                self.fenced.insert((asked.service.clone(), key_of.clone()));
            }
            if let Some(known) = self.keys.get(&id) {
                return known.again(asked);
            }
            if self.script.fences() && self.fenced.contains(&id) {
                return (Became::Fenced, fenced());
            }
        }
        let (became, reply) = match behaviour {
            Behaviour::Refuse(status) => (Became::Refused, refusal(*status)),
            Behaviour::Late(_) => (Became::Pending, Reply { status: 200, body: endpoint.answer.clone() }),
            _ => self.carry_out(asked, name, endpoint),
        };
        if endpoint.honours_keys {
            let known = (became != Became::Pending).then(|| reply.clone());
            self.keys.insert(id, KeyUse { path: asked.path.clone(), body: asked.body.clone(), reply: known });
        }
        (became, reply)
    }

    fn carry_out(&mut self, asked: &Asked, name: &str, endpoint: &Endpoint) -> (Became, Reply) {
        let well = Reply { status: 200, body: endpoint.answer.clone() };
        let mut happened = Happened {
            service: asked.service.clone(),
            endpoint: name.to_owned(),
            key: asked.key.clone(),
            undid: None,
            found: false,
            honours_keys: endpoint.honours_keys,
        };
        let (became, reply) = match &endpoint.deed {
            Deed::Look => return (Became::Told, well),
            Deed::Effect => (Became::Done, well),
            Deed::Undo { of, nothing } => {
                let key_of = asked.key_of.clone().unwrap_or_default();
                let stands = self.ledger.stands(&asked.service, of, &key_of);
                happened.undid = Some(key_of);
                happened.found = stands == Some(true);
                match stands {
                    Some(true) => (Became::Done, well),
                    Some(false) => (Became::Told, well),
                    None => (Became::NothingToUndo, refusal(*nothing)),
                }
            }
        };
        self.ledger.happened.push(happened);
        (became, reply)
    }
}

impl KeyUse {
    /// What a request with a key that is known gets.
    fn again(&self, asked: &Asked) -> (Became, Reply) {
        match &self.reply {
            _ if self.path != asked.path || self.body != asked.body => (Became::KeyReused, refusal(422)),
            Some(reply) => (Became::Repeat, reply.clone()),
            None => (Became::InWork, refusal(409)),
        }
    }
}

fn late(behaviour: &Behaviour) -> Duration {
    match behaviour {
        Behaviour::Late(late) => *late,
        _ => Duration::ZERO,
    }
}

fn fenced() -> Reply {
    Reply { status: 422, body: json!({ "error": "fenced" }) }
}

fn refusal(status: u16) -> Reply {
    Reply { status, body: json!({ "error": format!("refused with {status}") }) }
}

fn answered(status: u16, body: &str, retry_after: Option<Duration>) -> AttemptOutcome {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    AttemptOutcome::Answered(Answered { status, retry_after, headers, body: Body::Whole(Arc::from(body.as_bytes())) })
}

fn cut() -> AttemptOutcome {
    AttemptOutcome::Lost { timed_out: false, message: "the connection was cut".to_owned() }
}

/// What keeps a request from its service.
fn at_the_door(behaviour: &Behaviour) -> Option<AttemptOutcome> {
    match behaviour {
        Behaviour::Fail(status) => Some(answered(*status, "{}", None)),
        Behaviour::Throttle(wait) => Some(answered(429, "{}", Some(*wait))),
        Behaviour::CutBefore => Some(cut()),
        Behaviour::Unreachable => Some(AttemptOutcome::NotSent { message: "connection refused".to_owned() }),
        Behaviour::Succeed
        | Behaviour::SucceedAfter(_)
        | Behaviour::Say(_)
        | Behaviour::Refuse(_)
        | Behaviour::FailThoughDone(_)
        | Behaviour::CutAfter
        | Behaviour::Late(_)
        | Behaviour::Malformed => None,
    }
}

/// What happens to the answer on its way back, and how long that takes.
fn at_the_back(behaviour: &Behaviour, reply: &Reply, became: Became, latency: Duration) -> Reaction {
    let is_well = (200..300).contains(&reply.status);
    let body = reply.body.to_string();
    let whole = || answered(reply.status, &body, None);
    let half = || answered(reply.status, body.get(..body.len() / 2).unwrap_or_default(), None);
    let (outcome, after) = match behaviour {
        Behaviour::SucceedAfter(after) => (whole(), *after),
        Behaviour::Late(late) if became == Became::Pending => (whole(), late.saturating_add(latency)),
        Behaviour::CutAfter => (cut(), latency),
        Behaviour::Say(said) if is_well => (answered(reply.status, &said.to_string(), None), latency),
        Behaviour::FailThoughDone(status) if is_well => (answered(*status, "{}", None), latency),
        Behaviour::Malformed if is_well => (half(), latency),
        _ => (whole(), latency),
    };
    Reaction { outcome, after }
}
