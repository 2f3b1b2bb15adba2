//! The ledger: every request with what became of it, and what each idempotency key stands for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call};
use crate::catalogue::{Endpoint, Service};
use crate::fault::Verdict;
use crate::journal::Settled;
use crate::services::{Decision, Effect};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Carried out: the state changed.
    Effect,
    /// A 2xx answer that changed nothing.
    Answered,
    /// A definite refusal (4xx) by the service, or by a rule in its place.
    Refused,
    /// Refused because the key's compensation came first.
    Fenced,
    /// The key was there before: the first answer again.
    Repeat,
    /// The key is being carried out: 409.
    InWork,
    /// The key was used for another request: a mistake of the caller.
    KeyReused,
    /// A rule answered, or cut the connection, before the service saw the request.
    Fault,
    /// Taken into work; the effect is still to come.
    Pending,
}

impl Outcome {
    pub(crate) fn of(decision: &Decision) -> Outcome {
        match (&decision.effect, decision.answer.is_success()) {
            (Some(_), _) => Outcome::Effect,
            (None, true) => Outcome::Answered,
            (None, false) => Outcome::Refused,
        }
    }

    /// Whether the service took the request as a new one, so that its key stands for it.
    fn claims_key(self) -> bool {
        matches!(self, Outcome::Effect | Outcome::Answered | Outcome::Refused | Outcome::Fenced | Outcome::Pending)
    }
}

/// One request in the ledger. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) endpoint: Endpoint,
    pub(crate) path: String,
    pub(crate) id: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) forward_key: Option<String>,
    pub(crate) body: Value,
    pub(crate) outcome: Outcome,
    /// The status that the client is sent; none where the connection is cut.
    pub(crate) status: Option<u16>,
    /// The service's own answer, which a fault may have kept from the client.
    pub(crate) answer: Option<Answer>,
    pub(crate) effect: Option<Effect>,
    /// When a late effect is due, and when it was settled.
    pub(crate) due: Option<u64>,
    pub(crate) settled: Option<u64>,
    /// The rule that fired.
    pub(crate) fault: Option<String>,
    pub(crate) fence_off: bool,
    /// The key that is refused from now on.
    pub(crate) fences: Option<String>,
    /// Rules to count.
    pub(crate) met: Vec<u64>,
    pub(crate) fired: Option<u64>,
}

impl Entry {
    /// An entry of which only the outcome is still to be filled in.
    pub(crate) fn new(seq: u64, at: u64, call: &Call, verdict: &Verdict) -> Entry {
        Entry {
            seq,
            at,
            endpoint: call.endpoint,
            path: call.path.clone(),
            id: call.id.clone(),
            key: call.key.clone(),
            forward_key: call.forward_key.clone(),
            body: call.body.clone(),
            outcome: Outcome::Fault,
            status: None,
            answer: None,
            effect: None,
            due: None,
            settled: None,
            fault: verdict.text.clone(),
            fence_off: verdict.knobs.fence_off,
            fences: None,
            met: verdict.met.clone(),
            fired: verdict.fired,
        }
    }

    /// The request again, to decide about it when it is due.
    pub(crate) fn call(&self) -> Call {
        Call {
            endpoint: self.endpoint,
            path: self.path.clone(),
            id: self.id.clone(),
            key: self.key.clone(),
            forward_key: self.forward_key.clone(),
            body: self.body.clone(),
        }
    }

    fn is_same_request(&self, call: &Call) -> bool {
        self.endpoint == call.endpoint && self.path == call.path && self.body == call.body
    }

    fn to_json(&self) -> Value {
        let answer = self.answer.as_ref().map(|answer| {
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body));
            json!({ "status": answer.status, "body": body })
        });
        json!({
            "seq": self.seq,
            "service": self.endpoint.service().name(),
            "endpoint": self.endpoint.name(),
            "path": self.path,
            "key": self.key,
            "forward_key": self.forward_key,
            "body": self.body,
            "outcome": self.outcome,
            "status": self.status,
            "answer": answer,
            "effect": self.effect,
            "fault": self.fault,
            "received_at": self.at,
            "due_at": self.due,
            "settled_at": self.settled,
        })
    }
}

/// What a key means for a request that carries it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    Fresh,
    Repeat(Answer),
    InWork,
    Reused,
    Fenced,
}

/// All requests that carried one key to one service.
#[derive(Debug, Default)]
struct KeyUse {
    /// The request that the key stands for.
    first: Option<u64>,
    entries: Vec<u64>,
    effects: u64,
    repeats: u64,
    violations: u64,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    keys: BTreeMap<Service, BTreeMap<String, KeyUse>>,
    fenced: BTreeMap<Service, BTreeSet<String>>,
    /// Requests in work, by the time at which they are due.
    pending: BTreeSet<(u64, u64)>,
}

