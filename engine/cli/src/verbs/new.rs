//! `new`: a small program with a saga and its tests, to begin with.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::json;

use crate::arguments::{Format, NewArguments};
use crate::directory::quoted;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::verbs::Context;

/// What the program is made of, by the places of its files.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../../templates/new/Cargo.toml.template")),
    ("src/main.rs", include_str!("../../templates/new/src/main.rs")),
    ("src/trip.rs", include_str!("../../templates/new/src/trip.rs")),
    (".gitignore", "/target\n/.engine\n"),
];

/// What cargo takes for something else: directories of its own, keywords, and crates that the program uses.
const TAKEN: &str = include_str!("../../templates/taken_names.txt");

pub(super) fn new(context: &Context, arguments: &NewArguments) -> Result<Outcome, CliError> {
    let directory = &arguments.directory;
    let name = name_of(directory)?;
    let dependencies = dependencies(arguments)?;
    make(directory)?;
    let shown = directory.display();
    if let Err(error) = fill(directory, name, &dependencies) {
        // It was made just now, and holds nothing of anybody's.
        let _ = fs::remove_dir_all(directory);
        return Err(CliError::bad_input(format!("{shown} can't be made: {error}")));
    }
    match context.format {
        Format::Json => print::json(&json!({ "directory": shown.to_string(), "name": name })),
        Format::Text => {
            print::line(&format!("made {shown}: a saga in src/trip.rs, with its tests. Try it:"));
            print::line(&format!("  cd {}", quoted(&shown.to_string())));
            for command in ["cargo test", "cargo run -- run trip --example"] {
                print::line(&format!("  {command}"));
            }
            print::line("  cargo run -- run trip --input '{\"traveller\": \"Ada\", \"nights\": 30}'");
        }
    }
    Ok(Outcome::Completed)
}

/// Makes the directory. Refused where it is there already: nothing of anybody's is written over.
fn make(directory: &Path) -> Result<(), CliError> {
    let shown = directory.display();
    if directory.symlink_metadata().is_ok() {
        return Err(CliError::bad_input(format!("{shown} is there already: name a directory that is not")));
    }
    if let Some(above) = directory.ancestors().skip(1).find(|above| above.exists() && !above.is_dir()) {
        let above = above.display();
        return Err(CliError::bad_input(format!("{shown} can't be made: {above} is no directory")));
    }
    let parent = directory.parent().unwrap_or(Path::new(""));
    let made = fs::create_dir_all(parent).and_then(|()| fs::create_dir(directory));
    made.map_err(|error| CliError::bad_input(format!("{shown} can't be made: {error}")))
}

fn fill(directory: &Path, name: &str, [library, verbs]: &[String; 2]) -> io::Result<()> {
    fs::create_dir(directory.join("src"))?;
    for (place, text) in FILES {
        let text = text.replace("{{name}}", name).replace("{{engine}}", library).replace("{{engine-cli}}", verbs);
        fs::write(directory.join(place), text)?;
    }
    Ok(())
}

/// The program's name: that of its directory, which cargo has to take for one of a package.
fn name_of(directory: &Path) -> Result<&str, CliError> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let shown = quoted(&directory.display().to_string());
    let is_well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    if !is_well_formed {
        return Err(CliError::bad_input(format!(
            "{shown}: a program is named as its directory: a lower-case letter, then lower-case letters, digits, `_` \
             and `-`, as my_saga"
        )));
    }
    let as_crate = name.replace('_', "-");
    if TAKEN.split_whitespace().any(|taken| taken == as_crate) {
        return Err(CliError::bad_input(format!(
            "{shown}: a program is named as its directory, and to cargo `{name}` is something else: give it another \
             name, as my_{name}"
        )));
    }
    Ok(name)
}

/// Whether this may be a version, or a requirement on versions, as cargo reads them.
fn is_version(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
        && text.starts_with(|c: char| c.is_ascii_digit() || "^~=<>".contains(c))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "^~=<>.,+-* ".contains(c))
}

/// How the program depends on the library and on the verbs.
fn dependencies(arguments: &NewArguments) -> Result<[String; 2], CliError> {
    let Some(checkout) = &arguments.path else {
        let version = arguments.engine_version.as_deref().unwrap_or_default();
        if !is_version(version) {
            let shown = quoted(version);
            return Err(CliError::bad_input(format!("--engine-version {shown}: this is no version, as 0.1.0")));
        }
        let version = format!("\"{version}\"");
        return Ok([version.clone(), version]);
    };
    let shown = checkout.display();
    let part = |name: &str| -> Result<String, CliError> {
        let place: PathBuf = checkout.join("engine").join(name);
        let place = place.canonicalize().ok().filter(|place| place.join("Cargo.toml").is_file()).ok_or_else(|| {
            CliError::bad_input(format!(
                "--path {shown}: this is no checkout of the engine: it has no engine/{name}/Cargo.toml"
            ))
        })?;
        let text = place.to_str().ok_or_else(|| {
            CliError::bad_input(format!("--path {shown}: this is no UTF-8 text, so it can't stand in a Cargo.toml"))
        })?;
        Ok(format!("{{ path = {} }}", json!(text)))
    };
    Ok([part("sdk")?, part("cli")?])
}
