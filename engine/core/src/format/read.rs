//! From the text of a file to its types; what is wrong with its syntax and its keys.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use super::document::{Children, Document, RESERVED, children, join, line_and_column};
use super::problem::{At, DefinitionErrors, Findings, quoted, shown};
use super::suggest::did_you_mean;
use super::{File, Service, Step, Workflow};
use crate::bounds;

/// Reads a file, and keeps its text at hand to say where things are.
pub(crate) fn read(text: &str) -> Result<(File, Document<'_>), DefinitionErrors> {
    let document = open(text)?;
    check_version(&document)?;
    let mut findings = Findings::default();
    document.check(&mut findings);
    let file = if document.find("/run").is_some() && document.find("/format").is_none() {
        typed(document.root(), "", &mut findings).map(File::Run)
    } else {
        workflow(&document, &mut findings).map(|file| File::Workflow(Box::new(file)))
    };
    findings.into_result(&document)?;
    let file = file.ok_or_else(DefinitionErrors::unreadable)?;
    Ok((file, document))
}

fn workflow(document: &Document<'_>, findings: &mut Findings) -> Option<Workflow> {
    lists_for_objects(document.root(), "", findings);
    let mut of_whole = Findings::default();
    let file = typed(document.root(), "", &mut of_whole);
    if file.is_none() {
        let noted_before = findings.len();
        each_part(document, findings);
        if findings.len() == noted_before {
            findings.append(of_whole);
        }
    }
    file
}

fn open(text: &str) -> Result<Document<'_>, DefinitionErrors> {
    if text.len() > bounds::FILE_LEN {
        let (may, has) = (mebibytes(bounds::FILE_LEN), mebibytes(text.len()));
        return Err(DefinitionErrors::single((1, 1), format!("a workflow file may have {may}; this one has {has}")));
    }
    if text.trim().is_empty() {
        return Err(DefinitionErrors::single((1, 1), "this file is empty; a workflow file is a JSON object"));
    }
    if text.starts_with('\u{feff}') {
        return Err(DefinitionErrors::single((1, 1), "this file begins with a byte order mark; save it without one"));
    }
    let document = Document::new(text).map_err(|error| not_json(text, &error))?;
    if !document.root().get().starts_with('{') {
        let message = "a workflow file is a JSON object, `{ \"format\": \"engine/1\", … }`";
        return Err(DefinitionErrors::single((1, 1), message));
    }
    Ok(document)
}

fn not_json(text: &str, error: &serde_json::Error) -> DefinitionErrors {
    let line_start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let offset = text.floor_char_boundary(line_start + error.column().saturating_sub(1));
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let why = match after.chars().next() {
        Some(bracket @ ('}' | ']')) if before.trim_end().ends_with(',') => {
            format!("a comma stands before this `{bracket}`; take it out")
        }
        _ => without_place(&error.to_string()).to_owned(),
    };
    DefinitionErrors::single(line_and_column(text, offset), format!("this is not JSON: {why}"))
}

fn mebibytes(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    if tenths.is_multiple_of(10) {
        format!("{} MiB", tenths / 10)
    } else {
        format!("{}.{} MiB", tenths / 10, tenths % 10)
    }
}

/// A file of another version is not held against the keys of this one.
fn check_version(document: &Document<'_>) -> Result<(), DefinitionErrors> {
    let mut findings = Findings::default();
    let version = document.find("/format").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    if let Some(version) = version.filter(|version| version != "engine/1") {
        let message = format!("this engine reads files of format `engine/1`; this one is {}", quoted(&version));
        findings.add("/format", message);
    }
    findings.into_result(document)
}

/// Keys that hold an object. The types would also take a list of their fields in order, which nobody means.
const OBJECTS: [&str; 11] = [
    "input",
    "defaults",
    "auth",
    "basic",
    "retry",
    "compensation_retry",
    "http",
    "task",
    "expect",
    "compensate",
    "unknown",
];

fn lists_for_objects(raw: &RawValue, pointer: &str, findings: &mut Findings) {
    let Children::Object(entries) = children(raw) else { return };
    for (key, value) in entries {
        let Ok(key) = serde_json::from_str::<String>(key.get()) else { continue };
        let place = join(pointer, &key);
        if OBJECTS.contains(&key.as_str()) {
            object(value, &place, findings);
        } else if pointer.is_empty() && ["services", "steps", "on_failure"].contains(&key.as_str()) {
            let Children::Object(named) = children(value) else { continue };
            for (name, value) in named {
                let Ok(name) = serde_json::from_str::<String>(name.get()) else { continue };
                if name != "$comment" {
                    object(value, &join(&place, &name), findings);
                }
            }
        }
    }
}

