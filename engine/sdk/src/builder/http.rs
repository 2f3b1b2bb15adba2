//! Requests to services, as steps and compensations make them without a task.

use engine_core::call::Method;
use engine_core::format::{self, Entries, WordOr};
use serde_json::Value;

use super::json::{Template, ToJson};
use super::slot::Slot;
use super::state::{Reader, State};
use super::text::Text;
use crate::seal::Seal;

/// A request: `Http::post("payment", "/process").json(json_of!({ "order_id": pick!(order.id) }))`.
///
/// Paths are texts with expressions, `"/users/${ .input.user_id }"`, or [`text_of!`](crate::text_of!) with ports;
/// what stands in them is percent-encoded.
#[derive(Debug)]
#[must_use = "give it to a step or a compensation"]
pub struct Http {
    service: Option<String>,
    method: Method,
    path: Slot,
    query: Vec<(String, Slot)>,
    headers: Vec<(String, Slot)>,
    body: Option<Slot>,
    classify: Entries<WordOr<format::Success, format::Outcome>>,
    output: Option<Value>,
}

macro_rules! methods {
    ($($name:ident $Method:ident $doc:literal)*) => { $(
        #[doc = $doc]
        pub fn $name(service: &str, path: impl Into<Text>) -> Self {
            Self::new(Some(service), Method::$Method, path.into())
        }
    )* };
}

impl Http {
    methods! {
        get Get "A GET of a path of a service."
        post Post "A POST to a path of a service."
        put Put "A PUT to a path of a service."
        patch Patch "A PATCH of a path of a service."
        delete Delete "A DELETE of a path of a service."
        head Head "A HEAD of a path of a service."
    }

    /// A request to a whole URL that belongs to no service.
    pub fn url(method: Method, url: impl Into<Text>) -> Self {
        Self::new(None, method, url.into())
    }

    fn new(service: Option<&str>, method: Method, path: Text) -> Self {
        Self {
            service: service.map(str::to_owned),
            method,
            path: path.0,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            classify: Entries::default(),
            output: None,
        }
    }

    /// A query parameter.
    pub fn query(mut self, name: &str, value: impl ToJson) -> Self {
        self.query.push((name.to_owned(), value.json(Seal)));
        self
    }

    /// A header.
    pub fn header(mut self, name: &str, value: impl ToJson) -> Self {
        self.headers.push((name.to_owned(), value.json(Seal)));
        self
    }

    /// The body: a port, a struct that is put together, or [`json_of!`](crate::json_of!).
    pub fn json(mut self, body: impl ToJson) -> Self {
        self.body = Some(body.json(Seal));
        self
    }

    /// What an answer with this status means, where not what it usually does.
    pub fn classify(mut self, status: u16, meaning: Classify) -> Self {
        self.classify.0.insert(status.to_string(), meaning.0);
        self
    }

    /// What of the answer the step gives: JSON with expressions over `.output`, the body; `template("response")` gives
    /// status, headers and body. Without it, the body.
    pub fn output(mut self, output: Template) -> Self {
        self.output = Some(output.0);
        self
    }
}

/// What an answer means, in the words of [`TaskError`](crate::TaskError): may another attempt succeed, and may this one
/// have done something?
#[derive(Clone, PartialEq, Debug)]
pub struct Classify(WordOr<format::Success, format::Outcome>);

impl Classify {
    /// The call was carried out.
    pub fn success() -> Self {
        Self(WordOr::Word(format::Success::Success))
    }

    /// The call was refused: it did nothing, and another attempt would not help.
    pub fn refused() -> Self {
        Self::failure(false, format::Effect::None)
    }

    /// Another attempt may succeed; what this one did is unknown.
    pub fn retry() -> Self {
        Self::failure(true, format::Effect::Unknown)
    }

    /// No further attempt is made; what this one did is unknown.
    pub fn fatal() -> Self {
        Self::failure(false, format::Effect::Unknown)
    }

    /// The attempt certainly did nothing.
    pub fn effect_none(mut self) -> Self {
        if let WordOr::Object(failure) = &mut self.0 {
            failure.effect = format::Effect::None;
        }
        self
    }

    fn failure(retry: bool, effect: format::Effect) -> Self {
        Self(WordOr::Object(format::Outcome { comment: format::Comment, retry, effect }))
    }
}

/// What must hold of a 2xx answer, or of what a task gives: `Expect::that("${ .output.valid }").code("USER_INVALID")`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expect(pub(super) format::Expect);

impl Expect {
    /// The condition: one expression over `.output`.
    pub fn that(condition: &str) -> Self {
        Self(format::Expect { that: condition.to_owned(), ..format::Expect::default() })
    }

    /// The failure's code where the condition does not hold; else `EXPECTATION_FAILED`.
    pub fn code(mut self, code: &str) -> Self {
        self.0.code = Some(code.to_owned());
        self
    }

    /// The failure's message; may hold expressions over `.output`.
    pub fn message(mut self, message: &str) -> Self {
        self.0.message = Some(message.to_owned());
        self
    }

    /// Where the condition does not hold, the step did nothing. Unless something is said, it may have done something.
    pub fn effect_none(mut self) -> Self {
        self.0.effect = Some(format::ExpectEffect::None);
        self
    }

    /// Where the condition does not hold, the step was carried out all the same.
    pub fn effect_done(mut self) -> Self {
        self.0.effect = Some(format::ExpectEffect::Done);
        self
    }
}

impl State {
    /// The request as the file has it, and what of its answer is the step's output.
    pub(super) fn http(&mut self, http: Http, reader: Reader) -> (format::Http, Option<Value>) {
        let Http { service, method, path, query, headers, body, classify, output } = http;
        let path = match self.resolve(path, reader) {
            Value::String(path) => Some(path),
            // What could not be resolved has been noted; so that nothing else seems wrong:
            _ => Some("/".to_owned()),
        };
        let mut call = format::Http {
            service,
            query: self.entries(query, reader),
            headers: self.entries(headers, reader),
            body: body.map(|body| self.resolve(body, reader)),
            classify: Some(classify).filter(|classify| !classify.is_empty()),
            ..format::Http::default()
        };
        *match method {
            Method::Get => &mut call.get,
            Method::Post => &mut call.post,
            Method::Put => &mut call.put,
            Method::Patch => &mut call.patch,
            Method::Delete => &mut call.delete,
            Method::Head => &mut call.head,
        } = path;
        (call, output)
    }

    fn entries(&mut self, entries: Vec<(String, Slot)>, reader: Reader) -> Option<Entries<Value>> {
        let mut resolved = Entries::default();
        for (name, value) in entries {
            let value = self.resolve(value, reader);
            if resolved.0.insert(name.clone(), value).is_some() {
                self.problem(reader.at, format!("`{name}` is said twice in one request"));
            }
        }
        Some(resolved).filter(|resolved| !resolved.is_empty())
    }
}
