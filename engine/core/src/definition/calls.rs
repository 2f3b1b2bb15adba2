//! Calls: from the keys `http` and `task` to what is rendered and sent, or passed on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::check::{Checked, Checker, Noted};
use super::headers::{name_problem, value_problem};
use super::services::http_url;
use super::texts::Place;
use super::{
    CallRule, CallTemplate, Classified, Expect, HttpTarget, HttpTemplate, OutputRule, RetryPolicy, TaskTemplate,
};
use crate::bounds;
use crate::call::Method;
use crate::expression::Template;
use crate::expression::scan::{self, Piece};
use crate::failure::Effect;
use crate::format::{self, At, Http, Task, WordOr, did_you_mean, pointer_to, quoted};
use crate::id::Name;
use crate::task::TaskName;

/// What holds around a call.
pub(super) struct Around {
    pub(super) expect: Option<Expect>,
    pub(super) output: OutputRule,
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Duration,
}

/// What is called, as the file says it.
#[derive(Clone, Copy)]
pub(super) enum Called<'f> {
    Http(&'f Http),
    Task(&'f Task),
}

impl<'f> Called<'f> {
    /// The service, where one is named.
    pub(super) fn service(self) -> Option<&'f str> {
        match self {
            Self::Http(http) => http.service.as_deref(),
            Self::Task(_) => None,
        }
    }
}

