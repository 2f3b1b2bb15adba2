#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;

async fn wrap(_: Order) -> Result<String, TaskError> {
    Ok(String::new())
}
fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    wf.step("wrap", wrap, order);
}
