//! The text of a file as it stands, to say where in it something is.
//!
//! `serde_json` tells positions only of errors of its own. Its raw values are slices of the text, so the place of any
//! key or value is the place of its slice: nothing is parsed twice by other rules.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::problem::{At, DefinitionErrors, Findings, quoted};

/// How deep lists and objects may stand in each other.
const NESTING: usize = 100;

/// Keys that `serde_json` uses among its own parts; a file that held them would be read as something else.
pub(super) const RESERVED: &str = "$serde_json::private::";

/// The text of a file that is JSON.
#[derive(Clone, Copy)]
pub(crate) struct Document<'t> {
    text: &'t str,
    root: &'t RawValue,
}

/// What stands in a list or an object.
pub(super) enum Children<'t> {
    List(Vec<&'t RawValue>),
    Object(Vec<(&'t RawValue, &'t RawValue)>),
    Nothing,
}

impl<'t> Document<'t> {
    pub(crate) fn new(text: &'t str) -> Result<Self, serde_json::Error> {
        Ok(Self { text, root: serde_json::from_str(text)? })
    }

    pub(super) fn root(&self) -> &'t RawValue {
        self.root
    }

    /// Finds keys that stand twice in one object, and what is nested too deep.
    pub(super) fn check(&self, findings: &mut Findings) {
        self.check_value(self.root, "", 0, findings);
    }

    fn check_value(&self, raw: &'t RawValue, pointer: &str, depth: usize, findings: &mut Findings) {
        if depth > NESTING {
            findings.add_at(pointer, At::Offset(self.offset_of(raw)), || {
                format!("lists and objects stand more than {NESTING} deep in each other here; that is too deep")
            });
            return;
        }
        match children(raw) {
            Children::Nothing => {}
            Children::List(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    self.check_value(item, &format!("{pointer}/{index}"), depth + 1, findings);
                }
            }
            Children::Object(entries) => {
                let mut seen = BTreeSet::new();
                for (key, value) in entries {
                    let at = At::Offset(self.offset_of(key));
                    let Ok(name) = serde_json::from_str::<Cow<'_, str>>(key.get()) else {
                        findings.add_at(pointer, at, || "this key is not valid Unicode".into());
                        continue;
                    };
                    let place = join(pointer, &name);
                    if name.starts_with(RESERVED) {
                        findings.add_at(&place, at, || "this key is reserved; use another one".into());
                    }
                    self.check_value(value, &place, depth + 1, findings);
                    if seen.contains(&name) {
                        let what = if in_steps(pointer) { "step" } else { "key" };
                        findings.add_at(&place, at, || format!("the {what} {} stands here twice", quoted(&name)));
                    }
                    seen.insert(name);
                }
            }
        }
    }

    /// The value at this pointer.
    pub(super) fn find(&self, pointer: &str) -> Option<&'t RawValue> {
        match self.walk(pointer) {
            (_, value, true) => Some(value),
            _ => None,
        }
    }

    /// Where in the text this is; where it is not there, the nearest thing around it.
    pub(super) fn locate(&self, pointer: &str, at: At) -> usize {
        if let At::Offset(offset) = at {
            return offset;
        }
        let (key, value, exact) = self.walk(pointer);
        match (at, key) {
            (At::Key, Some(key)) if exact => self.offset_of(key),
            (At::Inside(offset), _) if exact => self.offset_of(value) + inside(value.get(), offset),
            _ => self.offset_of(value),
        }
    }

    /// Follows a pointer as far as it leads.
    fn walk(&self, pointer: &str) -> (Option<&'t RawValue>, &'t RawValue, bool) {
        let mut here: (Option<&'t RawValue>, &'t RawValue) = (None, self.root);
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let next = match children(here.1) {
                Children::Nothing => None,
                Children::List(items) => {
                    segment.parse::<usize>().ok().and_then(|index| items.get(index).map(|item| (None, *item)))
                }
                Children::Object(entries) => entries
                    .into_iter()
                    .find(|(key, _)| {
                        serde_json::from_str::<Cow<'_, str>>(key.get()).is_ok_and(|name| name == segment.as_str())
                    })
                    .map(|(key, value)| (Some(key), value)),
            };
            match next {
                Some(next) => here = next,
                None => return (here.0, here.1, false),
            }
        }
        (here.0, here.1, true)
    }

    fn offset_of(&self, raw: &RawValue) -> usize {
        (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    /// What is said of a run file where a workflow is wanted.
    pub(crate) fn not_a_workflow(&self, run: &str) -> DefinitionErrors {
        let message = format!("this file holds no workflow: it is an order to run the workflow {}", quoted(run));
        let place = self.line_and_column(self.locate("/run", At::Key));
        DefinitionErrors::single(place, message)
    }

    /// Line and column, from 1, columns in characters.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        line_and_column(self.text, offset)
    }
}

