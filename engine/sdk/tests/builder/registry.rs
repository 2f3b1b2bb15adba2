//! What a program registers.

use engine::{RegisterError, Registry, Workflow, task, value};

use crate::shop::{add, nothing, sum, wrap};

fn adding(name: &str, constant: u32) -> Workflow<u32, u32> {
    let wf = Workflow::builder(name);
    let number = wf.input::<u32>();
    let added = wf.step("plus", add, (number, value(constant)));
    wf.finish(added).unwrap()
}

#[test]
fn the_same_again_changes_nothing() {
    let mut registry = Registry::new();
    registry.register(&adding("one", 1)).unwrap().register(&adding("two", 2)).unwrap();
    registry.register(&adding("one", 1)).unwrap().task("plus@1", add).unwrap().task("plus@2", sum).unwrap();
}

#[test]
fn a_task_is_one_function() {
    let mut registry = Registry::new();
    registry.task("plus@1", nothing).unwrap();
    let error = registry.register(&adding("one", 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two functions under the task name `plus@1`: `builder::shop::nothing` and `builder::shop::add`; give one of \
         them a name or a version of its own, as `task!(name@2)`"
    );
    let other = registry.task("plus@1", task!(wrap@3)).unwrap_err();
    assert!(matches!(other, RegisterError::TaskTwice { second: "builder::shop::wrap", .. }), "{other}");
    let wf = Workflow::builder::<()>("one");
    wf.step("first", nothing, ());
    registry.register(&wf.finish(()).unwrap()).expect("the name is free, as nothing was registered");
}

#[test]
fn a_name_is_one_workflow() {
    let (first, second) = (adding("one", 1), adding("one", 2));
    let mut registry = Registry::new();
    let error = registry.register(&first).unwrap().register(&second).unwrap_err();
    let expected = format!(
        "two workflows under the name `one`, with the digests {} and {}: give one of them another name",
        first.digest(),
        second.digest()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_task_has_a_name_and_a_version() {
    let error = Registry::new().task("plus", add).unwrap_err();
    assert!(error.to_string().starts_with("`plus` names no task"), "{error}");
}
