//! Writing values as JSON text.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::value::Value;
use crate::payload;

impl Value {
    /// The value as JSON text.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut text = String::new();
        self.write_json(&mut text);
        text.into_bytes()
    }

    /// The value as JSON text to be shared: measured first, so that a large one is in memory once, and no larger than
    /// it is.
    pub fn to_shared(&self) -> Arc<[u8]> {
        let mut len = Length(0);
        // Measuring cannot fail, and neither can writing what has been measured.
        let _ = self.write(&mut len);
        let mut bytes = payload::zeros(len.0);
        if let Some(free) = Arc::get_mut(&mut bytes) {
            let _ = self.write(&mut Free(free));
        }
        bytes
    }

    /// Appends the value as JSON text.
    pub(super) fn write_json(&self, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = self.write(text);
    }

    fn write(&self, text: &mut impl Write) -> fmt::Result {
        match self {
            Self::Null => text.write_str("null"),
            Self::Bool(bool) => text.write_str(if *bool { "true" } else { "false" }),
            Self::Number(number) => write!(text, "{number}"),
            Self::String(string) => write_string(string, text),
            Self::Array(array) => {
                text.write_char('[')?;
                for (place, item) in array.items.iter().enumerate() {
                    if place > 0 {
                        text.write_char(',')?;
                    }
                    item.write(text)?;
                }
                text.write_char(']')
            }
            Self::Object(object) => {
                text.write_char('{')?;
                for (place, (key, value)) in object.entries.iter().enumerate() {
                    if place > 0 {
                        text.write_char(',')?;
                    }
                    write_string(key, text)?;
                    text.write_char(':')?;
                    value.write(text)?;
                }
                text.write_char('}')
            }
        }
    }
}

/// Appends a string in quotes, escaped as JSON wants it.
fn write_string(string: &str, text: &mut impl Write) -> fmt::Result {
    text.write_char('"')?;
    let mut rest = string;
    // What needs no escape is appended as a whole.
    while let Some(place) = rest.find(needs_escape) {
        let (plain, escaped) = rest.split_at(place);
        text.write_str(plain)?;
        let mut characters = escaped.chars();
        match characters.next() {
            Some('"') => text.write_str("\\\"")?,
            Some('\\') => text.write_str("\\\\")?,
            Some('\n') => text.write_str("\\n")?,
            Some('\r') => text.write_str("\\r")?,
            Some('\t') => text.write_str("\\t")?,
            Some('\u{8}') => text.write_str("\\b")?,
            Some('\u{c}') => text.write_str("\\f")?,
            Some(control) => write!(text, "\\u{:04x}", u32::from(control))?,
            None => {}
        }
        rest = characters.as_str();
    }
    text.write_str(rest)?;
    text.write_char('"')
}

fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\') || character < ' '
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// The bytes that are not yet written.
struct Free<'b>(&'b mut [u8]);

impl Write for Free<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let place = self.0.split_off_mut(..text.len()).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_the_same_text() {
        for text in
            ["null", "\"\"", "[]", r#"{"a":[1,2.50,-1e3,true,null],"\u0001\n\"":"\u00e4\ud83d\ude00\\\u001f","b":{}}"#]
        {
            let value = Value::from_slice(text.as_bytes()).unwrap();
            assert_eq!(*value.to_shared(), *value.to_vec(), "{text}");
        }
    }
}
