//! The names of tasks: functions that steps call in the process that drives the run.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::id::Name;

/// The name and version of a task, as `charge@1`. A run is bound to both: a function that takes or gives something
/// else gets another version.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName {
    name: Arc<str>,
    version: u32,
}

impl TaskName {
    /// The task of this name and version. The name is one or more [names](Name::check) joined by dots, 64 characters
    /// at most; versions count from 1.
    pub fn new(name: &str, version: u32) -> Result<Self, InvalidTaskName> {
        let fine = name.len() <= bounds::NAME_LEN && name.split('.').all(|part| Name::check(part).is_ok());
        if !fine || version == 0 {
            return Err(InvalidTaskName(format!("{name}@{version}").chars().take(80).collect()));
        }
        Ok(Self { name: name.into(), version })
    }

    /// The name without its version.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> u32 {
        self.version
    }
}

/// A text that names no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no task: give its name and version, as `charge@1`; a name has lower-case letters, digits and `_`, \
     and perhaps dots between, 64 at most"
)]
pub struct InvalidTaskName(String);

impl FromStr for TaskName {
    type Err = InvalidTaskName;

    fn from_str(text: &str) -> Result<Self, InvalidTaskName> {
        let invalid = || InvalidTaskName(text.chars().take(80).collect());
        let (name, version) = text.split_once('@').ok_or_else(invalid)?;
        let is_number =
            version.starts_with(|c: char| matches!(c, '1'..='9')) && version.bytes().all(|b| b.is_ascii_digit());
        let version = version.parse().ok().filter(|_| is_number).ok_or_else(invalid)?;
        Self::new(name, version).map_err(|_| invalid())
    }
}

impl TryFrom<String> for TaskName {
    type Error = InvalidTaskName;

    fn try_from(text: String) -> Result<Self, InvalidTaskName> {
        text.parse()
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_version() {
        for text in ["charge@1", "charge.undo@1", "a_b2@40", "x@4294967295"] {
            assert_eq!(text.parse::<TaskName>().unwrap().to_string(), text);
        }
        for text in [
            "charge",
            "charge@",
            "charge@0",
            "charge@01",
            "charge@+1",
            "charge@1 ",
            "Charge@1",
            "@1",
            "a..b@1",
            "a@4294967296",
        ] {
            assert!(text.parse::<TaskName>().is_err(), "{text}");
        }
    }
}
