#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;


fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    let prefix = String::from("wrapped ");
    let wrap = move |_: StepContext, order: Order| {
        let prefix = prefix.clone();
        async move { Ok::<_, TaskError>(prefix + &order.id) }
    };
    wf.step("wrap", wrap, order);
}
