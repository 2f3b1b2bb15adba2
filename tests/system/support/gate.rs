//! A service that answers when the test lets it: a run waits exactly as long as is needed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// Long enough for anything that should happen at all.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) struct Gate {
    url: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    is_open: bool,
    /// The idempotency keys of the calls, in order.
    keys: Vec<String>,
}

impl Gate {
    /// A service that answers nobody yet.
    pub(crate) fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                // A caller that was killed is no concern of others.
                std::thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        Self { url, state }
    }

    /// A workflow of this many steps, one after the other, each of which calls the gate.
    pub(crate) fn workflow(&self, steps: usize) -> Value {
        let step = |number: usize| {
            let mut step = json!({ "http": { "service": "gate", "post": "/", "body": {} } });
            if number > 0 {
                step["after"] = json!([format!("s{}", number - 1)]);
            }
            (format!("s{number}"), step)
        };
        let steps: serde_json::Map<String, Value> = (0..steps).map(step).collect();
        json!({
            "format": "engine/1", "name": "gated", "version": "1",
            "services": { "gate": { "url": self.url, "idempotency": "key" } },
            "defaults": { "timeout": "60s", "retry": { "initial": "20ms" } },
            "steps": steps,
        })
    }

    /// Waits until it was called so many times.
    pub(crate) fn until_called(&self, calls: usize) {
        let (state, changed) = &*self.state;
        let waited = changed.wait_timeout_while(state.lock().unwrap(), SOON, |state| state.keys.len() < calls).unwrap();
        assert!(!waited.1.timed_out(), "called {} times only", waited.0.keys.len());
    }

    /// Answers everybody from now on.
    pub(crate) fn open(&self) {
        self.state.0.lock().unwrap().is_open = true;
        self.state.1.notify_all();
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.state.0.lock().unwrap().keys.clone()
    }
}

fn answer(stream: TcpStream, (state, changed): &(Mutex<State>, Condvar)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut len, mut key, mut line) = (0, String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => len = value.trim().parse().unwrap_or(0),
                "idempotency-key" => value.trim().clone_into(&mut key),
                _ => {}
            }
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; len])?;
    let mut guard = state.lock().unwrap();
    guard.keys.push(key);
    changed.notify_all();
    drop(changed.wait_timeout_while(guard, SOON, |state| !state.is_open).unwrap());
    reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
}
