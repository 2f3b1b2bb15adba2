//! What this process lacks to drive a run that somebody else wants to hand to it.

use std::collections::BTreeSet;

use engine_core::definition::reference::{self, Part};
use engine_core::definition::{Auth, Definition, Service};

use crate::http::{MOCK, overridden};
use crate::options::Options;

/// What is lacking, for people; empty where the run can be driven here. `faults` are the fault rules that the mock
/// services must have, where it matters.
pub(crate) fn lacks(
    options: &Options,
    definition: &Definition,
    overrides: &[(String, String)],
    faults: Option<&[String]>,
) -> Vec<String> {
    let mut lacking = Vec::new();
    let wants_mocks = overrides.iter().any(|(_, value)| value == MOCK);
    match &options.mocks {
        None if wants_mocks => lacking.push("mock services".to_owned()),
        Some(mocks) if faults.is_some_and(|faults| faults != mocks.faults()) => {
            let rules = mocks.faults().join(", ");
            let has = if rules.is_empty() { "none".to_owned() } else { rules };
            lacking.push(format!("mock services with these fault rules (its own have: {has})"));
        }
        Some(_) | None => {}
    }
    let missing_tasks = definition.tasks().into_iter().filter(|task| options.tasks.find(task).is_none());
    lacking.extend(missing_tasks.map(|task| format!("the task `{task}`")));
    let mut names = BTreeSet::new();
    for (name, service) in definition.services() {
        let is_overridden = overridden(overrides, name).or_else(|| overridden(&options.overrides, name)).is_some();
        let url = (!is_overridden).then_some(service.url.as_str());
        for text in url.into_iter().chain(secret_texts(service)) {
            // Checked when the definition was made.
            names.extend(reference::split(text).unwrap_or_default().iter().filter_map(|part| missing(options, part)));
        }
    }
    lacking.extend(names);
    lacking
}

fn secret_texts(service: &Service) -> impl Iterator<Item = &str> {
    let auth = match &service.auth {
        None => Vec::new(),
        Some(Auth::Bearer(token)) => vec![token.as_str()],
        Some(Auth::Basic { user, password }) => vec![user.as_str(), password.as_str()],
    };
    service.headers.iter().map(|(_, value)| value.as_str()).chain(auth)
}

/// The variable of the environment that this process would need.
fn missing(options: &Options, part: &Part) -> Option<String> {
    match part {
        Part::Text(_) => None,
        Part::Secret(name) => {
            options.secrets.secret(name).is_none().then(|| format!("the environment variable ENGINE_SECRET_{name}"))
        }
        Part::Env(name) => {
            options.secrets.environment(name).is_none().then(|| format!("the environment variable {name}"))
        }
    }
}
