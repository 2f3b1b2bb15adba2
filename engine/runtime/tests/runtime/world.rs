//! A network that does what a test says, and keeps count of what was done.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine_core::definition::Definition;
use engine_core::machine::{Answered, AttemptOutcome, Body};
use engine_runtime::{Options, Request, Reuse, Start, Transport};

/// Services that carry a key out once, as those that honour `Idempotency-Key` do.
#[derive(Default)]
pub(crate) struct World {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sent: Vec<Sent>,
    script: BTreeMap<String, VecDeque<AttemptOutcome>>,
    done: BTreeMap<String, u32>,
}

/// A request as a test looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) key_of: Option<String>,
    pub(crate) traceparent: Option<String>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The next requests to this path end so; those after them succeed.
    pub(crate) fn script(&self, path: &str, outcomes: impl IntoIterator<Item = AttemptOutcome>) {
        self.inner.lock().unwrap().script.insert(path.to_owned(), outcomes.into_iter().collect());
    }

    /// Every request so far, in order.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.inner.lock().unwrap().sent.clone()
    }

    /// How often each path was carried out, each key counted once.
    pub(crate) fn done(&self, path: &str) -> usize {
        let prefix = format!("{path} ");
        self.inner.lock().unwrap().done.keys().filter(|done| done.starts_with(&prefix)).count()
    }
}

pub(crate) fn answer(status: u16, body: &str) -> AttemptOutcome {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    AttemptOutcome::Answered(Answered { status, retry_after: None, headers, body: Body::Whole(body.as_bytes().into()) })
}

#[async_trait]
impl Transport for World {
    async fn send(&self, request: Request) -> AttemptOutcome {
        let header = |name: &str| request.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let path = request.url.split("test").nth(1).unwrap_or_default().to_owned();
        let key = header("idempotency-key").expect("every request has a key");
        let mut inner = self.inner.lock().unwrap();
        let (key_of, traceparent) = (header("idempotency-key-of"), header("traceparent"));
        inner.sent.push(Sent { path: path.clone(), key: key.clone(), key_of, traceparent });
        let outcome = inner.script.get_mut(&path).and_then(VecDeque::pop_front);
        let outcome = outcome.unwrap_or_else(|| answer(200, r#"{"ok":true}"#));
        let succeeded = matches!(&outcome, AttemptOutcome::Answered(answered) if answered.status == 200);
        if succeeded || matches!(outcome, AttemptOutcome::Lost { .. }) {
            *inner.done.entry(format!("{path} {key}")).or_default() += 1;
        }
        outcome
    }
}

/// Options on this world: the machine's clock, no network.
pub(crate) fn options(world: &Arc<World>) -> Options {
    let mut options = Options::system().unwrap();
    options.transport = world.clone();
    options
}

pub(crate) fn definition(steps: &serde_json::Value) -> Arc<Definition> {
    let file = serde_json::json!({
        "format": "engine/1", "name": "test", "version": "1.0.0", "timeout": "1h",
        "services": { "svc": { "url": "http://test", "idempotency": "key" } },
        "defaults": { "retry": { "initial": "1ms", "max_interval": "2ms" }, "compensation_retry": { "initial": "1ms" } },
        "steps": steps,
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap())
}

/// `s1` → `s2` → … → `sN`, each a call.
pub(crate) fn chain(length: usize) -> Arc<Definition> {
    let mut steps = serde_json::Map::new();
    for number in 1..=length {
        let mut step = serde_json::json!({ "http": { "service": "svc", "post": format!("/s{number}") } });
        if number > 1 {
            step["after"] = serde_json::json!([format!("s{}", number - 1)]);
        }
        steps.insert(format!("s{number}"), step);
    }
    definition(&steps.into())
}

/// So many steps side by side, and one after them all.
pub(crate) fn fan(width: usize) -> Arc<Definition> {
    let names: Vec<String> = (1..=width).map(|number| format!("s{number}")).collect();
    let step = |name: &String| {
        let step = serde_json::json!({ "http": { "service": "svc", "post": format!("/{name}") } });
        (name.clone(), step)
    };
    let mut steps: serde_json::Map<_, _> = names.iter().map(step).collect();
    let join = serde_json::json!({ "http": { "service": "svc", "post": "/join" }, "after": names });
    steps.insert("join".to_owned(), join);
    definition(&steps.into())
}

pub(crate) fn start(definition: &Arc<Definition>, id: &str) -> Start {
    Start {
        definition: definition.clone(),
        workflow_id: Some(id.to_owned()),
        request_id: None,
        actor: "test".to_owned(),
        input: b"{}".as_slice().into(),
        labels: Vec::new(),
        overrides: Vec::new(),
        reuse: Reuse::OpenRun,
    }
}

/// Long enough for anything that should happen at all.
pub(crate) const SOON: Duration = Duration::from_secs(30);
