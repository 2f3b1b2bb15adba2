//! What the builder writes, carried out: expressions give what the types say.

use engine::testing::TestEngine;
use engine::{
    Failure, Http, HttpService, Method, Outcome, Retry, RunError, StepContext, TaskError, Workflow, assemble, json_of,
    pick, task, text_of, value,
};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::shop::{Item, Order, Result, Summary, add, label, sum, wrap};

fn order(gift: bool) -> Order {
    let item = |id: &str| Item { id: id.into(), quantity: 2 };
    Order {
        id: "o-1".into(),
        items: vec![item("a"), item("b")],
        gift,
        note: None,
        size: (3, 4),
        r#type: "a ${type}".into(),
    }
}

async fn echo(_: StepContext, text: String) -> Result<String> {
    Ok(text)
}

async fn shown(_: StepContext, wrapped: Option<String>, note: Option<String>) -> Result<String> {
    Ok(format!("{wrapped:?} {note:?}"))
}

#[engine::test]
async fn arguments_arrive_as_they_were_given(t: TestEngine) {
    let wf = Workflow::builder("arguments");
    let input = wf.input::<Order>();
    let size = wf.step("size", add, (pick!(input.size.0), pick!(input.size.1)));
    let more = wf.step("more", task!(add@1), (size, value(35)));
    let second = input.field::<Vec<Item>>("items").item::<Item>(1);
    let quantities = [pick!(second.quantity), more.port(), size.port()];
    let total = wf.step("total", sum, quantities);
    let wrapped = wf.step("wrap", wrap, pick!(input.id)).when(pick!(input.gift));
    let skipped = wf.step("shown", shown, (wrapped, pick!(input.note)));
    let text = wf.step("text", echo, text_of!("{}: ${} {}$", pick!(input.r#type), total, value("${ .input }")));
    let constant = wf.step("constant", task!(echo@1), value("$${ .input }"));
    let summary = assemble!(Summary { order: text, count: total, note: wrapped });
    let workflow = wf.finish((summary, skipped, constant)).unwrap();
    for gift in [false, true] {
        let run = t.start(&workflow, order(gift)).await.unwrap();
        let (summary, skipped, constant) = run.result().await.unwrap();
        let wrapped = gift.then(String::new);
        assert_eq!((summary.count, summary.order.as_str()), (51, "a ${type}: $51 ${ .input }$"));
        assert_eq!((summary.note, skipped), (wrapped.clone(), format!("{wrapped:?} None")));
        assert_eq!(constant, "$${ .input }");
    }
}

async fn reserve(_: StepContext, id: String) -> Result<String> {
    Ok(format!("reserved {id}"))
}

async fn release(cx: StepContext, done: Outcome<String>, id: String) -> Result<()> {
    cx.service("depot").post("/release").json(&json!([done, id])).send().await
}

async fn search(cx: StepContext, id: String) -> Result<()> {
    cx.service("depot").post("/search").json(&id).send().await
}

async fn refused(_: StepContext, _: String) -> Result<String> {
    Err(TaskError::refused("NO"))
}

async fn told(cx: StepContext, failure: Failure, reserved: Option<String>) -> Result<()> {
    let text = format!("{} in {:?} after {reserved:?}", failure.code, failure.step);
    cx.service("depot").post("/told").json(&text).send().await
}

/// Reserves by a task, books by a request, and fails.
fn undone() -> Workflow<Order, String> {
    let wf = Workflow::builder("undone");
    wf.service("depot", HttpService::url("http://depot").idempotent());
    let input = wf.input::<Order>();
    let reserved = wf.step("reserve", reserve, pick!(input.id)).retry(Retry::fixed(2, "1s"));
    reserved.compensate(release, pick!(input.id)).unknown(search, pick!(input.id));
    let booked = wf.http::<Item>("book", Http::post("depot", "/book").json(json_of!({ "for": reserved })));
    let place = text_of!("/bookings/{}", pick!(booked.id));
    booked.compensate_http(Http::delete("depot", place));
    let failed = wf.step("fail", refused, pick!(booked.id));
    wf.on_failure(|f, failure| {
        f.step("told", told, (failure, reserved));
    });
    wf.finish(failed).unwrap()
}

fn answering(t: &TestEngine) {
    let depot = t.service("depot");
    depot.on_post("/book").reply(json!({ "id": "b/1", "quantity": 1 }));
    depot.on_delete("/bookings/b%2F1").reply(());
    for path in ["/release", "/search", "/told"] {
        depot.on_post(path).reply(());
    }
}

#[engine::test]
async fn what_was_done_is_undone_with_what_it_gave(t: TestEngine) {
    answering(&t);
    let run = t.start(&undone(), order(false)).await.unwrap();
    let error = run.result().await.unwrap_err();
    assert!(matches!(error, RunError::Compensated { .. }), "{error}");
    let calls: Vec<_> = t.calls().into_iter().map(|call| (call.what, call.body)).collect();
    let expected = [
        ("POST /book", json!({ "for": "reserved o-1" })),
        ("DELETE /bookings/b%2F1", json!(null)),
        ("POST /release", json!([{ "done": "reserved o-1" }, "o-1"])),
        ("POST /told", json!("NO in Some(\"fail\") after Some(\"reserved o-1\")")),
    ];
    assert_eq!(calls, expected.map(|(what, body)| (format!("depot {what}"), body)));
}

#[engine::test]
async fn what_is_unknown_is_searched_for(t: TestEngine) {
    answering(&t);
    t.fail("reserve").unknown().always();
    let run = t.start(&undone(), order(false)).await.unwrap();
    run.result().await.unwrap_err();
    let calls: Vec<String> = t.calls().into_iter().map(|call| call.what).collect();
    assert_eq!(calls, ["depot POST /search", "depot POST /told"]);
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

async fn unwritable(_: StepContext) -> Result<Unwritable> {
    Ok(Unwritable)
}

#[engine::test]
async fn an_output_that_is_no_json_fails_at_once(t: TestEngine) {
    let wf = Workflow::builder::<()>("unwritable");
    wf.step("unwritable", unwritable, ());
    let run = t.start(&wf.finish(()).unwrap(), ()).await.unwrap();
    let RunError::Failed { failure: Some(failure), .. } = run.result().await.unwrap_err() else { panic!() };
    assert_eq!(failure.code, "OUTPUT_NOT_SERIALISABLE");
    assert_eq!(t.attempts().len(), 1);
}

#[engine::test]
async fn a_field_of_another_type_leaves_the_run_stuck(t: TestEngine) {
    let wf = Workflow::builder("typed");
    let input = wf.input::<Order>();
    let both = wf.step("label", label, (input.field::<String>("id"), input.field::<String>("gift")));
    let run = t.start(&wf.finish(both).unwrap(), order(true)).await.unwrap();
    let RunError::Stuck { reasons, .. } = run.result().await.unwrap_err() else { panic!() };
    assert!(reasons[0].contains("argument 2 (`core::option::Option<alloc::string::String>`)"), "{reasons:?}");
}

#[test]
fn a_builder_may_cross_threads() {
    fn is_send<T: Send + Sync>(_: &T) {}
    let wf = Workflow::builder("threads");
    is_send(&wf);
    is_send(&wf.input::<Order>());
    is_send(&Http::url(Method::Get, "http://x"));
}