impl Ledger {
    pub(crate) fn next_seq(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// How the request stands with its key. Services that do not honour keys see only new requests.
    pub(crate) fn standing(&self, call: &Call, fence_off: bool) -> Standing {
        let service = call.endpoint.service();
        let Some(key) = call.key.as_deref().filter(|_| service.honours_keys()) else {
            return Standing::Fresh;
        };
        let first = self.key_use(service, key).and_then(|known| known.first).and_then(|seq| self.entry(seq));
        match first {
            Some(first) if !first.is_same_request(call) => Standing::Reused,
            Some(first) if first.outcome == Outcome::Pending => Standing::InWork,
            Some(first) => first.answer.clone().map_or(Standing::InWork, Standing::Repeat),
            None if !fence_off && self.is_fenced(service, key) => Standing::Fenced,
            None => Standing::Fresh,
        }
    }

    pub(crate) fn is_fenced(&self, service: Service, key: &str) -> bool {
        self.fenced.get(&service).is_some_and(|keys| keys.contains(key))
    }

    fn key_use(&self, service: Service, key: &str) -> Option<&KeyUse> {
        self.keys.get(&service)?.get(key)
    }

    pub(crate) fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(index(seq)?)
    }

    /// The next request that is due, and when.
    pub(crate) fn next_due(&self) -> Option<(u64, u64)> {
        self.pending.first().copied()
    }

    pub(crate) fn record(&mut self, entry: Entry) {
        let service = entry.endpoint.service();
        if let Some(key) = &entry.key {
            let known = self.keys.entry(service).or_default().entry(key.clone()).or_default();
            known.entries.push(entry.seq);
            known.effects += u64::from(entry.outcome == Outcome::Effect);
            known.repeats += u64::from(entry.outcome == Outcome::Repeat);
            known.violations += u64::from(entry.outcome == Outcome::KeyReused);
            if service.honours_keys() && entry.outcome.claims_key() && known.first.is_none() {
                known.first = Some(entry.seq);
            }
        }
        if let Some(forward) = &entry.fences {
            self.fenced.entry(service).or_default().insert(forward.clone());
        }
        if let (Outcome::Pending, Some(due)) = (entry.outcome, entry.due) {
            self.pending.insert((due, entry.seq));
        }
        self.entries.push(entry);
    }

    pub(crate) fn settle(&mut self, settled: Settled) {
        let Some(entry) = index(settled.seq).and_then(|index| self.entries.get_mut(index)) else {
            return;
        };
        if let Some(due) = entry.due {
            self.pending.remove(&(due, settled.seq));
        }
        entry.outcome = settled.outcome;
        entry.answer = Some(settled.answer);
        entry.effect = settled.effect;
        entry.settled = Some(settled.at);
        let known = entry
            .key
            .as_ref()
            .filter(|_| settled.outcome == Outcome::Effect)
            .and_then(|key| self.keys.get_mut(&entry.endpoint.service())?.get_mut(key));
        if let Some(known) = known {
            known.effects += 1;
        }
    }

    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let entries: Vec<Value> = self.entries.iter().map(Entry::to_json).collect();
        let violations: u64 = self.keys.values().flat_map(BTreeMap::values).map(|known| known.violations).sum();
        let mut ledger = Map::new();
        ledger.insert("entries".to_owned(), Value::Array(entries));
        ledger.insert("keys".to_owned(), self.keys_to_json());
        ledger.insert("fenced".to_owned(), json!(self.fenced));
        ledger.insert("pending".to_owned(), json!(self.pending.len()));
        ledger.insert("violations".to_owned(), json!(violations));
        ledger
    }

    fn keys_to_json(&self) -> Value {
        let mut services = Map::new();
        for (service, keys) in &self.keys {
            let mut uses = Map::new();
            for (key, known) in keys {
                let first = known.first.and_then(|seq| self.entry(seq));
                let summary = json!({
                    "endpoint": first.map(|entry| entry.endpoint.name()),
                    "outcome": first.map(|entry| entry.outcome),
                    "status": first.and_then(|entry| entry.answer.as_ref()).map(|answer| answer.status),
                    "requests": known.entries.len(),
                    "effects": known.effects,
                    "repeats": known.repeats,
                    "violations": known.violations,
                    "fenced": self.is_fenced(*service, key),
                    "entries": known.entries,
                });
                uses.insert(key.clone(), summary);
            }
            services.insert(service.name().to_owned(), Value::Object(uses));
        }
        Value::Object(services)
    }
}

/// Entries are numbered from 1 without gaps.
fn index(seq: u64) -> Option<usize> {
    usize::try_from(seq.checked_sub(1)?).ok()
}
