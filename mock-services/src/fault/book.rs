//! The rules in force, and how often each was met and fired.

use serde::{Deserialize, Serialize};

use super::{Fault, Knobs};
use crate::catalogue::{Endpoint, Service};

/// Who made a rule. Rules given at the start are replaced by those of the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    Start,
    Admin,
}

/// A rule with its counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: u64,
    #[serde(rename = "rule")]
    pub(crate) fault: Fault,
    pub(crate) origin: Origin,
    /// Calls that the rule covers, since it was made.
    pub(crate) calls: u64,
    pub(crate) fired: u64,
}

impl Rule {
    fn fires(&self) -> bool {
        let knobs = &self.fault.knobs;
        self.calls >= knobs.after.unwrap_or_default()
            && knobs.times.is_none_or(|times| self.fired < times)
            && knobs.probability.is_none_or(|share| share_of(knobs.seed.unwrap_or_default(), self.calls) < share)
    }
}

/// What the rules say about one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// The rules that cover the call.
    pub(crate) met: Vec<u64>,
    /// The one that fires.
    pub(crate) fired: Option<u64>,
    pub(crate) text: Option<String>,
    pub(crate) knobs: Knobs,
}

/// All rules, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Book {
    rules: Vec<Rule>,
}

impl Book {
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn replace(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
    }

    /// Looks only; [`Book::count`] counts, so that a replay of the journal counts the same.
    pub(crate) fn consult(&self, endpoint: Endpoint) -> Verdict {
        let covering =
            || self.rules.iter().filter(|rule| rule.fault.target.covers(endpoint) && !rule.fault.knobs.closed);
        let fired = covering().find(|rule| rule.fires());
        Verdict {
            met: covering().map(|rule| rule.id).collect(),
            fired: fired.map(|rule| rule.id),
            text: fired.map(|rule| rule.fault.to_string()),
            knobs: fired.map(|rule| rule.fault.knobs.clone()).unwrap_or_default(),
        }
    }

    pub(crate) fn count(&mut self, met: &[u64], fired: Option<u64>) {
        for rule in &mut self.rules {
            rule.calls += u64::from(met.contains(&rule.id));
            rule.fired += u64::from(fired == Some(rule.id));
        }
    }

    pub(crate) fn is_closed(&self, service: Service) -> bool {
        self.rules.iter().any(|rule| rule.fault.knobs.closed && rule.fault.target == super::Target::Service(service))
    }

    /// The rules with `added` at the end; one that was there already starts anew.
    pub(crate) fn with(&self, added: Vec<Fault>, origin: Origin) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.rules.iter().filter(|rule| !added.contains(&rule.fault)).cloned().collect();
        let next = self.next_id();
        rules.extend((next..).zip(added).map(|(id, fault)| Rule { id, fault, origin, calls: 0, fired: 0 }));
        rules
    }

    /// The rules after a start with `given`: those of an earlier start go, one that is given again
    /// keeps its counters, and those made through the admin endpoint stay.
    pub(crate) fn restarted(&self, given: Vec<Fault>) -> Vec<Rule> {
        let mut next = self.next_id();
        let mut rules = Vec::new();
        for fault in given {
            let known = self.rules.iter().find(|known| known.fault == fault);
            rules.push(known.cloned().unwrap_or_else(|| {
                next += 1;
                Rule { id: next - 1, fault, origin: Origin::Start, calls: 0, fired: 0 }
            }));
        }
        let admin = self.rules.iter().filter(|rule| rule.origin == Origin::Admin);
        let new: Vec<Rule> = admin.filter(|rule| rules.iter().all(|kept| kept.id != rule.id)).cloned().collect();
        rules.extend(new);
        rules
    }

    fn next_id(&self) -> u64 {
        self.rules.iter().map(|rule| rule.id + 1).max().unwrap_or_default()
    }
}

/// A number in [0, 1) that depends on nothing but the seed and the call's number (splitmix64).
#[allow(clippy::cast_precision_loss, reason = "53 bits fit into an f64 exactly")]
fn share_of(seed: u64, call: u64) -> f64 {
    let mut mixed = seed.wrapping_add(call.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rules: &[&str]) -> Vec<Fault> {
        rules.iter().map(|rule| rule.parse().unwrap()).collect()
    }

    fn book(rules: &[&str]) -> Book {
        let mut book = Book::default();
        book.replace(book.with(faults(rules), Origin::Admin));
        book
    }

    fn statuses(book: &mut Book, calls: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..calls {
            let verdict = book.consult(Endpoint::PaymentProcess);
            book.count(&verdict.met, verdict.fired);
            statuses.push(verdict.knobs.status.unwrap_or(200));
        }
        statuses
    }

    #[test]
    fn times_and_after_count_calls() {
        assert_eq!(statuses(&mut book(&["payment/process:status=503,times=2"]), 3), [503, 503, 200]);
        assert_eq!(statuses(&mut book(&["payment:status=503,after=1,times=1"]), 3), [200, 503, 200]);
        assert_eq!(statuses(&mut book(&["payment/refund:status=503"]), 2), [200, 200]);
    }

    #[test]
    fn rules_follow_each_other() {
        let mut book = book(&["payment/process:status=503,times=2", "payment/process:status=500,times=1"]);
        assert_eq!(statuses(&mut book, 4), [503, 503, 500, 200]);
    }

    #[test]
    fn chance_is_the_same_every_time() {
        let rule = ["payment/process:status=503,probability=0.3,seed=7"];
        let first = statuses(&mut book(&rule), 1000);
        assert_eq!(first, statuses(&mut book(&rule), 1000));
        let hits = first.iter().filter(|status| **status == 503).count();
        assert!((250..350).contains(&hits), "{hits}");
        assert_ne!(first, statuses(&mut book(&["payment/process:status=503,probability=0.3,seed=8"]), 1000));
    }

    #[test]
    fn a_restart_keeps_counters_of_rules_given_again() {
        let mut book = Book::default();
        book.replace(book.restarted(faults(&["payment/process:status=503,times=2", "user:delay=1s"])));
        statuses(&mut book, 1);
        book.replace(book.with(faults(&["inventory:closed"]), Origin::Admin));
        assert!(book.restarted(Vec::new()).iter().all(|rule| rule.origin == Origin::Admin));
        book.replace(book.restarted(faults(&["payment/process:status=503,times=2", "order:delay=1s"])));
        let texts: Vec<String> = book.rules().iter().map(|rule| rule.fault.to_string()).collect();
        assert_eq!(texts, ["payment/process:status=503,times=2", "order:delay=1000ms", "inventory:closed"]);
        assert_eq!(statuses(&mut book, 2), [503, 200]);
        assert!(book.is_closed(Service::Inventory));
        assert!(!book.is_closed(Service::Order));
    }

    #[test]
    fn a_rule_made_again_starts_anew() {
        let mut book = book(&["payment/process:status=503,times=1"]);
        assert_eq!(statuses(&mut book, 2), [503, 200]);
        book.replace(book.with(faults(&["payment/process:status=503,times=1"]), Origin::Admin));
        assert_eq!(statuses(&mut book, 2), [503, 200]);
        assert_eq!(book.rules().len(), 1);
    }
}
