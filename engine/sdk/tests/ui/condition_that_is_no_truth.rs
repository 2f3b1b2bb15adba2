#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;


fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    wf.step("user", validate_user, order).when(pick!(order.id));
}
