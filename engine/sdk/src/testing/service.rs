//! The services of a test: they answer what the test says, and remember what they carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine_core::machine::{Answered, AttemptOutcome, Body};
use engine_runtime::{Request, Transport};
use serde::Serialize;
use serde_json::Value;

use super::world::{World, locked};

/// One call of a service, as a test looks at it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct TestCall {
    /// What was called, as `bank POST /charge`.
    pub what: String,
    /// Its body; null where it has none.
    pub body: Value,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// The status of the answer; none where none came.
    pub status: Option<u16>,
}

/// A service of a test, to be told what it answers.
pub struct TestService<'t> {
    pub(super) world: &'t Arc<World>,
    pub(super) name: String,
}

/// What a service answers to one kind of call, to be said. Said again, it replaces what was said before.
#[must_use = "say what it answers: `.reply(…)` or `.fail(…)`"]
pub struct Answering<'t> {
    world: &'t Arc<World>,
    what: String,
    rule: Rule,
}

impl fmt::Debug for TestService<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestService").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("what", &self.what).finish_non_exhaustive()
    }
}

/// All services of a test. They outlive its simulated processes.
pub(super) struct Services(Mutex<State>);

#[derive(Default)]
struct State {
    rules: BTreeMap<String, Rule>,
    /// How many calls each rule has had that were no repeats.
    had: BTreeMap<String, usize>,
    calls: Vec<TestCall>,
    /// What was carried out, by its key: with what was answered.
    done: BTreeMap<String, Done>,
    /// Keys that were undone, and so are refused from then on.
    undone: BTreeSet<String>,
}

#[derive(Clone)]
struct Rule {
    /// What the first calls get.
    first: Vec<Behaviour>,
    /// What the others get.
    then: Behaviour,
}

#[derive(Clone)]
enum Behaviour {
    Reply(Value),
    Fail(u16),
    /// It is carried out, and the answer is lost. A repeat is answered.
    Lose,
    NoConnection,
}

struct Done {
    what: String,
    reply: Value,
    /// The key that this undid.
    undid: Option<String>,
}

impl<'t> TestService<'t> {
    /// What it answers to a GET of this path. A `*` stands for any one segment.
    pub fn on_get(&self, path: &str) -> Answering<'t> {
        self.on("GET", path)
    }

    /// What it answers to a POST of this path.
    pub fn on_post(&self, path: &str) -> Answering<'t> {
        self.on("POST", path)
    }

    /// What it answers to a PUT of this path.
    pub fn on_put(&self, path: &str) -> Answering<'t> {
        self.on("PUT", path)
    }

    /// What it answers to a PATCH of this path.
    pub fn on_patch(&self, path: &str) -> Answering<'t> {
        self.on("PATCH", path)
    }

    /// What it answers to a DELETE of this path.
    pub fn on_delete(&self, path: &str) -> Answering<'t> {
        self.on("DELETE", path)
    }

    fn on(&self, method: &str, path: &str) -> Answering<'t> {
        let what = format!("{} {method} {path}", self.name);
        Answering { world: self.world, what, rule: Rule { first: Vec::new(), then: Behaviour::Fail(500) } }
    }
}

impl Answering<'_> {
    /// The next so many calls get this status; say before what follows.
    pub fn fail_times(self, times: usize, status: u16) -> Self {
        self.first(times, &Behaviour::Fail(status))
    }

    /// The next so many calls are carried out, and their answers are lost: what they did is unknown.
    pub fn lose_answers(self, times: usize) -> Self {
        self.first(times, &Behaviour::Lose)
    }

    /// The next so many calls reach nobody.
    pub fn unreachable_times(self, times: usize) -> Self {
        self.first(times, &Behaviour::NoConnection)
    }

    /// All others are carried out, and answered with 200 and this.
    ///
    /// # Panics
    /// Where this can't be written as JSON.
    pub fn reply(self, body: impl Serialize) {
        match serde_json::to_value(body) {
            Ok(body) => self.then(Behaviour::Reply(body)),
            Err(error) => panic!("`{}` can't reply what is no JSON: {error}", self.what),
        }
    }

    /// All others get this status: 4xx refuses them.
    pub fn fail(self, status: u16) {
        self.then(Behaviour::Fail(status));
    }

    /// Nobody can be reached, from here on.
    pub fn unreachable(self) {
        self.then(Behaviour::NoConnection);
    }

    fn first(mut self, times: usize, behaviour: &Behaviour) -> Self {
        self.rule.first.extend(std::iter::repeat_n(behaviour.clone(), times));
        self
    }

    fn then(mut self, then: Behaviour) {
        self.rule.then = then;
        locked(&self.world.services.0).rules.insert(self.what, self.rule);
    }
}

