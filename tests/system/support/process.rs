//! A process that works while the test looks on.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Ran;

/// Long enough for anything that should happen at all.
const DEADLINE: Duration = Duration::from_mins(1);

/// How often is looked.
const TICK: Duration = Duration::from_millis(5);

/// A process whose output is read while it comes.
pub(crate) struct Running {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

/// What has come out of a pipe so far.
struct Pipe {
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Pipe {
    fn new(mut from: impl Read + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Self { said, reader: Some(reader) }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of it, once the process has ended.
    fn all(&mut self) -> String {
        self.reader.take().map(JoinHandle::join);
        self.said()
    }
}

impl Running {
    pub(crate) fn new(mut child: Child) -> Self {
        let stdout = Pipe::new(child.stdout.take().unwrap());
        let stderr = Pipe::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout.said(), self.stderr.said())
    }

    /// Waits until it has said this.
    pub(crate) fn until_says(&self, word: &str) {
        let began = Instant::now();
        while !self.text().contains(word) {
            assert!(began.elapsed() < DEADLINE, "`{word}` never came:\n{}", self.text());
            std::thread::sleep(TICK);
        }
    }

    /// Sends it a signal, as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end. One that hangs fails the test.
    pub(crate) fn end(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.ended() {
                break status;
            }
            if began.elapsed() >= DEADLINE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("it hangs:\n{}", self.text());
            }
            std::thread::sleep(TICK);
        };
        Ran { exit: status.code(), stdout: self.stdout.all(), stderr: self.stderr.all() }
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
