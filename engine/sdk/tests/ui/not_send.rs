#[path = "shop/mod.rs"]
mod shop;

#[allow(unused_imports)]
use engine::{Outcome, StepContext, TaskError, TaskExt, Workflow, assemble, pick, task, value};
#[allow(unused_imports)]
use shop::*;

async fn wrap(_: StepContext, order: Order) -> Result<String, TaskError> {
    let shared = std::rc::Rc::new(order.id);
    std::future::ready(()).await;
    Ok(shared.to_string())
}
fn main() {
    let wf = Workflow::builder("w");
    let order = wf.input::<Order>();
    wf.step("wrap", wrap, order);
}
