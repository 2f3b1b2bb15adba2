//! `new`: a small program with a saga and its tests, to begin with.

use std::fs;
use std::path::{Path, PathBuf};

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

pub(super) fn new(context: &Context, arguments: &NewArguments) -> Result<Outcome, CliError> {
    let directory = &arguments.directory;
    let name = name_of(directory)?;
    let [library, verbs] = dependencies(arguments)?;
    let made = || {
        // Refused where it is there already: nothing of anybody's is written over.
        fs::create_dir_all(directory.parent().unwrap_or(Path::new("")))?;
        fs::create_dir(directory)?;
        fs::create_dir(directory.join("src"))?;
        for (place, text) in FILES {
            let text = text.replace("{{name}}", name).replace("{{engine}}", &library).replace("{{engine-cli}}", &verbs);
            fs::write(directory.join(place), text)?;
        }
        Ok(())
    };
    let shown = directory.display();
    made().map_err(|error: std::io::Error| CliError::bad_input(format!("{shown} can't be made: {error}")))?;
    match context.format {
        Format::Json => print::json(&json!({ "directory": directory, "name": name })),
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

/// The program's name: that of its directory, which cargo has to take for one of a package.
fn name_of(directory: &Path) -> Result<&str, CliError> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fine = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
        && !["engine", "engine-cli", "test", "core", "std"].contains(&name);
    if fine {
        return Ok(name);
    }
    let shown = quoted(&directory.display().to_string());
    Err(CliError::bad_input(format!(
        "{shown}: a program is named as its directory: a lower-case letter, then lower-case letters, digits, `_` and \
         `-`, as my_saga"
    )))
}

/// How the program depends on the library and on the verbs.
fn dependencies(arguments: &NewArguments) -> Result<[String; 2], CliError> {
    let Some(checkout) = &arguments.path else {
        let version = json!(arguments.engine_version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))).to_string();
        return Ok([version.clone(), version]);
    };
    let shown = checkout.display();
    let part = |name: &str| {
        let place: PathBuf = checkout.join("engine").join(name);
        let place = place.canonicalize().ok().filter(|place| place.join("Cargo.toml").is_file());
        place.map(|place| format!("{{ path = {} }}", json!(place))).ok_or_else(|| {
            CliError::bad_input(format!(
                "--path {shown}: this is no checkout of the engine: it has no engine/{name}/Cargo.toml"
            ))
        })
    };
    Ok([part("sdk")?, part("cli")?])
}
