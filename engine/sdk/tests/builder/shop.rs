//! Types and tasks that the tests share.

use engine::{Outcome, StepContext, TaskError};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) quantity: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) items: Vec<Item>,
    pub(crate) gift: bool,
    pub(crate) note: Option<String>,
    pub(crate) size: (u32, u32),
    pub(crate) r#type: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) transaction_id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) order_id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) order: String,
    pub(crate) count: u32,
    pub(crate) note: Option<String>,
}

pub(crate) type Result<T> = std::result::Result<T, TaskError>;

pub(crate) async fn validate_user(_: StepContext, _: Order) -> Result<User> {
    Ok(User { id: String::new() })
}

pub(crate) async fn check_inventory(_: StepContext, _: Vec<Item>) -> Result<()> {
    Ok(())
}

pub(crate) async fn charge(_: StepContext, _: Order, _: User) -> Result<Charge> {
    Err(TaskError::refused("CARD_DECLINED"))
}

pub(crate) async fn refund(_: StepContext, _: Outcome<Charge>, _: Order) -> Result<()> {
    Ok(())
}

pub(crate) async fn search_and_refund(_: StepContext, _: String) -> Result<()> {
    Ok(())
}

pub(crate) async fn create_record(_: StepContext, order: Order, _: Charge) -> Result<Receipt> {
    Ok(Receipt { order_id: order.id })
}

pub(crate) async fn confirm(_: StepContext, _: Order, _: Receipt) -> Result<()> {
    Ok(())
}

pub(crate) async fn wrap(_: StepContext, _: String) -> Result<String> {
    Ok(String::new())
}

pub(crate) async fn label(_: StepContext, _: Option<String>, _: Option<String>) -> Result<String> {
    Ok(String::new())
}

pub(crate) async fn nothing(_: StepContext) -> Result<()> {
    Ok(())
}

pub(crate) async fn add(_: StepContext, a: u32, b: u32) -> Result<u32> {
    Ok(a + b)
}

pub(crate) async fn sum(_: StepContext, all: Vec<u32>) -> Result<u32> {
    Ok(all.iter().sum())
}

pub(crate) async fn report(_: StepContext, _: engine::Failure, _: Option<Charge>) -> Result<()> {
    Ok(())
}
