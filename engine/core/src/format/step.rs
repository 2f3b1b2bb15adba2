//! The keys of a step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parts::{Comment, DURATION, Entries, NAME, TASK, WordOr, written};
use super::workflow::Retry;

/// A step: one of `http`, `task` and `value`, and what holds around it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["task"] }, { "required": ["value"] }]))]
pub struct Step {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// What the step is for.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Steps that must have ended before. Steps whose outputs this one reads as `.steps.NAME` need not be named.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<String>>,
    /// How many of the steps before must have ended.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// A condition, `${ … }`; where it is false, `otherwise` holds.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What happens where `when` is false: `skip`, or a failure.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Condition>,
    /// What this step does where all steps it comes after were skipped.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub if_skipped: Option<IfSkipped>,
    /// Calls a service.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// Calls a task: a function of the program that drives the run.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Computes an output: any JSON with expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What must hold of a 2xx answer, or of what a task gives.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// When the step is tried again.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The timeout of one attempt; else that of the service, else that of `defaults`, else 60 s.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub timeout: Option<String>,
    /// Whether the run goes on where the step fails.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Whether this is the point of no return: once it is done, the run only goes forward.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub pivot: Option<bool>,
    /// Where it is still unknown after the last attempt whether the step was carried out: `fail`, or `stuck` and wait
    /// for an operator.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub on_unknown: Option<OnUnknown>,
    /// What of the answer is the step's output: `body`, `response` (status, headers, body), or any JSON with
    /// expressions over `.output`: the body, or what the task gives.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// How the step is undone.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Compensate>,
}

/// How many of the steps before must have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// All of them.
    All,
}

/// What happens where a condition is false.
pub type Condition = WordOr<Skip, Fail>;

/// The step is skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The step is skipped.
    Skip,
}

/// The step fails, having done nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The failure's code, as `NO_STOCK`.
    pub fail: String,
    /// The failure's message; may hold expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a step does where all steps it comes after were skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfSkipped {
    /// It is skipped too.
    Skip,
    /// It runs.
    Run,
}

/// What an unknown effect after the last attempt leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// The step fails.
    Fail,
    /// The step waits for an operator.
    Stuck,
}

/// A call: a `service` and a path under one of the methods, or a whole URL without a `service`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["get"] }, { "required": ["post"] }, { "required": ["put"] },
    { "required": ["patch"] }, { "required": ["delete"] }, { "required": ["head"] },
]))]
pub struct Http {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The service's name.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = NAME))]
    pub service: Option<String>,
    /// The path of a GET.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// The path of a POST.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The path of a PUT.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    /// The path of a PATCH.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// The path of a DELETE.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// The path of a HEAD.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Query parameters; values may hold expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub query: Option<Entries<Value>>,
    /// Headers; values may hold expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub headers: Option<Entries<Value>>,
    /// The body: any JSON with expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What statuses mean for this step, where not what they usually do.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("propertyNames" = { "pattern": "^(\\$comment|[1-5][0-9][0-9])$" }))]
    pub classify: Option<Entries<WordOr<Success, Outcome>>>,
}

/// A call of a task: a function that the program which drives the run has registered under this name and version.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// Its name and version, as `charge@1`.
    #[schemars(regex(pattern = TASK))]
    pub name: String,
    /// Its arguments, in the order of its parameters: any JSON with expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Value>>,
}

/// A status that counts as a 2xx.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Success {
    /// As a 2xx.
    Success,
}

/// A status that is a failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// Whether the attempt is made again.
    pub retry: bool,
    /// What the call may have done.
    pub effect: Effect,
}

/// What a failed call may have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Certainly nothing.
    None,
    /// Perhaps something.
    Unknown,
}

/// What must hold of a 2xx answer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The condition over `.output`, `${ … }`.
    pub that: String,
    /// The failure's code where it does not hold.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The failure's message; may hold expressions.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the call has done where the condition does not hold: `unknown` unless said.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub effect: Option<ExpectEffect>,
}

/// What a call has done whose answer breaks an expectation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectEffect {
    /// Certainly nothing.
    None,
    /// Perhaps something.
    Unknown,
    /// What it was to do.
    Done,
}

/// How a step is undone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["task"] }]))]
pub struct Compensate {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The call that undoes the step.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// The task that undoes the step.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// When it is tried again; patient unless said otherwise.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The timeout of one attempt; else that of the service, else that of `defaults`, else 60 s.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub timeout: Option<String>,
    /// Another call where it is unknown whether the step was carried out.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
}

/// What undoes a step of which it is unknown whether it was carried out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["task"] }]))]
pub struct Unknown {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The call.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// The task.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}
