//! `definitions`: the workflows that are stored, and their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::id::Digest;
use engine_core::time::Timestamp;
use engine_runtime::read;
use engine_store::{Filter, Store};
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::overrides::nearest;
use crate::print;
use crate::render::table::table;
use crate::render::{one_line, time};
use crate::source;
use crate::verbs::Context;

/// The newest runs that are counted: more would take long.
const COUNTED: usize = 10_000;

/// The characters of a digest that a list shows.
const SHOWN: usize = 12;

/// The beginning of a digest has at least so many characters.
const SHORTEST_PREFIX: usize = 4;

/// A workflow with its current definition.
struct Stored {
    workflow: String,
    digest: Digest,
    /// Its version label; why it can't be told, where it can't be read.
    version: Result<String, String>,
    runs: Runs,
    /// Whether the program brings it along.
    is_own: bool,
}

/// The runs of a workflow, of all its versions.
#[derive(Clone, Copy, Default)]
struct Runs {
    count: usize,
    newest: Option<Timestamp>,
}

/// Runs by workflow, and the definitions that they are bound to.
#[derive(Default)]
struct Counted {
    by_workflow: BTreeMap<String, Runs>,
    bound: Vec<Digest>,
    all: bool,
}

pub(super) async fn definitions(context: &Context, what: Option<&str>) -> Result<Outcome, CliError> {
    match what {
        Some(what) => print_one(context, what).await,
        None => list(context).await,
    }
}

async fn list(context: &Context) -> Result<Outcome, CliError> {
    let own = context.program.workflows();
    let (mut stored, all) = if context.directory.is_new() && !own.is_empty() {
        (Vec::new(), true)
    } else {
        context.directory.look(async |store: &dyn Store| look(store).await).await?
    };
    add_own(&mut stored, &own);
    match context.format {
        Format::Json => {
            let documents: Vec<Value> = stored.iter().map(document).collect();
            print::json(&json!({ "definitions": documents, "all_runs_counted": all }));
        }
        Format::Text if stored.is_empty() => print::line("no workflows"),
        Format::Text => {
            print::lines(&lines(&stored));
            if !all {
                print::line(&format!("counted among the newest {COUNTED} runs"));
            }
        }
    }
    Ok(Outcome::Completed)
}

/// Adds the workflows that the program brings along. One that is stored in the same version is named once.
fn add_own(stored: &mut Vec<Stored>, own: &[Arc<Definition>]) {
    for definition in own {
        let (workflow, digest) = (definition.name().to_string(), definition.digest());
        let known = stored.iter_mut().find(|known| known.workflow == workflow && known.digest == digest);
        if let Some(known) = known {
            known.is_own = true;
        } else {
            let (version, runs) = (Ok(definition.version().to_owned()), Runs::default());
            stored.push(Stored { workflow, digest, version, runs, is_own: true });
        }
    }
    stored.sort_by(|one, other| one.workflow.cmp(&other.workflow));
}

async fn look(store: &dyn Store) -> Result<(Vec<Stored>, bool), CliError> {
    let counted = count(store).await?;
    let mut stored = Vec::new();
    for (workflow, digest) in store.current_definitions().await? {
        let version = read::definition(store, digest).await;
        let version = version.map(|found| found.version().to_owned()).map_err(|error| error.to_string());
        let runs = counted.by_workflow.get(&workflow).copied().unwrap_or_default();
        stored.push(Stored { workflow, digest, version, runs, is_own: false });
    }
    Ok((stored, counted.all))
}

