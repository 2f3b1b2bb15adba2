//! What is said of workflows that can't be built.

use engine::{
    Defaults, DefinitionError, Expect, Http, HttpService, Retry, Workflow, assemble, json_of, pick, task, text_of,
    value,
};
use serde::{Serialize, Serializer};

use crate::shop::{
    Charge, Order, Receipt, add, charge, check_inventory, create_record, nothing, search_and_refund, validate_user,
    wrap,
};

/// The messages, each with the line that it names, seen from the first line of them.
#[track_caller]
fn problems<I, O>(built: Result<Workflow<I, O>, DefinitionError>) -> Vec<(u32, String)> {
    let error = built.expect_err("something is wrong");
    assert_eq!(error.more, 0);
    assert!(error.problems.iter().all(|problem| problem.at.file().ends_with("problems.rs")), "{error}");
    let first = error.problems.first().unwrap().at.line();
    error.problems.into_iter().map(|problem| (problem.at.line() - first, problem.message)).collect()
}

/// The only message.
#[track_caller]
fn problem<I, O>(built: Result<Workflow<I, O>, DefinitionError>) -> String {
    let problems = problems(built);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap().1
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

#[test]
fn everything_is_listed_at_once_with_its_line() {
    let wf = Workflow::builder("all_wrong");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, order).timeout("10 s");
    wf.step("validate_user", task!(check_inventory@1), pick!(order.items));
    wf.step("Charge", task!(charge@1), (order, user)).retry(Retry::attempts(0));
    wf.service("shop", HttpService::url("no url"));
    let built: Result<Workflow<_, ()>, _> = wf.finish(());
    let text = format!("{:?}", built.as_ref().unwrap_err());
    assert!(
        text.starts_with("the workflow `all_wrong` can't be built:\n  engine/sdk/tests/builder/problems.rs:"),
        "{text}"
    );
    let found = problems(built);
    let lines: Vec<u32> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [0, 1, 2, 2, 3], "{text}");
    let starts = [
        "/steps/validate_user/timeout: ",
        "the step name `validate_user` is taken: it was first used at engine/sdk/tests/builder/problems.rs:",
        "/steps/Charge: `Charge` is not a name: use a lower-case letter",
        "/steps/Charge/retry/max_attempts: attempts are counted from 1 to 100000",
        "/services/shop/url: `no url` is no base URL",
    ];
    for ((_, message), start) in found.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn one_name_is_one_function() {
    let wf = Workflow::builder("names");
    let number = wf.input::<u32>();
    wf.step("first", task!(add@1), (number, number));
    wf.step("second", task!("add"@1 = nothing), ());
    assert_eq!(
        problem(wf.finish(())),
        "two functions under the task name `add@1`: `builder::shop::add` and `builder::shop::nothing`; give one of \
         them a name or a version of its own, as `task!(name@2)`"
    );
    let wf = Workflow::builder::<()>("names");
    wf.step("first", task!("No Name"@1 = nothing), ());
    wf.keep("nothing", nothing);
    let found = problems(wf.finish(()));
    assert!(found[0].1.starts_with("`No Name@1` names no task"), "{found:?}");
    assert!(found[1].1.starts_with("`nothing` names no task"), "{found:?}");
}

#[test]
fn ports_stay_in_their_workflow() {
    let other = Workflow::builder::<u32>("other");
    let number = other.input::<u32>();
    let step = other.step("step", nothing, ());
    let wf = Workflow::builder::<()>("own");
    wf.step("plus", add, (number, value(1))).after(step);
    let found = problems(wf.finish(number));
    let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
    let uses = |user: &str| {
        format!("{user} uses a port of another workflow: what that gives comes into this one by its input")
    };
    assert_eq!(messages, [uses("`plus`"), uses("`plus`"), uses("the workflow's output")]);
}

#[test]
fn what_may_be_missing_is_no_sure_value() {
    let wf = Workflow::builder("late");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, order);
    let charged = wf.step("charge", charge, (order, user));
    user.optional();
    assert_eq!(
        problem(wf.finish(charged)),
        "`charge` takes what `validate_user` gives, which may be nothing, as `validate_user` is optional or has a \
         condition: use the handle that `.optional()` or `.when(..)` has returned, and take an `Option<_>`"
    );
    let wf = Workflow::builder("late_output");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, order);
    user.when(pick!(order.gift));
    assert!(problem(wf.finish(user)).starts_with("the workflow's output takes what `validate_user` gives"));
}

#[test]
fn after_a_failure_no_step_is_sure() {
    let wf = Workflow::builder("failing");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, order);
    wf.on_failure(|f, _| {
        f.step("charge", charge, (order, user));
    });
    assert_eq!(
        problem(wf.finish(user)),
        "`charge` follows a failure, and then `validate_user` need not have been carried out: take an `Option<_>`"
    );
}

#[test]
fn a_compensation_learns_the_outcome_only_so() {
    let wf = Workflow::builder("undone");
    let order = wf.input::<Order>();
    let id = wf.step("id", wrap, pick!(order.id));
    id.compensate(undo_wrap, id);
    assert_eq!(
        problem(wf.finish(id)),
        "the compensation of `id` is told what `id` gave by its `Outcome`; taken as an argument it may have no value"
    );
}

async fn undo_wrap(_: engine::StepContext, _: engine::Outcome<String>, _: String) -> Result<(), engine::TaskError> {
    Ok(())
}

