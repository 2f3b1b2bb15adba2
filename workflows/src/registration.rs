//! Registering a user: the account is checked, a welcome gift is set aside, and the user is told.
//!
//! A registration that can't be told to the user is undone, gift and all.

use engine::{DefinitionError, Outcome, StepContext, TaskError, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[cfg(test)]
mod tests;

/// Who registers.
#[derive(Clone, Serialize, Deserialize)]
pub struct Registration {
    /// The name of the account.
    pub user_id: String,
    /// Where the user is written to.
    pub email: String,
}

/// An account that was checked.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    /// The name of the account.
    pub user_id: String,
    /// What the user is called.
    pub name: String,
}

/// What the user service says of an account.
#[derive(Deserialize)]
struct Checked {
    valid: bool,
    user_info: Option<Account>,
    error: Option<String>,
}

/// What the notification service says of a message.
#[derive(Deserialize)]
struct Sent {
    notification_id: String,
}

/// The workflow. It gives the id of the message that welcomes the user.
///
/// # Errors
/// Where it can't be built: what is wrong, with file and line.
pub fn workflow() -> Result<Workflow<Registration, String>, DefinitionError> {
    let wf = Workflow::builder("user_registration");
    wf.description("Checks an account, sets a welcome gift aside, and welcomes the user");
    super::services(&wf, &["user", "inventory", "notification", "analytics"]);
    wf.example(&Registration { user_id: "alice".into(), email: "alice@example.com".into() });
    let registration = wf.input::<Registration>();

    let account = wf.step("check_account", check_account, registration);
    let gift = wf.step("set_gift_aside", set_gift_aside, account).compensate(return_gift, account);
    let welcome = wf.step("welcome", welcome, (registration, account)).after(gift);
    wf.step("track_registration", track, account).after(welcome).optional();
    wf.finish(welcome)
}

async fn check_account(cx: StepContext, registration: Registration) -> Result<Account, TaskError> {
    let path = format!("/users/{}/validate", registration.user_id);
    let checked: Checked = cx.service("user").post(path).json(&json!({})).send().await?;
    match checked.user_info {
        Some(account) if checked.valid => Ok(account),
        _ => {
            let why = checked.error.unwrap_or_else(|| "the account is not valid".to_owned());
            Err(TaskError::refused("ACCOUNT_REFUSED").message(why))
        }
    }
}

async fn set_gift_aside(cx: StepContext, account: Account) -> Result<(), TaskError> {
    let body = json!({ "order_id": gift_of(&account), "items": [{ "id": "product_1", "quantity": 1 }] });
    cx.service("inventory").post("/update").json(&body).send().await
}

async fn return_gift(cx: StepContext, _: Outcome<()>, account: Account) -> Result<(), TaskError> {
    cx.service("inventory").post("/release").json(&json!({ "order_id": gift_of(&account) })).send().await
}

fn gift_of(account: &Account) -> String {
    format!("gift-{}", account.user_id)
}

async fn welcome(cx: StepContext, registration: Registration, account: Account) -> Result<String, TaskError> {
    let data = json!({ "email": registration.email, "name": account.name });
    let body = json!({ "user_id": account.user_id, "type": "welcome", "data": data });
    let sent: Sent = cx.service("notification").post("/send").json(&body).send().await?;
    Ok(sent.notification_id)
}

async fn track(cx: StepContext, account: Account) -> Result<(), TaskError> {
    let body = json!({ "event_type": "user_registered", "data": { "user_id": account.user_id } });
    cx.service("analytics").post("/track").json(&body).send().await
}
