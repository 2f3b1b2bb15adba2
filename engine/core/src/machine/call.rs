//! Rendering a call, once for all its attempts.

use crate::bounds;
use crate::call::{Call, HttpCall, Target, TaskCall};
use crate::definition::{CallTemplate, HttpTarget, HttpTemplate};
use crate::expression::{Encoding, EvaluationError, Template, Value};
use crate::failure::Failure;
use crate::payload::Payload;

/// The failure of an expression.
pub(super) fn expression_failed(error: &EvaluationError) -> Failure {
    Failure::new("EXPRESSION_FAILED", error.to_string())
}

/// The templates of a call.
pub(super) fn call_templates(call: &CallTemplate) -> Vec<&Template> {
    match call {
        CallTemplate::Task(task) => vec![&task.args],
        CallTemplate::Http(http) => {
            let target = match &http.target {
                HttpTarget::Service { path, .. } => path,
                HttpTarget::Url(url) => url,
            };
            let named = http.query.iter().chain(&http.headers).map(|(_, template)| template);
            std::iter::once(target).chain(named).chain(&http.body).collect()
        }
    }
}

/// Renders a call. What fails here was not sent.
pub(super) fn render_call(call: &CallTemplate, document: &Value) -> Result<Call, Failure> {
    let (rendered, what) = match call {
        CallTemplate::Http(http) => (render_http(http, document)?, "the body has"),
        CallTemplate::Task(task) => {
            let args = task.args.render(document).map_err(|error| expression_failed(&error))?;
            let args = Payload::json(args.to_shared());
            (Call::Task(TaskCall { name: task.name.clone(), args }), "the arguments have")
        }
    };
    let (len, limit) = (rendered.payload().map_or(0, Payload::len), bounds::MAX_PAYLOAD);
    if len > limit as u64 {
        return Err(Failure::new("PAYLOAD_TOO_LARGE", format!("{what} {len} bytes; {limit} are the most")));
    }
    Ok(rendered)
}

fn render_http(http: &HttpTemplate, document: &Value) -> Result<Call, Failure> {
    let rendered = render(http, document).map_err(|error| expression_failed(&error))?;
    let (len, limit) = (len_beside_body(&rendered), bounds::CALL_LEN);
    if len > limit {
        let message = format!("URL, query and headers have {len} bytes together; {limit} are the most");
        return Err(Failure::new("REQUEST_TOO_LARGE", message));
    }
    Ok(Call::Http(rendered))
}

fn render(call: &HttpTemplate, document: &Value) -> Result<HttpCall, EvaluationError> {
    let target = match &call.target {
        HttpTarget::Service { name, path } => {
            Target::Service { name: name.clone(), path: path.render_text(document, Encoding::PathSegment)? }
        }
        HttpTarget::Url(url) => Target::Url(url.render_text(document, Encoding::PathSegment)?),
    };
    let text =
        |(name, template): &(String, Template)| Ok((name.clone(), template.render_text(document, Encoding::Plain)?));
    Ok(HttpCall {
        target,
        method: call.method,
        query: call.query.iter().map(text).collect::<Result<_, EvaluationError>>()?,
        headers: call.headers.iter().map(text).collect::<Result<_, EvaluationError>>()?,
        body: match &call.body {
            Some(body) => Some(Payload::json(body.render(document)?.to_shared())),
            None => None,
        },
    })
}

fn len_beside_body(call: &HttpCall) -> usize {
    let target = match &call.target {
        Target::Service { name, path } => name.as_str().len() + path.len(),
        Target::Url(url) => url.len(),
    };
    let named = call.query.iter().chain(&call.headers).map(|(name, value)| name.len() + value.len());
    target + named.sum::<usize>()
}