fn object(raw: &RawValue, pointer: &str, findings: &mut Findings) {
    if raw.get().starts_with('[') {
        findings.add(pointer, "an object belongs here, not a list");
    }
    lists_for_objects(raw, pointer, findings);
}

/// What is read part by part where the whole can't be read.
const PARTS: [(&str, bool); 3] = [("/services", true), ("/steps", false), ("/on_failure", false)];

/// Reads each service and step on its own, then the rest, so that all that are wrong are named and not only the first.
fn each_part(document: &Document<'_>, findings: &mut Findings) {
    for (place, is_service) in PARTS {
        let Some(Children::Object(entries)) = document.find(place).map(children) else { continue };
        for (name, part) in entries {
            let Ok(name) = serde_json::from_str::<String>(name.get()) else { continue };
            let pointer = join(place, &name);
            if name == "$comment" {
                continue;
            }
            if is_service {
                typed::<Service>(part, &pointer, findings);
            } else {
                typed::<Step>(part, &pointer, findings);
            }
        }
    }
    if let Some(rest) = rest_of(document) {
        typed::<Workflow>(&rest, "", findings);
    }
}

/// The file with its steps and services emptied; its places are still those of the file.
fn rest_of(document: &Document<'_>) -> Option<Box<RawValue>> {
    let Children::Object(entries) = children(document.root()) else { return None };
    let emptied = |key: &RawValue, value: &RawValue| {
        let name = format!("/{}", key.get().trim_matches('"'));
        let is_part = PARTS.iter().any(|(place, _)| *place == name) && value.get().starts_with('{');
        format!("{}:{}", key.get(), if is_part { "{}" } else { value.get() })
    };
    let entries: Vec<_> = entries.into_iter().map(|(key, value)| emptied(key, value)).collect();
    RawValue::from_string(format!("{{{}}}", entries.join(","))).ok()
}

fn typed<T: DeserializeOwned>(raw: &RawValue, pointer: &str, findings: &mut Findings) -> Option<T> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => Some(value),
        Err(error) => {
            let message = error.inner().to_string();
            // Keys that stand twice and lists for objects are noted already, at the right place.
            if !message.starts_with("duplicate field") && !message.starts_with("invalid length") {
                let pointer = format!("{pointer}{}", pointer_of(error.path()));
                let at = if message.starts_with("unknown field") { At::Key } else { At::Value };
                findings.add_at(&pointer, at, || explain(&message));
            }
            None
        }
    }
}

fn pointer_of(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        // A number, as `serde_json` hands it on.
        Segment::Map { key } if key.starts_with(RESERVED) => pointer,
        Segment::Map { key } => join(&pointer, key),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// What `serde` says, in the words of the format.
fn explain(message: &str) -> String {
    let message = without_place(message);
    for (prefix, what) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some((name, expected)) = message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once("`, expected "))
        else {
            continue;
        };
        if name.starts_with(RESERVED) {
            return "an object or a word belongs here, not a number".to_owned();
        }
        // Odd pieces stand between backticks.
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).filter(|key| !key.starts_with('$')).collect();
        let near = did_you_mean(name, known.iter().copied());
        let listed = if near.is_empty() { format!("; known here: {}", known.join(", ")) } else { near };
        return format!("unknown {what} {}{listed}", quoted(name));
    }
    if let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("the key `{key}` is missing");
    }
    let mismatch = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, expected)) = mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        return format!("{} belongs here, not {}", wanted(expected), shown(&found_instead(found)));
    }
    match message {
        "expected value" => "a word in quotes belongs here".to_owned(),
        "expected field with custom name" => "a number belongs here, not an object".to_owned(),
        other => shown(other),
    }
}

/// What `serde` wants, in the words of the format.
fn wanted(expected: &str) -> &str {
    match expected {
        "u32" => "a whole number",
        "a JSON number" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

/// What `serde` found, in the words of the format: values as the file has them.
fn found_instead(found: &str) -> String {
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        "number" => "a number".to_owned(),
        _ => ["boolean ", "integer ", "floating point ", "string "]
            .iter()
            .find_map(|kind| found.strip_prefix(kind))
            .map_or_else(|| found.to_owned(), |value| value.trim_matches('`').to_owned()),
    }
}

/// The message without the place that `serde_json` adds: places are given once, and of the whole file.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}
