//! What an HTTP step sends, rendered once and recorded; every attempt sends the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Name;
use crate::payload::Payload;

/// One rendered request. Base URL, authentication and secrets are bound at each send and are never in here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
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
