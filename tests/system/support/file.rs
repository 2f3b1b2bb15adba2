//! The order saga, and variants of it.

use std::path::PathBuf;

use serde_json::{Value, json};

fn workflows() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows")
}

/// A workflow file as it ships.
pub(crate) fn shipped(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(workflows().join(name)).unwrap()).unwrap()
}

/// The order saga as it ships.
pub(crate) fn saga() -> Value {
    shipped("order_saga.json")
}

/// The order saga with delays that a test can wait for; everything else as it ships.
pub(crate) fn fast() -> Value {
    let mut file = saga();
    file["defaults"]["retry"]["initial"] = json!("20ms");
    file["defaults"]["retry"]["max_interval"] = json!("200ms");
    file["defaults"]["compensation_retry"] = json!({ "initial": "20ms", "max_interval": "200ms" });
    file
}

/// The saga's example input.
pub(crate) fn input() -> Value {
    saga()["input"]["example"].clone()
}
