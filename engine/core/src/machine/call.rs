//! Rendering a call, once for all its attempts.

use crate::bounds;
use crate::call::{Call, Target};
use crate::definition::{HttpCall, HttpTarget};
use crate::expression::{Encoding, EvaluationError, Template, Value};
use crate::failure::Failure;
use crate::payload::Payload;

/// The failure of an expression.
pub(super) fn expression_failed(error: &EvaluationError) -> Failure {
    Failure::new("EXPRESSION_FAILED", error.to_string())
}

/// The templates of a call.
pub(super) fn call_templates(call: &HttpCall) -> impl Iterator<Item = &Template> {
    let target = match &call.target {
        HttpTarget::Service { path, .. } => path,
        HttpTarget::Url(url) => url,
    };
    let named = call.query.iter().chain(&call.headers).map(|(_, template)| template);
    std::iter::once(target).chain(named).chain(&call.body)
}

/// Renders a call. What fails here was not sent.
pub(super) fn render_call(call: &HttpCall, document: &Value) -> Result<Call, Failure> {
    let rendered = render(call, document).map_err(|error| expression_failed(&error))?;
    let (len, limit) = (len_beside_body(&rendered), bounds::CALL_LEN);
    if len > limit {
        let message = format!("URL, query and headers have {len} bytes together; {limit} are the most");
        return Err(Failure::new("REQUEST_TOO_LARGE", message));
    }
    let body_len = rendered.body.as_ref().map_or(0, Payload::len);
    if body_len > bounds::MAX_PAYLOAD as u64 {
        let message = format!("the body has {body_len} bytes; {} are the most", bounds::MAX_PAYLOAD);
        return Err(Failure::new("PAYLOAD_TOO_LARGE", message));
    }
    Ok(rendered)
}

fn render(call: &HttpCall, document: &Value) -> Result<Call, EvaluationError> {
    let target = match &call.target {
        HttpTarget::Service { name, path } => {
            Target::Service { name: name.clone(), path: path.render_text(document, Encoding::PathSegment)? }
        }
        HttpTarget::Url(url) => Target::Url(url.render_text(document, Encoding::PathSegment)?),
    };
    let text =
        |(name, template): &(String, Template)| Ok((name.clone(), template.render_text(document, Encoding::Plain)?));
    Ok(Call {
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

fn len_beside_body(call: &Call) -> usize {
    let target = match &call.target {
        Target::Service { name, path } => name.as_str().len() + path.len(),
        Target::Url(url) => url.len(),
    };
    let named = call.query.iter().chain(&call.headers).map(|(name, value)| name.len() + value.len());
    target + named.sum::<usize>()
}
