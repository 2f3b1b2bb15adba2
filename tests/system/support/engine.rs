//! The binary, as a child process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Running, Watched};

/// The binary with a data directory and the addresses of services.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) data_dir: PathBuf,
    pub(crate) overrides: Vec<String>,
    /// Added to the environment of each process.
    pub(crate) environment: Vec<(String, String)>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Engine {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), overrides: Vec::new(), environment: Vec::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
        command.args(arguments).arg("--data-dir").arg(&self.data_dir);
        command.env_remove("ENGINE_DATA_DIR").env_remove("ENGINE_LOG").env("RUST_BACKTRACE", "0");
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn verb(&self, arguments: &[&str]) -> Ran {
        Running::new(self.spawn(arguments)).end()
    }

    /// Runs a verb to its end, in this working directory.
    pub(crate) fn verb_in(&self, directory: &Path, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).current_dir(directory).output().unwrap())
    }

    /// Runs a verb without waiting for it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// The command that runs a workflow against this engine's services.
    fn run_command(&self, file: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(&["run"]);
        command.arg(file).args(arguments).args(["-o", "json"]);
        for url in &self.overrides {
            command.arg("--override").arg(url);
        }
        command
    }

    /// Runs a workflow to its end.
    pub(crate) fn run(&self, file: &Path, arguments: &[&str]) -> Ran {
        Running::new(self.spawn_run(file, arguments)).end()
    }

    /// Runs a workflow and reads what it says meanwhile.
    pub(crate) fn watch_run(&self, file: &Path, arguments: &[impl AsRef<str>]) -> Watched {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        Watched::of(self.spawn_run(file, &arguments))
    }

    /// Runs a verb and reads what it says meanwhile.
    pub(crate) fn watch_verb(&self, arguments: &[&str]) -> Watched {
        Watched::of(self.command(arguments).spawn().unwrap())
    }

    /// Runs a workflow without waiting for it, its standard error going where it is told to.
    pub(crate) fn spawn_run_into(&self, file: &Path, arguments: &[&str], stderr: impl Into<Stdio>) -> Child {
        self.run_command(file, arguments).stderr(stderr).spawn().unwrap()
    }

    /// Runs a workflow without waiting for it.
    pub(crate) fn spawn_run(&self, file: &Path, arguments: &[&str]) -> Child {
        self.run_command(file, arguments).spawn().unwrap()
    }
}

impl Ran {
    pub(crate) fn of(output: &std::process::Output) -> Self {
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one JSON document on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Everything that was printed.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn assert_exit(&self, exit: i32) -> &Self {
        assert_eq!(self.exit, Some(exit), "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn assert_says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.text().contains(word), "`{word}` is missing in:\n{}", self.text());
        }
        self
    }
}
