//! The workflows that the engine's own binary brings along, each in a file of its own, over the services that
//! `mock-services` stands in for. `engine run order_saga_rs --mock-services` carries one out.

pub mod order_saga;
pub mod registration;
pub mod report;

use std::error::Error;

use engine::{Builder, HttpService, Registry};

/// Registers all of them.
///
/// # Errors
/// Where one of them can't be built or registered, which its tests would have shown.
pub fn register(registry: &mut Registry) -> Result<(), Box<dyn Error + Send + Sync>> {
    registry.register(&order_saga::workflow()?)?;
    registry.register(&registration::workflow()?)?;
    registry.register(&report::workflow()?)?;
    Ok(())
}

/// The services, each at its usual address. Those that change something for good honour idempotency keys.
fn services<I>(workflow: &Builder<I>, names: &[&str]) {
    const ALL: [(&str, u16, bool); 6] = [
        ("user", 8001, false),
        ("order", 8002, true),
        ("payment", 8003, true),
        ("notification", 8004, false),
        ("inventory", 8005, true),
        ("analytics", 8006, false),
    ];
    for (name, port, honours_keys) in ALL.into_iter().filter(|(name, ..)| names.contains(name)) {
        let service = HttpService::url(&format!("http://127.0.0.1:{port}"));
        workflow.service(name, if honours_keys { service.idempotent() } else { service });
    }
}
