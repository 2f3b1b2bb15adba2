//! A process whose output is read while it works.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Ran;
use super::gate::SOON;

pub(crate) struct Watched {
    child: Child,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Said {
    /// Standard output and standard error.
    texts: Mutex<[Vec<u8>; 2]>,
    changed: Condvar,
}

impl Watched {
    pub(crate) fn of(mut child: Child) -> Self {
        let said = Arc::new(Said::default());
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers = vec![read(stdout, 0, said.clone()), read(stderr, 1, said.clone())];
        Self { child, said, readers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said this, on either output.
    #[track_caller]
    pub(crate) fn until_says(&self, words: &str) {
        let lacks = |texts: &mut [Vec<u8>; 2]| !texts.iter().any(|text| String::from_utf8_lossy(text).contains(words));
        let waited = self.said.changed.wait_timeout_while(self.said.texts.lock().unwrap(), SOON, lacks).unwrap();
        assert!(!waited.1.timed_out(), "`{words}` was not said: {}", show(&waited.0));
    }

    /// Sends it a signal, as `INT`.
    pub(crate) fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.arg(format!("-{signal}")).arg(self.pid().to_string()).stdout(Stdio::null()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ran {
        let exit = self.child.wait().unwrap().code();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let texts = self.said.texts.lock().unwrap();
        let [stdout, stderr] = [0, 1].map(|index| String::from_utf8_lossy(&texts[index]).into_owned());
        Ran { exit, stdout, stderr }
    }

    /// Waits for its end. Gives also the most memory that it had, in bytes.
    pub(crate) fn peak(mut self) -> (usize, Ran) {
        let mut peak = 0;
        while self.child.try_wait().unwrap().is_none() {
            peak = peak_of(self.pid()).unwrap_or(peak);
            std::thread::sleep(Duration::from_millis(5));
        }
        (peak, self.ended())
    }

    /// Kills it, so that it can do nothing any more.
    pub(crate) fn kill(mut self) -> Ran {
        self.child.kill().unwrap();
        self.ended()
    }
}

/// The most memory that a process has had so far, in bytes. None of one that has ended.
fn peak_of(pid: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    Some(kib * 1024)
}

fn read(mut from: impl Read + Send + 'static, index: usize, said: Arc<Said>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(len) = from.read(&mut part) {
            if len == 0 {
                return;
            }
            said.texts.lock().unwrap()[index].extend_from_slice(&part[..len]);
            said.changed.notify_all();
        }
    })
}

fn show(texts: &[Vec<u8>; 2]) -> String {
    texts.iter().map(|text| String::from_utf8_lossy(text)).collect()
}
