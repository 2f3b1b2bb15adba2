//! Who speaks: the first message of each side, in JSON, which every version reads.

use serde::{Deserialize, Serialize};

/// The shapes of the messages that follow. Raised with every change of them.
pub(crate) const PROTOCOL: u32 = 2;

/// What each side says first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The shapes of its messages.
    pub(crate) protocol: u32,
    /// The version of the program.
    pub(crate) version: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Whether it is about to give the directory up, and takes nothing in any more.
    pub(crate) leaving: bool,
}

impl Hello {
    /// What this process says.
    pub(crate) fn own(leaving: bool) -> Self {
        Self { protocol: PROTOCOL, version: version().to_owned(), pid: std::process::id(), leaving }
    }

    /// As bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Numbers and a text: they can't fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From bytes; none where they are something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether both understand each other. Messages have the shapes of this very version: a newer one may have more.
    pub(crate) fn understands(&self, other: &Self) -> bool {
        (self.protocol, &self.version) == (other.protocol, &other.version)
    }
}

/// The version of this program.
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_version_is_understood() {
        let own = Hello::own(false);
        assert_eq!(Hello::from_bytes(&own.to_bytes()).as_ref(), Some(&own));
        assert!(own.understands(&Hello { pid: 1, leaving: true, ..own.clone() }));
        assert!(!own.understands(&Hello { version: "9.9.9".into(), ..own.clone() }));
        assert!(!own.understands(&Hello { protocol: 9, ..own.clone() }));
        assert_eq!(Hello::from_bytes(b"GET / HTTP/1.1"), None);
        let later = br#"{"protocol":7,"version":"3.0.0","pid":1,"leaving":false,"tasks":[]}"#;
        assert_eq!(Hello::from_bytes(later).map(|hello| hello.protocol), Some(7));
    }
}
