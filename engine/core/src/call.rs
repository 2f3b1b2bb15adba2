//! What a step sends or passes on, rendered once and recorded; every attempt is made with the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Name;
use crate::payload::Payload;
use crate::task::TaskName;

/// What a step calls.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Call {
    /// A service.
    Http(HttpCall),
    /// A function of the process that drives the run.
    Task(TaskCall),
}

impl Call {
    /// What is passed on: the body, or the arguments.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::Http(http) => http.body.as_ref(),
            Self::Task(task) => Some(&task.args),
        }
    }

    /// What is passed on, to put a reference to a blob in its place.
    pub fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Self::Http(http) => http.body.as_mut(),
            Self::Task(task) => Some(&mut task.args),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) => write!(f, "{} {}", http.method, http.target),
            Self::Task(task) => write!(f, "task {}", task.name),
        }
    }
}

/// One call of a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskCall {
    /// The task, with the version that the run is bound to.
    pub name: TaskName,
    /// Its arguments: a JSON array, in the order of its parameters.
    pub args: Payload,
}

/// One rendered request. Base URL, authentication and secrets are bound at each send and are never in here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HttpCall {
    /// Whom it goes to.
    pub target: Target,
    /// The method.
    pub method: Method,
    /// Query parameters, in order, not yet encoded.
    pub query: Vec<(String, String)>,
    /// Headers of the step; those of the service are added at the send.
    pub headers: Vec<(String, String)>,
    /// The body, JSON.
    pub body: Option<Payload>,
}

/// Whom a call goes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Target {
    /// A service of the workflow, whose base URL is bound at the send.
    Service {
        /// Its name.
        name: Name,
        /// The path below its base URL, encoded, with its leading `/`.
        path: String,
    },
    /// A whole URL.
    Url(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { name, path } => write!(f, "{name}{path}"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// An HTTP method that a workflow may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// HEAD
    Head,
}

impl Method {
    /// The method as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
