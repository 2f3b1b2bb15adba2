#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;

#[allow(clippy::too_many_arguments)]
async fn nine(_: StepContext, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8) -> Result<(), TaskError> {
    Ok(())
}
fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    let _ = order;
    let one = value(1);
    wf.step("nine", nine, (one, one, one, one, one, one, one, one, one));
}