impl Services {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// All calls so far, in order.
    pub(super) fn calls(&self) -> Vec<TestCall> {
        locked(&self.0).calls.clone()
    }

    /// What was carried out and not undone, each once per key.
    pub(super) fn left(&self) -> Vec<String> {
        let state = locked(&self.0);
        let is_left = |(key, done): &(&String, &Done)| done.undid.is_none() && !state.undone.contains(*key);
        let mut left: Vec<String> = state.done.iter().filter(is_left).map(|(_, done)| done.what.clone()).collect();
        left.sort();
        left
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> AttemptOutcome {
        let header = |name: &str| request.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let (key, key_of) = (header("idempotency-key").unwrap_or_default(), header("idempotency-key-of"));
        let path = request.url.splitn(4, '/').nth(3).map_or_else(String::new, |path| format!("/{path}"));
        let what = format!("{} {} {path}", request.pool, request.method);
        let outcome = self.carry_out(&what, &key, key_of);
        let body = request.body.as_ref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let status = match &outcome {
            AttemptOutcome::Answered(answered) => Some(answered.status),
            _ => None,
        };
        self.calls.push(TestCall { what, body, key, status });
        outcome
    }

    fn carry_out(&mut self, what: &str, key: &str, key_of: Option<String>) -> AttemptOutcome {
        // As services do that honour keys: a repeat is answered as the first time, and what was undone is refused.
        if let Some(done) = self.done.get(key) {
            return answered(200, &done.reply);
        }
        if self.undone.contains(key) {
            return answered(422, &"undone before it came".into());
        }
        let Some((name, rule)) = self.rules.iter().find(|(pattern, _)| matches(pattern, what)) else {
            let message =
                format!("the test does not say what `{what}` answers: `t.service(\"…\").on_…(\"…\").reply(…)`");
            return AttemptOutcome::Unsendable { message };
        };
        let had = self.had.entry(name.clone()).or_default();
        let behaviour = rule.first.get(*had).unwrap_or(&rule.then).clone();
        *had += 1;
        let reply = match &behaviour {
            Behaviour::Fail(status) => return answered(*status, &format!("the test says {status}").into()),
            Behaviour::NoConnection => {
                return AttemptOutcome::NotSent { message: "the test says that nobody is there".to_owned() };
            }
            Behaviour::Reply(reply) => reply.clone(),
            Behaviour::Lose => match &rule.then {
                Behaviour::Reply(reply) => reply.clone(),
                _ => Value::Null,
            },
        };
        if !what.contains(" GET ") && !what.contains(" HEAD ") {
            self.undone.extend(key_of.clone());
            self.done.insert(key.to_owned(), Done { what: what.to_owned(), reply: reply.clone(), undid: key_of });
        }
        match behaviour {
            Behaviour::Lose => {
                AttemptOutcome::Lost { timed_out: false, message: "the test loses this answer".to_owned() }
            }
            _ => answered(200, &reply),
        }
    }
}

fn matches(pattern: &str, what: &str) -> bool {
    let (pattern, what) = (pattern.split('/'), what.split('/'));
    pattern.clone().count() == what.clone().count() && pattern.zip(what).all(|(own, given)| own == "*" || own == given)
}

fn answered(status: u16, body: &Value) -> AttemptOutcome {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = Body::Whole(body.to_string().into_bytes().into());
    AttemptOutcome::Answered(Answered { status, retry_after: None, headers, body })
}

#[async_trait]
impl Transport for Services {
    async fn send(&self, request: Request) -> AttemptOutcome {
        locked(&self.0).answer(&request)
    }
}
