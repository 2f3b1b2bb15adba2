#![allow(dead_code)]

use engine::{Outcome, StepContext, TaskError};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    pub id: String,
    pub gift: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub id: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Charge {
    pub id: String,
}

pub async fn validate_user(_: StepContext, order: Order) -> Result<User, TaskError> {
    Ok(User { id: order.id })
}

pub async fn charge(_: StepContext, order: Order, _: User) -> Result<Charge, TaskError> {
    Ok(Charge { id: order.id })
}

pub async fn refund(_: StepContext, _: Outcome<Charge>, _: Order) -> Result<(), TaskError> {
    Ok(())
}
