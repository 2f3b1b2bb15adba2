#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;

struct Wrapped;

async fn wrap(_: StepContext, _: Order) -> Result<Wrapped, TaskError> {
    Ok(Wrapped)
}
fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    wf.step("wrap", wrap, order);
}