/// Line and column, from 1, columns in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let lines = before.bytes().filter(|byte| *byte == b'\n').count();
    (lines + 1, before.get(line_start..).map_or(0, |line| line.chars().count()) + 1)
}

/// The pointer to `key` below `pointer`.
pub(crate) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn in_steps(pointer: &str) -> bool {
    pointer == "/steps" || pointer == "/on_failure"
}

/// Where in a JSON string, as it is written, the byte at `offset` of its meaning stands.
fn inside(written: &str, offset: usize) -> usize {
    let mut chars = written.char_indices().skip(1).peekable();
    let mut meant = 0;
    while let Some((at, c)) = chars.next() {
        if meant >= offset || c == '"' {
            return at;
        }
        if c != '\\' {
            meant += c.len_utf8();
            continue;
        }
        let Some((_, 'u')) = chars.next() else {
            meant += 1;
            continue;
        };
        let code = written.get(at + 2..at + 6).and_then(|code| u32::from_str_radix(code, 16).ok()).unwrap_or_default();
        // Half of a surrogate pair: two of them give four bytes.
        meant += char::from_u32(code).map_or(2, char::len_utf8);
        chars.by_ref().take(4).for_each(drop);
    }
    written.len()
}

/// What stands in this value.
pub(super) fn children(raw: &RawValue) -> Children<'_> {
    match raw.get().as_bytes().first() {
        Some(b'{' | b'[') => serde_json::from_str(raw.get()).unwrap_or(Children::Nothing),
        _ => Children::Nothing,
    }
}

impl<'de> Deserialize<'de> for Children<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChildrenVisitor;

        impl<'de> Visitor<'de> for ChildrenVisitor {
            type Value = Children<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Children::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Children::Object(entries))
            }
        }

        deserializer.deserialize_any(ChildrenVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_pointer() {
        let text = "{\n  \"a\": [1, {\"b/c\": \"x\"}],\n  \"ü\": {\"d\": null}\n}";
        let document = Document::new(text).unwrap();
        let place = |pointer: &str, at| document.line_and_column(document.locate(pointer, at));
        assert_eq!(place("", At::Value), (1, 1));
        assert_eq!(place("/a/1", At::Value), (2, 12));
        assert_eq!(place("/a/1/b~1c", At::Key), (2, 13));
        assert_eq!(place("/ü/d", At::Value), (3, 14));
        assert_eq!(place("/ü/nothing/here", At::Value), (3, 8), "the nearest thing around it");
    }

    #[test]
    fn places_inside_a_string_see_through_escapes() {
        let written = r#""a\n\u00fc\ud83d\ude00z""#;
        let meant: String = serde_json::from_str(written).unwrap();
        let z = meant.find('z').unwrap();
        assert_eq!(&written[inside(written, z)..], "z\"");
        assert_eq!(inside(written, 0), 1);
        assert_eq!(inside("\"abc\"", 99), 4);
    }
}
