//! The order saga of the workflow file, built in Rust.

use engine::{
    Defaults, DefinitionError, Expect, Http, HttpService, Retry, Workflow, json_of, pick, template, text_of, value,
};
use engine_core::definition::Definition;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const FILE: &str = include_str!("../../../../workflows/order_saga.json");

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the file calls them so")]
struct Order {
    order_id: String,
    user_id: String,
    items: Vec<Item>,
    total_amount: String,
    payment_method: String,
    shipping_address: Option<Value>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    id: String,
    quantity: u32,
    price: String,
}

#[derive(Deserialize)]
struct Charge {
    transaction_id: String,
}

#[derive(Deserialize)]
struct Record {
    record_id: String,
}

fn example() -> Order {
    let item = Item { id: "product_1".into(), quantity: 2, price: "99.99".into() };
    Order {
        order_id: "order-1001".into(),
        user_id: "test_user_123".into(),
        items: vec![item],
        total_amount: "199.98".into(),
        payment_method: "credit_card".into(),
        shipping_address: Some(serde_json::json!({ "city": "Shanghai", "country": "CN" })),
    }
}

/// What stands at this pointer of the file.
fn of_file(pointer: &str) -> Value {
    serde_json::from_str::<Value>(FILE).unwrap().pointer(pointer).unwrap().clone()
}

fn heading(wf: &engine::Builder<Order>) {
    wf.description(of_file("/description").as_str().unwrap()).label("team", "shop");
    wf.schema(of_file("/input/schema")).example(&example());
    wf.service("user", HttpService::url("http://127.0.0.1:8001"));
    wf.service("order", HttpService::url("http://127.0.0.1:8002").idempotent());
    wf.service("payment", HttpService::url("http://127.0.0.1:8003").idempotent());
    wf.service("notification", HttpService::url("http://127.0.0.1:8004"));
    wf.service("inventory", HttpService::url("http://127.0.0.1:8005").idempotent());
    wf.service("analytics", HttpService::url("http://127.0.0.1:8006"));
    let retry = Retry::exponential(4, "200ms").max_interval("10s").jitter().max_elapsed("2m");
    wf.defaults(Defaults::new().timeout("10s").retry(retry));
}

fn order_saga() -> Result<Workflow<Order, Value>, DefinitionError> {
    let wf = Workflow::builder("order_saga");
    heading(&wf);
    let order = wf.input::<Order>();
    let (order_id, user_id, items) = (pick!(order.order_id), pick!(order.user_id), pick!(order.items));
    let (amount, method) = (pick!(order.total_amount), pick!(order.payment_method));

    let address = json_of!({ "shipping_address": pick!(order.shipping_address) });
    let user =
        wf.http::<Value>("validate_user", Http::post("user", text_of!("/users/{}/validate", user_id)).json(address));
    user.expect(Expect::that("${ .output.valid }").code("USER_INVALID").effect_none());
    let stock =
        wf.http::<Value>("check_inventory", Http::post("inventory", "/check").json(json_of!({ "items": items })));
    let missing = "unavailable: ${ .output.unavailable_items | join(\", \") }";
    stock.expect(Expect::that("${ .output.all_available }").code("OUT_OF_STOCK").message(missing).effect_none());
    let payment = Http::post("payment", "/validate").json(json_of!({ "method": method, "amount": amount }));
    let payment = wf.http::<Value>("validate_payment", payment);
    payment.expect(Expect::that("${ .output.valid }").code("PAYMENT_METHOD_REFUSED").effect_none());

    let body = json_of!({ "order_id": order_id, "amount": amount, "method": method, "user_id": user_id });
    let charged = wf.http::<Charge>("charge", Http::post("payment", "/process").json(body));
    let transaction = pick!(charged.transaction_id);
    let refund = json_of!({ "order_id": order_id, "transaction_id": transaction });
    charged.after((user, stock, payment)).compensate_http(Http::post("payment", "/refund").json(refund));
    let body = json_of!({ "order_id": order_id, "items": items });
    let reserved = wf.http::<()>("update_inventory", Http::post("inventory", "/update").json(body)).after(charged);
    reserved.compensate_http(Http::post("inventory", "/release").json(json_of!({ "order_id": order_id })));
    let body = json_of!({ "order_data": order, "transaction_id": transaction });
    let record = wf.http::<Record>("create_record", Http::post("order", "/create").json(body)).after(reserved).pivot();
    record.description("From here on the order stands: it is carried through, never undone.");

    let data = json_of!({ "order_id": order_id });
    let body = json_of!({ "user_id": user_id, "type": value("order_confirmation"), "data": data });
    wf.http::<()>("confirm", Http::post("notification", "/send").json(body)).after(record).optional();
    let data = json_of!({ "order_id": order_id, "items_count": template("${ .input.items | length }") });
    let body = json_of!({ "event_type": value("order_completed"), "data": data });
    wf.http::<()>("analytics", Http::post("analytics", "/track").json(body)).after(record).optional();

    wf.on_failure(|f, failure| {
        let message = pick!(failure.message);
        let path = text_of!("/orders/{}/mark_failed", order_id);
        f.http::<()>("mark_failed", Http::post("order", path).json(json_of!({ "error_message": message })));
        let data = json_of!({ "order_id": order_id, "error": message });
        let body = json_of!({ "type": value("order_error"), "data": data });
        f.http::<()>("notify_error", Http::post("notification", "/send").json(body));
    });
    wf.finish(json_of!({
        "order_id": order_id,
        "status": value("completed"),
        "transaction_id": transaction,
        "record_id": pick!(record.record_id),
    }))
}

#[test]
fn it_is_the_same_as_the_file() {
    let built = order_saga().unwrap();
    let file = Definition::from_json(FILE).unwrap();
    let canonical: Value = serde_json::from_slice(file.source()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&built.to_json()).unwrap(), canonical);
    assert_eq!(built.digest(), file.digest().to_string(), "and so its digest is the same");
    assert_eq!(built.graph(), file.to_mermaid(None));
}

#[test]
fn its_example_is_an_input() {
    let built = order_saga().unwrap();
    let example = serde_json::to_value(example()).unwrap();
    assert!(built.definition().check_input(&example).is_ok());
}
