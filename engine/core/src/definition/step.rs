//! A step, checked and compiled.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::Method;
use crate::definition::RetryPolicy;
use crate::expression::{Expression, Template};
use crate::failure::Effect;
use crate::id::Name;
use crate::task::TaskName;

/// The place of a step in its definition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StepIndex(pub(crate) u32);

impl StepIndex {
    /// The place with this number. Definitions are bounded far below what does not fit.
    pub(crate) fn at(place: usize) -> Self {
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// The place as a number, from 0.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// A step of a workflow.
#[derive(Debug)]
pub struct Step {
    /// Its name.
    pub name: Name,
    /// What it is for, as its author says.
    pub description: Option<String>,
    /// What it does.
    pub kind: Kind,
    /// The steps it comes after: those the file names under `after` and those its own expressions read.
    pub after: Vec<StepIndex>,
    /// The steps that come after it.
    pub before: Vec<StepIndex>,
    /// Its condition.
    pub when: Option<Expression>,
    /// What happens where the condition is false.
    pub otherwise: Otherwise,
    /// Whether it runs although all steps it comes after were skipped.
    pub if_skipped: bool,
    /// Whether the run goes on without it.
    pub optional: bool,
    /// Whether it is the point of no return.
    pub pivot: bool,
    /// Whether an unknown effect after the last attempt fails the step or waits for an operator.
    pub on_unknown: OnUnknown,
    /// How it is undone.
    pub compensate: Option<Compensate>,
}

impl Step {
    /// What it calls, where it calls something.
    pub fn call(&self) -> Option<&CallRule> {
        match &self.kind {
            Kind::Call(call) => Some(call),
            Kind::Value(_) => None,
        }
    }
}

/// What a step does.
#[derive(Debug)]
pub enum Kind {
    /// Calls a service or a task.
    Call(Box<CallRule>),
    /// Computes an output.
    Value(Template),
}

/// What is called, how often, and what its answers mean.
#[derive(Debug)]
pub struct CallRule {
    /// What.
    pub template: CallTemplate,
    /// What must hold of a success.
    pub expect: Option<Expect>,
    /// What of the answer is the step's output.
    pub output: OutputRule,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// The timeout of one attempt.
    pub timeout: Duration,
}

/// What a call is rendered from.
#[derive(Debug)]
pub enum CallTemplate {
    /// A call of a service.
    Http(HttpTemplate),
    /// A call of a task.
    Task(TaskTemplate),
}

impl CallTemplate {
    /// The call of a service, where it is one.
    pub fn http(&self) -> Option<&HttpTemplate> {
        match self {
            Self::Http(http) => Some(http),
            Self::Task(_) => None,
        }
    }

    /// The call of a task, where it is one.
    pub fn task(&self) -> Option<&TaskTemplate> {
        match self {
            Self::Task(task) => Some(task),
            Self::Http(_) => None,
        }
    }

    /// Whether a definite refusal of its key says that no earlier attempt with that key did anything.
    pub fn is_idempotent(&self) -> bool {
        self.http().is_some_and(|http| http.idempotent)
    }
}

/// How a task is called.
#[derive(Debug)]
pub struct TaskTemplate {
    /// The task.
    pub name: TaskName,
    /// Its arguments: a list.
    pub args: Template,
}

/// How a service is called, and what its statuses mean.
#[derive(Debug)]
pub struct HttpTemplate {
    /// Whom.
    pub target: HttpTarget,
    /// The method.
    pub method: Method,
    /// Query parameters.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Template>,
    /// What statuses mean, where not what they usually do.
    pub classify: BTreeMap<u16, Classified>,
    /// Whether the callee honours `Idempotency-Key`.
    pub idempotent: bool,
}

/// Whom an HTTP step calls.
#[derive(Debug)]
pub enum HttpTarget {
    /// A service of the file.
    Service {
        /// Its name.
        name: Name,
        /// The path below its base URL.
        path: Template,
    },
    /// A whole URL.
    Url(Template),
}

/// What must hold of a success.
#[derive(Debug)]
pub struct Expect {
    /// The condition, over `.output`.
    pub that: Expression,
    /// The failure's code where it does not hold.
    pub code: String,
    /// The failure's message.
    pub message: Option<Template>,
    /// What the step has done where it does not hold.
    pub effect: Effect,
}

/// What a status means for a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Classified {
    /// As a 2xx.
    Success,
    /// As a failure.
    Failure {
        /// Whether the attempt is made again.
        retry: bool,
        /// What it may have done.
        effect: Effect,
    },
}

/// What of an answer is a step's output.
#[derive(Debug)]
pub enum OutputRule {
    /// The body.
    Body,
    /// Status, headers and body.
    Response,
    /// JSON over `.output` (the body) and the steps before.
    Template(Template),
}

/// What happens where a condition is false.
#[derive(Debug)]
pub enum Otherwise {
    /// The step is skipped.
    Skip,
    /// The step fails, having done nothing.
    Fail {
        /// The failure's code.
        code: String,
        /// The failure's message.
        message: Option<Template>,
    },
}

/// What an unknown effect after the last attempt leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnUnknown {
    /// The step fails.
    Fail,
    /// The step waits for an operator.
    Stuck,
}

/// How a step is undone.
#[derive(Debug)]
pub struct Compensate {
    /// The call.
    pub call: CallRule,
    /// Another call where it is unknown whether the step was carried out.
    pub unknown: Option<CallRule>,
}