impl Checker<'_> {
    /// The one thing that `compensate` or `unknown` calls.
    pub(super) fn called<'h>(
        &mut self,
        http: Option<&'h Http>,
        task: Option<&'h Task>,
        pointer: &str,
    ) -> Checked<Called<'h>> {
        match (http, task) {
            (Some(http), None) => return Ok(Called::Http(http)),
            (None, Some(task)) => return Ok(Called::Task(task)),
            (Some(_), Some(_)) => {
                let message = || "this calls one thing: `http` and `task` are two".to_owned();
                self.findings.add_at(&format!("{pointer}/task"), At::Key, message);
            }
            (None, None) => {
                self.findings.add_at(pointer, At::Key, || "this calls something: give it `http` or `task`".into());
            }
        }
        Err(Noted)
    }

    /// What is called here, and how.
    pub(super) fn call(
        &mut self,
        called: Called<'_>,
        around: Checked<Around>,
        place: Place,
        pointer: &str,
    ) -> Checked<CallRule> {
        let template = match called {
            Called::Http(http) => self.http(http, place, &format!("{pointer}/http")).map(CallTemplate::Http),
            Called::Task(task) => self.task(task, place, &format!("{pointer}/task")).map(CallTemplate::Task),
        };
        let Around { expect, output, retry, timeout } = around?;
        Ok(CallRule { template: template?, expect, output, retry, timeout })
    }

    fn task(&mut self, task: &Task, place: Place, pointer: &str) -> Checked<TaskTemplate> {
        let name = task.name.parse::<TaskName>();
        if let Err(error) = &name {
            self.findings.add(&format!("{pointer}/name"), error.to_string());
        }
        let args = task.args.clone().unwrap_or_default();
        if args.len() > bounds::TASK_ARGS {
            let message = format!("a task takes {} arguments at most, not {}", bounds::TASK_ARGS, args.len());
            self.findings.add(&format!("{pointer}/args"), message);
        }
        let args = self.template(&Value::Array(args), place, &format!("{pointer}/args"));
        Ok(TaskTemplate { name: name.map_err(|_| Noted)?, args: args? })
    }

    fn http(&mut self, http: &Http, place: Place, pointer: &str) -> Checked<HttpTemplate> {
        let service = http.service.as_deref().map(|name| self.service(name, &format!("{pointer}/service")));
        let method = self.method(http, pointer);
        let target = method.and_then(|(_, key, path)| self.target(http, path, place, &format!("{pointer}/{key}")));
        let query = self.query(http, place, pointer);
        let headers = self.headers(http, place, pointer);
        let body = http.body.as_ref().map(|body| self.template(body, place, &format!("{pointer}/body")));
        let classify = self.classify(http, pointer);
        if let Ok((method @ (Method::Get | Method::Head), _, _)) = method
            && http.body.is_some()
        {
            let message = || format!("a {method} has no body; put what it says into `query`");
            self.findings.add_at(&format!("{pointer}/body"), At::Key, message);
        }
        Ok(HttpTemplate {
            target: target?,
            method: method?.0,
            query: query?,
            headers: headers?,
            body: body.transpose()?,
            classify,
            idempotent: service.unwrap_or_default(),
        })
    }

    /// Whether the service honours keys; notes it where there is no such service.
    fn service(&mut self, name: &str, pointer: &str) -> bool {
        if let Some(service) = self.services.get(name) {
            return service.idempotent;
        }
        let near = did_you_mean(name, self.services.keys().map(Name::as_str));
        let known = if self.services.is_empty() { "; the file has no `services`" } else { near.as_str() };
        let message = format!("there is no service {}{known}", quoted(name));
        self.findings.add(pointer, message);
        false
    }

    fn method<'h>(&mut self, http: &'h Http, pointer: &str) -> Checked<(Method, &'static str, &'h str)> {
        let all = [
            (Method::Get, "get", &http.get),
            (Method::Post, "post", &http.post),
            (Method::Put, "put", &http.put),
            (Method::Patch, "patch", &http.patch),
            (Method::Delete, "delete", &http.delete),
            (Method::Head, "head", &http.head),
        ];
        let written: Vec<_> =
            all.into_iter().filter_map(|(method, key, path)| Some((method, key, path.as_deref()?))).collect();
        match written.as_slice() {
            [one] => return Ok(*one),
            [] => self.findings.add(
                pointer,
                "a call has a method with its path: one of `get`, `post`, `put`, `patch`, `delete`, `head`",
            ),
            [_, (_, second, _), ..] => {
                let keys: Vec<_> = written.iter().map(|(_, key, _)| format!("`{key}`")).collect();
                let message = || format!("a call has one method; this one has {}", keys.join(" and "));
                self.findings.add_at(&format!("{pointer}/{second}"), At::Key, message);
            }
        }
        Err(Noted)
    }

    fn target(&mut self, http: &Http, path: &str, place: Place, pointer: &str) -> Checked<HttpTarget> {
        let is_url = path.contains("://") && !path.starts_with('/') && !path.starts_with("${");
        let template = self.text(path, place, pointer)?;
        let Some(service) = &http.service else {
            if path.starts_with('/') {
                let message = "a path needs a `service`; without one, this is a whole URL, `https://…`";
                self.findings.add(pointer, message);
            } else if template.is_constant()
                && let Err(why) = http_url(path.split(['?', '#']).next().unwrap_or_default())
            {
                self.findings.add(pointer, format!("{} is no URL: {why}", quoted(path)));
            }
            return Ok(HttpTarget::Url(template));
        };
        if is_url {
            self.findings
                .add(pointer, "a whole URL goes without `service`; with one, give the path, which begins with `/`");
        } else if !path.starts_with('/') {
            self.findings.add(pointer, "a path begins with `/`");
        }
        Ok(HttpTarget::Service { name: Name::new(service.as_str()), path: template })
    }

    fn query(&mut self, http: &Http, place: Place, pointer: &str) -> Checked<Vec<(String, Template)>> {
        let mut query = Ok(Vec::new());
        for (name, value) in http.query.iter().flatten() {
            let pointer = pointer_to(&format!("{pointer}/query"), name);
            let value = self.scalar(value, place, &pointer, "a query parameter");
            query = both(query, value, |query, value| query.push((name.clone(), value)));
        }
        query
    }

    fn headers(&mut self, http: &Http, place: Place, pointer: &str) -> Checked<Vec<(String, Template)>> {
        let mut headers = Ok(Vec::new());
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in http.headers.iter().flatten() {
            let pointer = pointer_to(&format!("{pointer}/headers"), name);
            if let Some(message) = name_problem(name) {
                self.findings.add_at(&pointer, At::Key, || message);
            }
            if seen.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                self.findings.add_at(&pointer, At::Key, || format!("the header {} stands here twice", quoted(name)));
            }
            seen.push(name);
            let template = self.scalar(value, place, &pointer, "a header");
            if let Some(message) = value.as_str().and_then(literal_problem) {
                self.findings.add(&pointer, message);
            }
            headers = both(headers, template, |headers, template| headers.push((name.clone(), template)));
        }
        headers
    }

    /// A value that is sent as text.
    fn scalar(&mut self, value: &Value, place: Place, pointer: &str, what: &str) -> Checked<Template> {
        match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => self.template(value, place, pointer),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.findings.add(pointer, format!("the value of {what} is a text, a number, true or false"));
                Err(Noted)
            }
        }
    }

    fn classify(&mut self, http: &Http, pointer: &str) -> BTreeMap<u16, Classified> {
        let mut classify = BTreeMap::new();
        for (status, meaning) in http.classify.iter().flatten() {
            let three_digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
            let number = status.parse().ok().filter(|number| three_digits && (100..=599).contains(number));
            let Some(number) = number else {
                let message = || format!("{} is no HTTP status: give a number from 100 to 599", quoted(status));
                self.findings.add_at(&pointer_to(&format!("{pointer}/classify"), status), At::Key, message);
                continue;
            };
            let classified = match meaning {
                WordOr::Word(format::Success::Success) => Classified::Success,
                WordOr::Object(outcome) => Classified::Failure { retry: outcome.retry, effect: effect(outcome.effect) },
            };
            classify.insert(number, classified);
        }
        classify
    }
}

/// Goes on where both are there, so that a problem does not hide the next one.
pub(super) fn both<A, B>(all: Checked<A>, one: Checked<B>, add: impl FnOnce(&mut A, B)) -> Checked<A> {
    let (mut all, one) = (all?, one?);
    add(&mut all, one);
    Ok(all)
}

fn effect(written: format::Effect) -> Effect {
    match written {
        format::Effect::None => Effect::None,
        format::Effect::Unknown => Effect::Unknown,
    }
}

/// What is wrong with the text around the expressions of a header's value.
fn literal_problem(value: &str) -> Option<String> {
    scan::split(value).ok()?.iter().find_map(|piece| match piece {
        Piece::Text(text) => value_problem(text),
        Piece::Expression(_) => None,
    })
}
