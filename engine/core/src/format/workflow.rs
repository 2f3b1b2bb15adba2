//! The outer keys of the file: services, defaults, input.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::parts::{Comment, DURATION, Entries, NAME, written};
use super::step::Step;

/// A workflow: named steps that call services and tasks, with retries and compensations.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Workflow, engine/1")]
pub struct Workflow {
    /// Where the JSON Schema of this format stands, for editors.
    #[serde(rename = "$schema", default, skip_serializing)]
    #[schemars(with = "String")]
    pub schema: Comment,
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The version of the format.
    pub format: Format,
    /// The workflow's name.
    #[schemars(regex(pattern = NAME))]
    pub name: String,
    /// A label for people, as `1.0.0`. The identity of a workflow version is the digest of its file.
    pub version: String,
    /// What the workflow is for.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels that every run gets.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub labels: Option<Entries<String>>,
    /// What a run is given.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// The services that steps call, by name.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("propertyNames" = { "pattern": "^(\\$comment|[a-z][a-z0-9_]{0,63})$" }))]
    pub services: Option<Entries<Service>>,
    /// What steps do that do not say otherwise.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// The steps by name. A step starts when the steps it comes after have ended.
    #[schemars(extend("propertyNames" = { "pattern": "^(\\$comment|[a-z][a-z0-9_]{0,63})$" }))]
    pub steps: Entries<Step>,
    /// Steps that run after a run has failed or was cancelled, and what it did was undone. They see `.error`; their
    /// own failures change nothing.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("propertyNames" = { "pattern": "^(\\$comment|[a-z][a-z0-9_]{0,63})$" }))]
    pub on_failure: Option<Entries<Step>>,
    /// What the run gives: any JSON with expressions. Without it, the outputs of the last steps by name.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// How long a run may take before it is cancelled.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub timeout: Option<String>,
}

/// The version of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// The first version.
    #[serde(rename = "engine/1")]
    Engine1,
}

/// What a run is given.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// A JSON Schema (2020-12) that the input must follow; checked before a run is stored. References stay within it.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// An input for trying the workflow out.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// An HTTP service.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// Its base URL. May hold `${env:NAME}` and `${secret:NAME}`, which are resolved at each send.
    pub url: String,
    /// Headers of every call. May hold `${secret:NAME}` and `${env:NAME}`, which are resolved at each send.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub headers: Option<Entries<String>>,
    /// How the engine says who it is.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The timeout of one attempt for steps that name none.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub timeout: Option<String>,
    /// Whether it honours the header `Idempotency-Key`.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
}

/// How the engine says who it is: either `bearer` or `basic`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["bearer"] }, { "required": ["basic"] }]))]
pub struct Auth {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// A token, as `${secret:NAME}`.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
    /// A user and a password.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The user.
    pub user: String,
    /// The password, as `${secret:NAME}`.
    pub password: String,
}

/// Whether a service honours the header `Idempotency-Key`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// It does: a key that it has carried out is answered as the first time, one that is being carried out with 409,
    /// a refused one stays refused.
    Key,
    /// Nothing is known.
    Unknown,
}

/// What steps do that do not say otherwise.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The timeout of one attempt where neither step nor service names one.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub timeout: Option<String>,
    /// When a step is tried again.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// When a compensation is tried again.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub compensation_retry: Option<Retry>,
}

/// When an attempt is made again: after delays that grow (`initial`, `factor`, `max_interval`) or that are listed
/// (`intervals`). Keys that are left out are taken from `defaults`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// Attempts in all. With 1 a step runs at most once.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_attempts: Option<u32>,
    /// The delay before the second attempt.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub initial: Option<String>,
    /// What each delay is multiplied with to give the next.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub factor: Option<Number>,
    /// The longest delay.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub max_interval: Option<String>,
    /// Every delay, the first one before the second attempt, instead of delays that grow. There are as many attempts
    /// as this says (with a larger `max_attempts` the last delay repeats), just then (unless `jitter` is written
    /// beside it), however long it takes (unless `max_elapsed` is).
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(regex(pattern = DURATION)))]
    pub intervals: Option<Vec<String>>,
    /// Whether delays are spread at random.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// The most that attempts and delays may take together.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub max_elapsed: Option<String>,
}

/// How delays are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Evenly between nothing and the whole delay.
    Full,
    /// Not at all.
    None,
}

/// The order to run a workflow that the program knows by name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// Where a JSON Schema of this file stands, for editors.
    #[serde(rename = "$schema", default, skip_serializing)]
    #[schemars(with = "String")]
    pub schema: Comment,
    #[serde(rename = "$comment", default, skip_serializing)]
    #[expect(missing_docs, reason = "the type says it")]
    pub comment: Comment,
    /// The workflow's name.
    #[schemars(regex(pattern = NAME))]
    pub run: String,
    /// What the run is given.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}
