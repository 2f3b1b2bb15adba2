//! What is built.

use engine::{
    Classify, Defaults, DefinitionError, Expect, Http, HttpService, Method, Port, Retry, Scope, Step, TaskExt,
    Workflow, assemble, json_of, pick, task, template, text_of, value,
};
use serde_json::{Value, json};

use crate::shop::{
    Charge, Order, Receipt, Summary, add, charge, check_inventory, confirm, create_record, label, nothing, refund,
    report, search_and_refund, sum, validate_user, wrap,
};

fn file<I, O>(workflow: &Workflow<I, O>) -> Value {
    serde_json::from_str(&workflow.to_json()).unwrap()
}

/// As the guide has it.
fn order_saga() -> Result<Workflow<Order, Receipt>, DefinitionError> {
    let wf = Workflow::builder("order_saga");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, (order,));
    let stock = wf.step("check_inventory", check_inventory, pick!(order.items));
    let charged = wf
        .step("charge", charge, (order, user))
        .after(stock)
        .retry(Retry::exponential(4, "200ms"))
        .compensate(refund, (order,));
    let record = wf.step("create_record", create_record, (order, charged)).pivot();
    wf.step("confirm", confirm, (order, record)).optional();
    wf.finish(record)
}

#[test]
fn a_saga_of_tasks() {
    let saga = order_saga().unwrap();
    let outcome = r#"${ if .forward.effect == "done" then {done: .steps.charge} else "unknown" end }"#;
    let expected = json!({
        "format": "engine/1",
        "name": "order_saga",
        "version": "1.0.0",
        "steps": {
            "validate_user": { "task": { "name": "validate_user@1", "args": ["${ .input }"] } },
            "check_inventory": { "task": { "name": "check_inventory@1", "args": ["${ .input.items }"] } },
            "charge": {
                "after": ["check_inventory"],
                "task": { "name": "charge@1", "args": ["${ .input }", "${ .steps.validate_user }"] },
                "retry": { "max_attempts": 4, "initial": "200ms", "factor": 2 },
                "compensate": { "task": { "name": "charge.undo@1", "args": [outcome, "${ .input }"] } }
            },
            "create_record": {
                "task": { "name": "create_record@1", "args": ["${ .input }", "${ .steps.charge }"] },
                "pivot": true
            },
            "confirm": {
                "task": { "name": "confirm@1", "args": ["${ .input }", "${ .steps.create_record }"] },
                "optional": true
            }
        },
        "output": "${ .steps.create_record }"
    });
    assert_eq!(file(&saga), expected);
    assert_eq!((saga.name(), saga.digest()), ("order_saga", saga.definition().digest().to_string().as_str()));
    assert!(saga.graph().contains("task charge@1"), "{}", saga.graph());
    let tasks: Vec<String> = saga.definition().tasks().iter().map(ToString::to_string).collect();
    let names = ["charge@1", "charge.undo@1", "check_inventory@1", "confirm@1", "create_record@1", "validate_user@1"];
    assert_eq!(tasks, names);
}

/// A part of a workflow that several workflows could share.
fn wrapped<'w>(wf: &'w Scope, id: Port<'w, String>) -> Step<'w, String> {
    wf.step("wrap", wrap, id).retry(Retry::fixed(3, "1s"))
}

