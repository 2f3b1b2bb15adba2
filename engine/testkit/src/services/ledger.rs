//! What happened at the services, and whether it was right.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::time::Timestamp;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Became {
    /// Carried out: something was done, or undone.
    Done,
    /// A good answer that changed nothing.
    Told,
    /// An undoing that found nothing to undo.
    NothingToUndo,
    /// Refused for good.
    Refused,
    /// Refused because its compensation came first.
    Fenced,
    /// Its key was carried out or refused before: the first answer again.
    Repeat,
    /// Its key is being carried out.
    InWork,
    /// Its key was used for another request.
    KeyReused,
    /// It did not get to the service.
    Fault,
    /// Taken into work; the effect is still to come.
    Pending,
}

/// One request as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When it arrived.
    pub at: Timestamp,
    /// The service.
    pub service: String,
    /// The endpoint, as the script names it.
    pub endpoint: String,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its `Idempotency-Key-Of`: of a compensation, the key of what it undoes.
    pub key_of: Option<String>,
    /// Its body.
    pub body: String,
    /// What became of it.
    pub became: Became,
}

/// Something that was really done, in the order in which it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Happened {
    pub(super) service: String,
    pub(super) endpoint: String,
    pub(super) key: String,
    /// The key of what was undone, or looked for in order to undo it.
    pub(super) undid: Option<String>,
    /// Whether there was something to undo.
    pub(super) found: bool,
    pub(super) honours_keys: bool,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) entries: Vec<Entry>,
    pub(super) happened: Vec<Happened>,
}

impl Ledger {
    /// Whether this was done at the endpoint and not yet undone; none where it was never done.
    pub(super) fn stands(&self, service: &str, endpoint: &str, key: &str) -> Option<bool> {
        let of_service = || self.happened.iter().filter(|happened| happened.service == service);
        let was_done = of_service().any(|one| one.undid.is_none() && one.endpoint == endpoint && one.key == key);
        let was_undone = of_service().any(|one| one.found && one.undid.as_deref() == Some(key));
        was_done.then_some(!was_undone)
    }

    /// What was done and not undone, by endpoint; each key counts once. Endpoints where all was undone are left out.
    pub(super) fn net(&self) -> BTreeMap<String, usize> {
        let mut keys: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for one in self.happened.iter().filter(|one| one.undid.is_none()) {
            if self.stands(&one.service, &one.endpoint, &one.key) == Some(true) {
                keys.entry(one.endpoint.clone()).or_default().insert(&one.key);
            }
        }
        keys.into_iter().map(|(endpoint, keys)| (endpoint, keys.len())).collect()
    }

    /// What should never happen, and did.
    pub(super) fn audit(&self) -> Vec<String> {
        let mut findings = self.wrong_requests();
        let mut seen: Vec<&Happened> = Vec::new();
        for one in &self.happened {
            let Happened { service, endpoint, key, .. } = one;
            let before =
                |is: &dyn Fn(&Happened) -> bool| seen.iter().any(|other| other.service == *service && is(other));
            match &one.undid {
                None if one.honours_keys && before(&|other| other.undid.is_none() && other.key == *key) => {
                    findings.push(format!("{endpoint}: key {key} was carried out twice"));
                }
                None if before(&|other| other.undid.as_ref() == Some(key)) => {
                    findings.push(format!("{endpoint}: key {key} was carried out after its compensation"));
                }
                Some(undid) if one.found && !before(&|other| other.undid.is_none() && other.key == *undid) => {
                    findings.push(format!("{endpoint}: undid {undid}, which was never done"));
                }
                Some(undid) if one.found && before(&|other| other.found && other.undid.as_ref() == Some(undid)) => {
                    findings.push(format!("{endpoint}: undid {undid} a second time"));
                }
                None | Some(_) => {}
            }
            seen.push(one);
        }
        findings
    }

    /// Requests that nobody should have sent.
    fn wrong_requests(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let mut compensated: BTreeSet<(&str, &str)> = BTreeSet::new();
        for Entry { service, endpoint, key, key_of, became, .. } in &self.entries {
            if *became == Became::KeyReused {
                findings.push(format!("{endpoint}: key {key} was used for another request before"));
            }
            if compensated.contains(&(service.as_str(), key.as_str())) {
                findings.push(format!("{endpoint}: key {key} was sent after its compensation had been sent"));
            }
            compensated.extend(key_of.as_ref().map(|key_of| (service.as_str(), key_of.as_str())));
        }
        findings
    }
}
