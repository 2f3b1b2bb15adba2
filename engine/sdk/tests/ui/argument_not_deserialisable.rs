#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;

#[derive(serde::Serialize)]
struct Wrapped;

async fn wrap(_: StepContext, _: Order) -> Result<Wrapped, TaskError> {
    Ok(Wrapped)
}

async fn unwrap(_: StepContext, _: Wrapped) -> Result<(), TaskError> {
    Ok(())
}
fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    let wrapped = wf.step("wrap", wrap, order);
    wf.step("unwrap", unwrap, wrapped);
}