#[test]
fn all_that_an_argument_can_be() {
    let wf = Workflow::builder("arguments");
    let order = wf.input::<Order>();
    let first = wf.step("first", add, (value(40), pick!(order.size.0)));
    let second = wf.step("second", task!(add@3), (first, order.field::<u32>("odd name")));
    let third = wf.step("third", task!("plus.plus"@2 = add), (template("${ .input.items | length }"), second));
    let items = order.field::<Vec<u32>>("numbers");
    let fourth = wf.step("fourth", add.version(7), (items.item::<u32>(2), third));
    let all = wf.step("all", sum, vec![first, second, fourth]);
    let two = wf.step("two", sum, [third, fourth]);
    let gift = wrapped(&wf, pick!(order.id)).when(pick!(order.gift));
    let note = wf.step("label", label, (gift, pick!(order.note)));
    let text = wf.step("text", task!(wrap@1), text_of!("{} of {}$", value("${x}"), pick!(order.r#type)));
    let constant = wf.step("constant", task!(wrap@1), value("${ .input }"));
    let computed = wf.value::<u32>("computed", value(7));
    wf.step("nothing", nothing, ()).after((two, note)).after([text, constant]).after(text);
    let workflow: Workflow<Order, (Summary, u32, Option<String>)> =
        wf.finish((assemble!(Summary { order: pick!(order.id), count: all, note: gift }), computed, gift)).unwrap();
    let file = file(&workflow);
    let args = |step: &str| file["steps"][step]["task"]["args"].clone();
    assert_eq!(args("first"), json!([40, "${ .input.size[0] }"]));
    assert_eq!(args("second"), json!(["${ .steps.first }", "${ .input[\"odd name\"] }"]));
    assert_eq!(args("third"), json!(["${ .input.items | length }", "${ .steps.second }"]));
    assert_eq!(args("fourth"), json!(["${ .input.numbers[2] }", "${ .steps.third }"]));
    assert_eq!(args("all"), json!([["${ .steps.first }", "${ .steps.second }", "${ .steps.fourth }"]]));
    assert_eq!(args("two"), json!([["${ .steps.third }", "${ .steps.fourth }"]]));
    assert_eq!(args("label"), json!(["${ .steps.wrap }", "${ .input.note }"]));
    assert_eq!(args("text"), json!(["$${x} of ${ .input.type }$"]));
    assert_eq!(args("constant"), json!(["$${ .input }"]));
    assert_eq!(args("nothing"), Value::Null);
    assert_eq!(file["steps"]["nothing"]["after"], json!(["two", "label", "text", "constant"]));
    assert_eq!(file["steps"]["wrap"]["when"], json!("${ .input.gift }"));
    assert_eq!(file["steps"]["label"]["if_skipped"], json!("run"), "it takes an option of all that it comes after");
    assert_eq!(file["steps"]["computed"], json!({ "value": 7 }));
    let names = ["first", "second", "third", "fourth"].map(|step| file["steps"][step]["task"]["name"].clone());
    assert_eq!(names, ["first@1", "add@3", "plus.plus@2", "fourth@7"].map(Value::from));
    let summary = json!({ "order": "${ .input.id }", "count": "${ .steps.all }", "note": "${ .steps.wrap }" });
    assert_eq!(file["output"], json!([summary, "${ .steps.computed }", "${ .steps.wrap }"]));
}

#[test]
fn all_that_a_request_can_say() {
    let wf = Workflow::builder("requests");
    wf.service(
        "shop",
        HttpService::url("${env:SHOP}").idempotent().timeout("10s").header("X-Api", "1").bearer("${secret:SHOP_TOKEN}"),
    );
    wf.service("mail", HttpService::url("http://localhost:1").basic("us", "${secret:MAIL}"));
    let order = wf.input::<Order>();
    let got = wf.http::<Charge>(
        "got",
        Http::get("shop", text_of!("/orders/{}", pick!(order.id)))
            .query("page", value(1))
            .query("of", pick!(order.gift))
            .header("X-Type", text_of!("a {}", order.field::<String>("type")))
            .classify(404, Classify::success())
            .classify(409, Classify::refused())
            .classify(500, Classify::retry().effect_none())
            .classify(418, Classify::fatal())
            .output(template(json!({ "transaction_id": "${ .output.id }" }))),
    );
    got.expect(Expect::that("${ .output.id != null }").code("NO_ID").message("no id").effect_done());
    got.compensate_http(Http::delete("shop", "/orders/${ .input.id }").query("t", pick!(got.transaction_id)))
        .unknown_http(Http::patch("shop", "/orders").json(json_of!({ "id": pick!(order.id) })))
        .compensation_retry(Retry::intervals(["1s", "1m"]))
        .compensation_timeout("3s");
    wf.http::<()>("put", Http::put("shop", "/x").json(got));
    wf.http::<()>("head", Http::head("shop", "/x")).timeout("1s").on_unknown_stuck();
    let data = json_of!({ "n": value(1), "list": vec![pick!(order.id)], "odd": json_of!({}) });
    wf.http::<Value>("post", Http::url(Method::Post, "https://hooks.example/x").json(data)).description("A hook.");
    let workflow: Workflow<Order, ()> = wf.finish(()).unwrap();
    let file = file(&workflow);
    assert_eq!(
        file["services"],
        json!({
            "shop": {
                "url": "${env:SHOP}",
                "headers": { "X-Api": "1" },
                "auth": { "bearer": "${secret:SHOP_TOKEN}" },
                "timeout": "10s",
                "idempotency": "key"
            },
            "mail": { "url": "http://localhost:1", "auth": { "basic": { "user": "us", "password": "${secret:MAIL}" } } }
        })
    );
    assert_eq!(
        file["steps"]["got"],
        json!({
            "http": {
                "service": "shop",
                "get": "/orders/${ .input.id }",
                "query": { "page": 1, "of": "${ .input.gift }" },
                "headers": { "X-Type": "a ${ .input.type }" },
                "classify": {
                    "404": "success",
                    "409": { "retry": false, "effect": "none" },
                    "500": { "retry": true, "effect": "none" },
                    "418": { "retry": false, "effect": "unknown" }
                }
            },
            "expect": { "that": "${ .output.id != null }", "code": "NO_ID", "message": "no id", "effect": "done" },
            "output": { "transaction_id": "${ .output.id }" },
            "compensate": {
                "http": {
                    "service": "shop",
                    "delete": "/orders/${ .input.id }",
                    "query": { "t": "${ .steps.got.transaction_id }" }
                },
                "retry": { "intervals": ["1s", "1m"] },
                "timeout": "3s",
                "unknown": { "http": { "service": "shop", "patch": "/orders", "body": { "id": "${ .input.id }" } } }
            }
        })
    );
    assert_eq!(
        file["steps"]["post"],
        json!({
            "description": "A hook.",
            "http": {
                "post": "https://hooks.example/x",
                "body": { "n": 1, "list": ["${ .input.id }"], "odd": {} }
            }
        })
    );
    assert_eq!(file["output"], Value::Null);
}

#[test]
fn what_is_said_of_the_whole() {
    let wf = Workflow::builder("whole");
    wf.version("2.1.0").description("All of it.").label("team", "shop").timeout("7d").example(&3).keep("plus@1", add);
    wf.schema(json!({ "type": "integer" }));
    wf.defaults(Defaults::new().timeout("5s").retry(Retry::attempts(3)).compensation_retry(Retry::never()));
    wf.needs::<String>().needs::<String>();
    let number = wf.input::<u32>();
    let optional = wf.step("optional", add, (number, number)).optional();
    wf.step("after", nothing, ()).after(optional);
    wf.step("beside", task!(nothing@2), ()).after((optional, wf.step("sure", task!(nothing@2), ())));
    wf.step("failing", task!(nothing@2), ())
        .when(template("${ .input > 3 }"))
        .otherwise_fail("TOO_SMALL", text_of!("{} is too small", number))
        .if_skipped_run();
    wf.step("never", task!(nothing@2), ()).when(value(false));
    let workflow: Workflow<u32, Option<u32>> = wf.finish(optional).unwrap();
    let mut file = file(&workflow);
    let steps = file["steps"].take();
    let expected = json!({
        "format": "engine/1",
        "name": "whole",
        "version": "2.1.0",
        "description": "All of it.",
        "labels": { "team": "shop" },
        "input": { "schema": { "type": "integer" }, "example": 3 },
        "defaults": { "timeout": "5s", "retry": { "max_attempts": 3 }, "compensation_retry": { "max_attempts": 1 } },
        "steps": null,
        "output": "${ .steps.optional }",
        "timeout": "7d"
    });
    assert_eq!(file, expected);
    assert_eq!(steps["after"]["if_skipped"], json!("run"));
    assert_eq!(steps["beside"]["if_skipped"], Value::Null, "`sure` is never skipped");
    assert_eq!(steps["failing"]["otherwise"], json!({ "fail": "TOO_SMALL", "message": "${ .input } is too small" }));
    assert_eq!(steps["never"]["when"], json!("${ false }"));
}

#[test]
fn steps_after_a_failure_take_options() {
    let wf = Workflow::builder("failing");
    let order = wf.input::<Order>();
    let user = wf.step("validate_user", validate_user, order);
    let charged = wf
        .step("charge", charge, (order, user))
        .compensate(refund, order)
        .unknown(search_and_refund, pick!(order.id))
        .compensation_timeout("1s");
    wf.on_failure(|f, failure| {
        let told = f.step("report", report, (failure, charged));
        f.step("mark", task!(wrap@1), pick!(failure.message)).after(told);
    });
    let file = file(&wf.finish(charged).unwrap());
    let expected = json!({
        "report": { "task": { "name": "report@1", "args": ["${ .error }", "${ .steps.charge }"] } },
        "mark": { "after": ["report"], "task": { "name": "wrap@1", "args": ["${ .error.message }"] } }
    });
    assert_eq!(file["on_failure"], expected);
    let unknown = json!({ "task": { "name": "charge.unknown@1", "args": ["${ .input.id }"] } });
    assert_eq!(file["steps"]["charge"]["compensate"]["unknown"], unknown);
    assert_eq!(file["steps"]["charge"]["compensate"]["timeout"], json!("1s"));
}
