//! The order saga: the same as `order_saga.json`, as Rust.
//!
//! Checks an order, charges it, takes its items, records it, and tells the customer. What was done is undone where a
//! later step fails; once the order is recorded, it is carried through.

use engine::{
    Defaults, DefinitionError, Failure, Outcome, Retry, StepContext, TaskError, Workflow, assemble, pick, value,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// What a customer wants.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub order_id: String,
    /// Who ordered.
    pub user_id: String,
    /// What was ordered.
    pub items: Vec<Item>,
    /// What it costs: money is a string, never a float.
    pub total_amount: String,
    /// How it is paid.
    pub payment_method: String,
    /// Where it goes.
    #[serde(default)]
    pub shipping_address: Value,
}

/// One line of an order.
#[derive(Clone, Serialize, Deserialize)]
pub struct Item {
    /// The product.
    pub id: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: String,
}

/// A payment that was taken.
#[derive(Clone, Serialize, Deserialize)]
pub struct Charge {
    /// Its number at the payment service.
    pub transaction_id: String,
}

/// An order that stands.
#[derive(Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its number at the order service.
    pub record_id: String,
}

/// What the customer gets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The order.
    pub order_id: String,
    /// How it ended.
    pub status: String,
    /// The payment.
    pub transaction_id: String,
    /// The order at the order service.
    pub record_id: String,
}

/// The workflow.
///
/// # Errors
/// Where it can't be built: what is wrong, with file and line.
pub fn workflow() -> Result<Workflow<Order, Receipt>, DefinitionError> {
    let wf = Workflow::builder("order_saga_rs");
    wf.description("The order saga as Rust: checks an order, charges it, takes its items, records it")
        .label("team", "shop");
    super::services(&wf, &["user", "order", "payment", "notification", "inventory", "analytics"]);
    wf.defaults(Defaults::new().timeout("10s").retry(Retry::exponential(4, "200ms").max_elapsed("2m")));
    wf.example(&example());
    let order = wf.input::<Order>();

    let user = wf.step("validate_user", validate_user, order);
    let stock = wf.step("check_inventory", check_inventory, order);
    let payment = wf.step("validate_payment", validate_payment, order);
    let charged = wf.step("charge", charge, order).after((user, stock, payment)).compensate(refund, order);
    let taken = wf.step("update_inventory", take_items, order).after(charged).compensate(release_items, order);
    let record = wf.step("create_record", create_record, (order, charged)).after(taken).pivot();
    wf.step("confirm", confirm, order).after(record).optional();
    wf.step("analytics", track, order).after(record).optional();
    wf.on_failure(|f, failure| {
        f.step("mark_failed", mark_failed, (order, failure));
        f.step("notify_error", notify_error, (order, failure));
    });
    wf.finish(assemble!(Receipt {
        order_id: pick!(order.order_id),
        status: value("completed"),
        transaction_id: pick!(charged.transaction_id),
        record_id: pick!(record.record_id),
    }))
}

/// An order to try it with.
pub fn example() -> Order {
    let item = Item { id: "product_1".into(), quantity: 2, price: "99.99".into() };
    Order {
        order_id: "order-1001".into(),
        user_id: "test_user_123".into(),
        items: vec![item],
        total_amount: "199.98".into(),
        payment_method: "credit_card".into(),
        shipping_address: json!({ "city": "Shanghai", "country": "CN" }),
    }
}

async fn validate_user(cx: StepContext, order: Order) -> Result<(), TaskError> {
    let path = format!("/users/{}/validate", order.user_id);
    let body = json!({ "shipping_address": order.shipping_address });
    let answer: Value = cx.service("user").post(path).json(&body).send().await?;
    holds(&answer, "valid", "USER_INVALID")
}

async fn check_inventory(cx: StepContext, order: Order) -> Result<(), TaskError> {
    let answer: Value = cx.service("inventory").post("/check").json(&json!({ "items": order.items })).send().await?;
    holds(&answer, "all_available", "OUT_OF_STOCK")
}

async fn validate_payment(cx: StepContext, order: Order) -> Result<(), TaskError> {
    let body = json!({ "method": order.payment_method, "amount": order.total_amount });
    let answer: Value = cx.service("payment").post("/validate").json(&body).send().await?;
    holds(&answer, "valid", "PAYMENT_METHOD_REFUSED")
}

/// Refuses an answer that does not say yes. To ask changed nothing.
fn holds(answer: &Value, field: &str, code: &'static str) -> Result<(), TaskError> {
    if answer.get(field) == Some(&Value::Bool(true)) {
        return Ok(());
    }
    Err(TaskError::refused(code).message(format!("the service says: {answer}")))
}

async fn charge(cx: StepContext, order: Order) -> Result<Charge, TaskError> {
    let Order { order_id, total_amount, payment_method, user_id, .. } = order;
    let body = json!({ "order_id": order_id, "amount": total_amount, "method": payment_method, "user_id": user_id });
    cx.service("payment").post("/process").json(&body).send().await
}

/// Where nobody knows whether the order was charged there is no transaction id, and the service refunds what it finds.
async fn refund(cx: StepContext, done: Outcome<Charge>, order: Order) -> Result<(), TaskError> {
    let transaction_id = done.done().map(|charge| charge.transaction_id);
    let body = json!({ "order_id": order.order_id, "transaction_id": transaction_id });
    cx.service("payment").post("/refund").json(&body).send().await
}

async fn take_items(cx: StepContext, order: Order) -> Result<(), TaskError> {
    let body = json!({ "order_id": order.order_id, "items": order.items });
    cx.service("inventory").post("/update").json(&body).send().await
}

async fn release_items(cx: StepContext, _: Outcome<()>, order: Order) -> Result<(), TaskError> {
    cx.service("inventory").post("/release").json(&json!({ "order_id": order.order_id })).send().await
}

async fn create_record(cx: StepContext, order: Order, charged: Charge) -> Result<Record, TaskError> {
    let body = json!({ "order_data": order, "transaction_id": charged.transaction_id });
    cx.service("order").post("/create").json(&body).send().await
}

async fn confirm(cx: StepContext, order: Order) -> Result<(), TaskError> {
    let data = json!({ "order_id": order.order_id });
    let body = json!({ "user_id": order.user_id, "type": "order_confirmation", "data": data });
    cx.service("notification").post("/send").json(&body).send().await
}

async fn track(cx: StepContext, order: Order) -> Result<(), TaskError> {
    let data = json!({ "order_id": order.order_id, "items_count": order.items.len() });
    let body = json!({ "event_type": "order_completed", "data": data });
    cx.service("analytics").post("/track").json(&body).send().await
}

async fn mark_failed(cx: StepContext, order: Order, failure: Failure) -> Result<(), TaskError> {
    let path = format!("/orders/{}/mark_failed", order.order_id);
    cx.service("order").post(path).json(&json!({ "error_message": failure.message })).send().await
}

async fn notify_error(cx: StepContext, order: Order, failure: Failure) -> Result<(), TaskError> {
    let data = json!({ "order_id": order.order_id, "error": failure.message });
    cx.service("notification").post("/send").json(&json!({ "type": "order_error", "data": data })).send().await
}
