//! Who may depend on whom among our crates, and which crate may see what comes from outside.

use std::process::Command;

use serde_json::Value;

use crate::tree::{hold, root};

/// Each crate of ours, and which of ours it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("engine-bin", &["engine-cli", "workflows", "mock-services"]),
    ("workflows", &["engine"]),
    ("versions", &["engine", "engine-cli"]),
    ("engine-cli", &["engine", "engine-bench", "engine-runtime", "engine-store-sled", "engine-store", "engine-core"]),
    (
        "engine",
        &["engine-macros", "engine-testkit", "engine-runtime", "engine-store-sled", "engine-store", "engine-core"],
    ),
    ("engine-bench", &["engine", "engine-runtime", "engine-store-sled", "engine-store", "engine-core"]),
    ("engine-macros", &[]),
    ("engine-testkit", &["engine-runtime", "engine-store", "engine-core"]),
    ("engine-runtime", &["engine-store", "engine-core"]),
    ("engine-store-sled", &["engine-store", "engine-core"]),
    ("engine-store", &["engine-core"]),
    ("engine-core", &[]),
    ("mock-services", &[]),
];

/// What no crate depends on, not even for its tests.
const TOP: &str = "engine-bin";

/// Crates from outside that only one crate of ours may see.
const HIDDEN: &[(&str, &str)] = &[("sled", "engine-store-sled"), ("bincode", "engine-store")];

/// A dependency as a crate's manifest names it.
struct Dependency {
    from: String,
    manifest: String,
    to: String,
    for_tests: bool,
}

impl Dependency {
    fn finding(&self) -> Option<String> {
        let Self { from, manifest, to, for_tests } = self;
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == from) else {
            return Some(format!(
                "{manifest}: {from} is not in the table: say in tests/tidy/arrows.rs and in ARCHITECTURE.md on which \
                 crates it may depend"
            ));
        };
        if to == TOP {
            return Some(format!(
                "{manifest}: {from} depends on {TOP}, the outermost crate: move what both need inwards"
            ));
        }
        if let Some((_, owner)) = HIDDEN.iter().find(|(hidden, owner)| hidden == to && owner != from) {
            return Some(format!("{manifest}: only {owner} may depend on {to}: use what {owner} offers"));
        }
        let is_ours = ARROWS.iter().any(|(name, _)| name == to);
        let is_forbidden = is_ours && !for_tests && !allowed.contains(&to.as_str());
        is_forbidden.then(|| {
            format!("{manifest}: {from} may not depend on {to}: arrows run {from} -> {allowed:?} (ARCHITECTURE.md)")
        })
    }
}

#[test]
fn dependencies_run_inwards_only() {
    hold(&dependencies().iter().filter_map(Dependency::finding).collect::<Vec<_>>());
}

#[test]
fn an_arrow_outwards_is_found() {
    for (from, to, for_tests, is_found) in [
        ("engine-core", "engine-store", false, true),
        ("engine-core", "engine-store", true, false),
        ("engine-store", "engine-core", false, false),
        ("engine-core", "engine-bin", true, true),
        ("engine-runtime", "sled", false, true),
        ("engine-store-sled", "sled", false, false),
        ("engine-core", "serde", false, false),
        ("newcomer", "engine-core", false, true),
    ] {
        let (from, to) = (from.to_owned(), to.to_owned());
        let dependency = Dependency { from, manifest: "Cargo.toml".into(), to, for_tests };
        assert_eq!(dependency.finding().is_some(), is_found, "{:?}", dependency.finding());
    }
}

fn dependencies() -> Vec<Dependency> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Value) -> Vec<Dependency> {
    let text = |value: &Value| value.as_str().expect("a text in cargo metadata").to_owned();
    let root = format!("{}/", root().display());
    let manifest = text(&package["manifest_path"]).replace(&root, "");
    let dependencies = package["dependencies"].as_array().expect("cargo metadata lists dependencies");
    let dependency = |found: &Value| Dependency {
        from: text(&package["name"]),
        manifest: manifest.clone(),
        to: text(&found["name"]),
        for_tests: found["kind"] == "dev",
    };
    dependencies.iter().map(dependency).collect()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo describes the workspace");
    assert!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("cargo metadata is JSON")
}
