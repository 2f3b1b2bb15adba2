//! The order saga and the six services that it calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::{Program, Registry};
use engine_core::definition::Definition;
use engine_testkit::{Act, Case, Endpoint, Point, Script};
use serde_json::{Value, json};
use workflows::order_saga;

/// The order saga as it ships.
fn file() -> Value {
    serde_json::from_str(include_str!("../../workflows/order_saga.json")).unwrap()
}

/// The services, all well. They take their time differently, so that results come one by one.
pub(crate) fn services() -> Script {
    let ms = Duration::from_millis;
    Script::new()
        .on("user/users/*/validate", Endpoint::look().answers(json!({ "valid": true })))
        .on("inventory/check", Endpoint::look().answers(json!({ "all_available": true })).takes(ms(20)))
        .on("payment/validate", Endpoint::look().answers(json!({ "valid": true })).takes(ms(30)))
        .on("payment/process", Endpoint::effect().answers(json!({ "transaction_id": "txn_1" })).takes(ms(50)))
        .on("payment/refund", Endpoint::undo("payment/process"))
        .on("inventory/update", Endpoint::effect())
        .on("inventory/release", Endpoint::undo("inventory/update").takes(ms(15)))
        .on("order/create", Endpoint::effect().answers(json!({ "record_id": "rec_1" })).takes(ms(50)))
        .on("order/orders/*/mark_failed", Endpoint::effect())
        .on("notification/send", Endpoint::effect().ignores_keys())
        .on("analytics/track", Endpoint::effect().ignores_keys().takes(ms(25)))
}

/// A case of the order saga, written twice: as the file that ships, and in Rust.
#[derive(Clone)]
pub(crate) struct Saga {
    /// As a file, whose steps call the services by themselves.
    pub(crate) file: Case,
    /// In Rust, where tasks call them.
    pub(crate) rust: Case,
}

impl Saga {
    pub(crate) fn name(&self) -> &str {
        self.file.name()
    }

    /// See [`Case::at`].
    pub(crate) fn at(self, point: Point, act: Act) -> Self {
        Self { file: self.file.at(point.clone(), act.clone()), rust: self.rust.at(point, act) }
    }

    pub(crate) fn both(self) -> [Case; 2] {
        [self.file, self.rust]
    }
}

/// The saga with these changes, on these services.
pub(crate) fn saga(name: &str, services: Script, change: impl Fn(&mut Value)) -> Saga {
    let workflow = order_saga::workflow().unwrap();
    let mut registry = Registry::new();
    registry.register(&workflow).unwrap();
    let (written, program) = (workflow.to_json(), Program::new(registry).unwrap());
    let case = |name: &str, mut file: Value, services| {
        let input = file["input"]["example"].clone();
        change(&mut file);
        let definition = Arc::new(Definition::from_json(&file.to_string()).unwrap());
        Case::new(name, definition, input, services)
    };
    let file = case(name, file(), services.clone());
    let rust = case(&format!("{name}, in Rust"), serde_json::from_str(&written).unwrap(), services);
    Saga { file, rust: rust.with_tasks(Arc::new(program)) }
}

pub(crate) fn unchanged(_: &mut Value) {}

/// What is left in the world, by endpoint.
pub(crate) type Net = BTreeMap<String, usize>;

fn one_each(endpoints: &[&str]) -> Net {
    endpoints.iter().map(|endpoint| ((*endpoint).to_owned(), 1)).collect()
}

pub(crate) fn left(endpoints: &[&str]) -> Net {
    one_each(endpoints)
}

/// Everything was done, and nothing twice.
pub(crate) fn all_well() -> Net {
    one_each(&["payment/process", "inventory/update", "order/create", "notification/send", "analytics/track"])
}

/// The order was marked as failed and the error sent; nothing else is left.
pub(crate) fn failed() -> Net {
    one_each(&["order/orders/*/mark_failed", "notification/send"])
}