#[test]
fn a_compensation_reads_only_what_came_before() {
    let wf = Workflow::builder("undone");
    let order = wf.input::<Order>();
    let other = wf.step("other", wrap, pick!(order.id));
    let id = wf.step("id", task!(wrap@1), pick!(order.id)).compensate(undo_wrap, other);
    let message = problem(wf.finish(id));
    assert!(message.contains("but `other` need not have run before `id`"), "{message}");
}

#[test]
fn what_surrounds_a_compensation_needs_one() {
    let wf = Workflow::builder("undone");
    let order = wf.input::<Order>();
    let id = wf.step("id", wrap, pick!(order.id)).unknown(search_and_refund, pick!(order.id));
    assert_eq!(problem(wf.finish(id)), "`id` has no compensation: say `.compensate(..)` too");
    let wf = Workflow::builder::<()>("undone");
    wf.service("shop", HttpService::url("http://localhost"));
    let call = Http::post("shop", "/x").output(engine::template("response"));
    wf.http::<()>("step", Http::post("shop", "/x")).compensate_http(call);
    assert_eq!(problem(wf.finish(())), "nobody takes what a compensation gives: leave out `.output(..)`");
}

#[test]
fn steps_do_not_wait_for_each_other() {
    let wf = Workflow::builder::<()>("circle");
    let first = wf.step("first", nothing, ());
    let second = wf.step("second", task!(nothing@2), ()).after(first);
    first.after(second);
    let message = problem(wf.finish(()));
    assert!(message.contains("these steps wait for each other: first → second → first"), "{message}");
    let wf = Workflow::builder("beside");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, order);
    wf.step("beside", nothing, ());
    let charged = wf.step("charge", charge, (order, user));
    let record = wf.step("create_record", create_record, (order, charged)).pivot();
    let message = problem(wf.finish(record));
    assert!(message.starts_with("/steps/create_record/pivot: the pivot stands beside a branch"), "{message}");
}

#[test]
fn fields_have_the_names_that_json_has() {
    let wf = Workflow::builder("fields");
    let receipt = wf.input::<Receipt>();
    wf.step("first", wrap, pick!(receipt.order_id));
    let made = assemble!(Receipt { order_id: receipt.field::<String>("orderId") });
    let found = problems(wf.finish(made));
    let expected = "in JSON `builder::shop::Receipt` has no field `order_id`: it has `orderId`; reach a renamed one by \
                    `.field::<T>(\"…\")`";
    assert_eq!(found, [(0, expected.to_owned()), (2, expected.to_owned())]);
}

#[test]
fn a_problem_stays() {
    let wf = Workflow::builder::<()>("again");
    wf.step("first", nothing, ());
    wf.step("first", nothing, ());
    assert_eq!(problem(wf.finish(())), problem(wf.finish(())));
}

#[test]
fn values_can_be_written() {
    let wf = Workflow::builder::<Charge>("values");
    let charge = wf.input::<Charge>();
    wf.step("constant", wrap, text_of!("{} and {}", value(1)));
    wf.step("list", task!(wrap@1), text_of!("{}", value([1])));
    wf.service("shop", HttpService::url("http://localhost"));
    wf.http::<()>("body", Http::post("shop", "/x").json(json_of!({ "a": value(Unwritable), "b": charge })));
    wf.http::<()>("twice", Http::get("shop", "/x").query("a", value(1)).query("a", value(2)));
    wf.service("shop", HttpService::url("http://localhost"));
    let found: Vec<String> = problems(wf.finish(())).into_iter().map(|(_, message)| message).collect();
    assert_eq!(
        found,
        [
            "the text \"{} and {}\" has 2 places `{}` for 1 values",
            "only a text, a number or a truth value can stand in a text",
            "this constant can't be written as JSON: no",
            "`a` is said twice in one request",
            "the service `shop` is said twice",
        ]
    );
}

#[test]
fn what_a_file_may_not_say_is_found_where_it_was_said() {
    let wf = Workflow::builder::<u32>("file");
    let number = wf.input::<u32>();
    wf.timeout("soon");
    wf.defaults(Defaults::new().timeout("0s"));
    wf.value::<u32>("computed", number).expect(Expect::that("${ .output }"));
    wf.http::<()>("got", Http::get("nowhere", "/"));
    wf.http::<()>("sent", Http::url(engine::Method::Post, "/path"));
    wf.on_failure(|f, _| {
        f.step("told", nothing, ()).pivot();
    });
    let found = problems(wf.finish(engine::template("${ .steps.computd }")));
    let starts = [
        (0, "/timeout: "),
        (1, "/defaults/timeout: "),
        (2, "/steps/computed/expect: `expect` can't stand here"),
        (3, "/steps/got/http/service: there is no service `nowhere`"),
        (4, "/steps/sent/http/post: a path needs a `service`"),
        (6, "/on_failure/told/pivot: `pivot` can't stand here"),
        (8, "/output: there is no step `computd`: did you mean `computed`?"),
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for ((line, message), (expected, start)) in found.iter().zip(starts) {
        assert!(*line == expected && message.starts_with(start), "{line}: {message}");
    }
}

#[test]
fn a_workflow_has_steps_and_a_name() {
    let message = problem(Workflow::builder::<()>("empty").finish(()));
    assert!(message.contains("a workflow has at least one step"), "{message}");
}
