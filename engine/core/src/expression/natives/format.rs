//! `@text`, `@json` and the like, as functions and before strings.

use super::super::budget;
use super::super::evaluate::Evaluator;
use super::super::failure::{Flow, raise};
use super::super::value::Value;
use super::{Function, value};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;

pub(super) const FUNCTIONS: &[Function] = &[
    value("@text", |evaluator, input| made(evaluator, "@text", input)),
    value("@json", |evaluator, input| made(evaluator, "@json", input)),
    value("@base64", |evaluator, input| made(evaluator, "@base64", input)),
    value("@base64d", |evaluator, input| made(evaluator, "@base64d", input)),
    value("@uri", |evaluator, input| made(evaluator, "@uri", input)),
    value("@html", |evaluator, input| made(evaluator, "@html", input)),
    value("@sh", |evaluator, input| made(evaluator, "@sh", input)),
];

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Reads with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn made(evaluator: &Evaluator<'_>, format: &str, input: &Value) -> Flow<Value> {
    let text = write(evaluator, format, input)?;
    evaluator.text(text)
}

/// Writes a value by a format. The text is not paid for yet, what is read is.
pub(in super::super) fn write(evaluator: &Evaluator<'_>, format: &str, input: &Value) -> Flow<String> {
    match format {
        "@json" => return evaluator.json_text(input),
        "@sh" => return shell(evaluator, input),
        _ => {}
    }
    let text: Cow<'_, str> = match input {
        Value::String(text) => {
            evaluator.pay(budget::text(text.len()))?;
            Cow::Borrowed(text)
        }
        other => Cow::Owned(evaluator.json_text(other)?),
    };
    match format {
        "@text" => Ok(text.into_owned()),
        "@base64" => Ok(BASE64.encode(&*text)),
        "@base64d" => {
            let bytes = BASE64.decode(&*text).ok();
            match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(text) => Ok(text),
                None => raise("not base64 of UTF-8 text"),
            }
        }
        "@uri" => Ok(percent_encode(&text)),
        "@html" => Ok(html(&text)),
        other => raise(format!("`{other}` is not a known format")),
    }
}

/// Percent-encodes everything but unreserved characters.
pub(in super::super) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\'' => html.push_str("&#39;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
    html
}

/// Words for a shell: strings quoted, elements of an array as words of their own.
fn shell(evaluator: &Evaluator<'_>, input: &Value) -> Flow<String> {
    let words = match input {
        Value::Array(array) => array.items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut text = String::new();
    for word in words {
        evaluator.pay(budget::array(0))?;
        if !text.is_empty() {
            text.push(' ');
        }
        match word {
            Value::String(word) => {
                evaluator.pay(budget::text(word.len()))?;
                text.push('\'');
                text.push_str(&word.replace('\'', "'\\''"));
                text.push('\'');
            }
            Value::Array(_) | Value::Object(_) => {
                return raise(format!("cannot quote {} for a shell", word.type_name()));
            }
            scalar => text.push_str(&evaluator.json_text(scalar)?),
        }
    }
    Ok(text)
}
