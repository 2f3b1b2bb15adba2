//! The definitions that this process has read or written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::definition::Definition;
use engine_core::id::{Digest, Name};

/// Definitions in memory, and which of them the store was told to make current.
#[derive(Default)]
pub(crate) struct Definitions(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_digest: BTreeMap<Digest, Arc<Definition>>,
    put: BTreeMap<Name, Put>,
}

/// What was put of a workflow since the store was opened. Nobody else puts anything meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Put {
    /// This one only, so it is current.
    Only(Digest),
    /// Several: which came last is not known.
    Several,
}

impl Definitions {
    pub(crate) fn get(&self, digest: Digest) -> Option<Arc<Definition>> {
        self.known().by_digest.get(&digest).cloned()
    }

    pub(crate) fn keep(&self, definition: Arc<Definition>) {
        self.known().by_digest.insert(definition.digest(), definition);
    }

    /// Whether the store certainly has this definition as the current one of its workflow.
    pub(crate) fn is_current(&self, definition: &Definition) -> bool {
        self.known().put.get(definition.name()) == Some(&Put::Only(definition.digest()))
    }

    /// Notes that the store has put this definition.
    pub(crate) fn was_put(&self, definition: Arc<Definition>) {
        let digest = definition.digest();
        let mut known = self.known();
        let put = known.put.entry(definition.name().clone()).or_insert(Put::Only(digest));
        if *put != Put::Only(digest) {
            *put = Put::Several;
        }
        known.by_digest.insert(digest, definition);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(version: &str) -> Arc<Definition> {
        let step = r#"{ "a": { "value": 1 } }"#;
        let text = format!(r#"{{ "format": "engine/1", "name": "w", "version": "{version}", "steps": {step} }}"#);
        Definition::from_json(&text).unwrap().into()
    }

    #[test]
    fn one_is_certainly_current_only_where_no_other_was_put() {
        let (definitions, one, two) = (Definitions::default(), definition("1"), definition("2"));
        assert!(!definitions.is_current(&one));
        definitions.was_put(one.clone());
        definitions.was_put(one.clone());
        assert!(definitions.is_current(&one) && !definitions.is_current(&two));
        definitions.was_put(two.clone());
        assert!(!definitions.is_current(&one) && !definitions.is_current(&two));
        definitions.was_put(two.clone());
        assert!(!definitions.is_current(&two));
        assert!(definitions.get(one.digest()).is_some() && definitions.get(two.digest()).is_some());
    }
}