async fn count(store: &dyn Store) -> Result<Counted, CliError> {
    let (mut counted, mut cursor, mut seen) = (Counted::default(), None, 0);
    while seen < COUNTED {
        let page = store.list(&Filter::default(), cursor, COUNTED.min(1_000)).await?;
        seen += page.items.len();
        for row in page.items {
            let runs = counted.by_workflow.entry(row.workflow.to_string()).or_default();
            runs.count += 1;
            // The newest come first.
            runs.newest = runs.newest.or(Some(row.started_at));
            if !counted.bound.contains(&row.definition) {
                counted.bound.push(row.definition);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            counted.all = true;
            break;
        }
    }
    Ok(counted)
}

fn lines(stored: &[Stored]) -> Vec<String> {
    let mut cells =
        vec![["WORKFLOW", "VERSION", "DEFINITION", "FROM", "RUNS", "NEWEST (UTC)"].map(str::to_owned).to_vec()];
    cells.extend(stored.iter().map(|stored| {
        let version = stored.version.as_ref().map_or_else(|why| format!("? {}", one_line(why)), |text| one_line(text));
        vec![
            stored.workflow.clone(),
            version,
            stored.digest.to_string().chars().take(SHOWN).collect(),
            if stored.is_own { "this program" } else { "a file or another program" }.to_owned(),
            stored.runs.count.to_string(),
            stored.runs.newest.map(time::point_in_list).unwrap_or_default(),
        ]
    }));
    table(&cells)
}

fn document(stored: &Stored) -> Value {
    json!({
        "workflow": stored.workflow,
        "version": stored.version.as_ref().ok(),
        "definition": stored.digest.to_string(),
        "registered": stored.is_own,
        "runs": stored.runs.count,
        "newest_run_at": stored.runs.newest.map(time::rfc3339),
        "error": stored.version.as_ref().err(),
    })
}

async fn print_one(context: &Context, what: &str) -> Result<Outcome, CliError> {
    let (digest, source) = if let Some(own) = context.program.workflow(what) {
        (own.digest(), own.source().clone())
    } else {
        let found = context.directory.look(async |store: &dyn Store| find(store, what).await).await;
        found.map_err(|error| source::or_meant(&context.program, what, error))?
    };
    let file: Value = serde_json::from_slice(&source)
        .map_err(|error| CliError::directory(format!("the stored file of {digest} is damaged: {error}")))?;
    match context.format {
        Format::Text => print::json(&file),
        Format::Json => {
            let readable = Definition::from_source(&source).err().map(|errors| errors.to_string());
            print::json(&json!({ "definition": digest.to_string(), "file": file, "error": readable }));
        }
    }
    Ok(Outcome::Completed)
}

/// The definition that a person means, by its workflow's name or its digest.
async fn find(store: &dyn Store, what: &str) -> Result<(Digest, Arc<[u8]>), CliError> {
    let current = store.current_definitions().await?;
    let mut found: Vec<Digest> =
        current.iter().filter(|(workflow, _)| workflow == what).map(|(_, digest)| *digest).collect();
    if found.is_empty() && what.len() >= SHORTEST_PREFIX {
        found = count(store).await?.bound;
        found.extend(current.iter().map(|(_, digest)| *digest));
        found.retain(|digest| digest.to_string().starts_with(&what.to_lowercase()));
        found.sort();
        found.dedup();
    }
    match found.as_slice() {
        [] => Err(unknown(what, &current)),
        [one] => {
            let missing = || CliError::directory(format!("the definition {one} is not in the store"));
            Ok((*one, store.definition(*one).await?.ok_or_else(missing)?))
        }
        [..] => {
            let listed: Vec<String> = found.iter().map(|digest| format!("\n  {digest}")).collect();
            Err(CliError::bad_input(format!("`{what}` may be any of these; write more of it:{}", listed.concat())))
        }
    }
}

fn unknown(what: &str, current: &[(String, Digest)]) -> CliError {
    let near = nearest(what, current.iter().map(|(workflow, _)| workflow.as_str()));
    let hint = near.map_or_else(
        || "; without a name, `definitions` lists what is stored".to_owned(),
        |name| format!(": did you mean `{name}`?"),
    );
    CliError::nothing(format!("no workflow `{what}` is stored, and no definition has such a digest{hint}"))
}
