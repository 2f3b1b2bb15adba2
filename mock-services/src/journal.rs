//! The journal: JSON lines, appended before an answer goes out and read again at the start.
//!
//! It is not synced to the disk: it survives the end of the process, not of the machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::call::Answer;
use crate::error::MockError;
use crate::fault::Rule;
use crate::ledger::{Entry, Outcome};
use crate::services::Effect;

pub(crate) const FILE_NAME: &str = "mock-services.jsonl";

/// One line: a step of the mocks' state that happens wholly or not at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// A request was handled, or taken into work.
    Request(Box<Entry>),
    /// A request that was in work is carried out or refused.
    Settled(Settled),
    /// The fault rules, all of them, with their counters.
    Rules(Vec<Rule>),
}

/// How a late request ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) outcome: Outcome,
    pub(crate) answer: Answer,
    pub(crate) effect: Option<Effect>,
}

/// The open journal. The lock on the file keeps other mocks out of the directory.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    length: u64,
}

impl Journal {
    /// Opens or creates the journal in `dir` and reads what is in it.
    pub(crate) fn open(dir: &Path) -> Result<(Journal, Vec<Record>), MockError> {
        let path = dir.join(FILE_NAME);
        let unusable = |source| MockError::StateDir { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(unusable)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MockError::StateDirInUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let (records, length) = read(&file, &path)?;
        let mut journal = Journal { file, length };
        journal.rewind_to_end().map_err(unusable)?;
        Ok((journal, records))
    }

    /// Writes one line with one call, so that a kill leaves it whole or torn, never mixed.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // A part of the line may be there; the next one must not be glued to it.
            self.rewind_to_end()?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    fn rewind_to_end(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }
}

/// The records of the file, and how far it is whole: a torn last line does not count.
fn read(file: &File, path: &Path) -> Result<(Vec<Record>, u64), MockError> {
    let mut reader = BufReader::new(file);
    let mut records = Vec::new();
    let mut length = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|source| MockError::StateDir { path: path.to_owned(), source })?;
        if line.last() != Some(&b'\n') {
            return Ok((records, length));
        }
        let record = serde_json::from_slice(&line).map_err(|error| damaged(path, records.len() + 1, &error))?;
        records.push(record);
        length += read as u64;
    }
}

fn damaged(path: &Path, line: usize, error: &serde_json::Error) -> MockError {
    MockError::JournalDamaged { path: PathBuf::from(path), line, problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Book, Origin};

    fn rules(rule: &str) -> Record {
        Record::Rules(Book::default().with(vec![rule.parse().unwrap()], Origin::Admin))
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, records) = Journal::open(dir.path()).unwrap();
        assert!(records.is_empty());
        journal.append(&rules("inventory:closed")).unwrap();
        let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
        drop(journal);
        let mut torn = whole.clone();
        torn.extend_from_slice(&whole[..whole.len() / 2]);
        std::fs::write(dir.path().join(FILE_NAME), torn).unwrap();

        let (mut journal, records) = Journal::open(dir.path()).unwrap();
        assert_eq!(records.len(), 1);
        journal.append(&rules("order:closed")).unwrap();
        drop(journal);
        let (_, records) = Journal::open(dir.path()).unwrap();
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn damage_inside_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let good = serde_json::to_string(&rules("inventory:closed")).unwrap();
        std::fs::write(dir.path().join(FILE_NAME), format!("{good}\nrubbish\n{good}\n")).unwrap();
        let error = Journal::open(dir.path()).unwrap_err();
        assert!(matches!(error, MockError::JournalDamaged { line: 2, .. }), "{error}");
    }

    #[test]
    fn a_directory_in_use_and_one_that_cannot_be_made_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (_open, _) = Journal::open(dir.path()).unwrap();
        assert!(matches!(Journal::open(dir.path()).unwrap_err(), MockError::StateDirInUse { .. }));
        let file = dir.path().join(FILE_NAME);
        assert!(matches!(Journal::open(&file.join("below")).unwrap_err(), MockError::StateDir { .. }));
    }
}
