//! The wiremock shell around the desk: HTTP in, HTTP out.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::admin;
use crate::call::{Answer, Call, percent_decode};
use crate::catalogue::{Endpoint, Service};
use crate::desk::Reaction;
use crate::shared::{Shared, now};

/// Serves one service on a listener.
pub(crate) async fn serve(listener: TcpListener, service: Service, shared: Arc<Shared>) -> MockServer {
    let server = MockServer::builder().listener(listener).disable_request_recording().start().await;
    let counter = Arc::new(Counter { service, shared, answer: Mutex::new(None) });
    // A wiremock responder either always answers or always cuts the connection, so which of the two
    // it is must be known when mocks are matched: the first mock handles the request while matching
    // and takes the cuts, the second gives the answer that the first has left.
    Mock::given(HandlesAndCuts(Arc::clone(&counter)))
        .respond_with_err(|_: &Request| io::Error::from(io::ErrorKind::ConnectionReset))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(Answers(counter)).with_priority(2).mount(&server).await;
    server
}

/// Where the requests of one service come in.
struct Counter {
    service: Service,
    shared: Arc<Shared>,
    /// From the first mock to the second. wiremock holds a lock over both, so it is never mixed up.
    answer: Mutex<Option<ResponseTemplate>>,
}

struct HandlesAndCuts(Arc<Counter>);

impl Match for HandlesAndCuts {
    fn matches(&self, request: &Request) -> bool {
        let template = match self.0.handle(request) {
            Reaction::Cut => return true,
            Reaction::Reply { answer, delay, retry_after } => {
                let mut template =
                    ResponseTemplate::new(answer.status).set_body_raw(answer.body.into_bytes(), "application/json");
                if !delay.is_zero() {
                    template = template.set_delay(delay);
                }
                match retry_after {
                    Some(seconds) => template.insert_header("Retry-After", seconds.to_string()),
                    None => template,
                }
            }
        };
        *self.0.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(template);
        false
    }
}

struct Answers(Arc<Counter>);

impl Respond for Answers {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let answer = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.unwrap_or_else(|| ResponseTemplate::new(500))
    }
}

impl Counter {
    fn handle(&self, request: &Request) -> Reaction {
        let path = request.url.path();
        let method = request.method.as_str();
        if path.starts_with("/__") || path == "/health" {
            return Reaction::reply(admin::handle(&self.shared, self.service, method, path, &request.body));
        }
        let Some((endpoint, id)) = Endpoint::route(self.service, path) else {
            return Reaction::reply(no_such_endpoint(self.service, path));
        };
        if method != "POST" {
            return Reaction::reply(Answer::refused(405, "use POST"));
        }
        let header = |name: &str| {
            let value = request.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let call = Call {
            endpoint,
            path: path.to_owned(),
            id: id.map(percent_decode),
            key: header("Idempotency-Key"),
            forward_key: header("Idempotency-Key-Of"),
            body: body(&request.body),
        };
        let mut desk = self.shared.desk();
        let due = desk.next_due();
        let reaction = desk.handle(&call, now());
        if desk.next_due() != due {
            self.shared.wake_timer();
        }
        reaction
    }
}

/// The body as JSON; what is none becomes a string, which no endpoint accepts as its fields.
fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

fn no_such_endpoint(service: Service, path: &str) -> Answer {
    let known: Vec<String> = service.endpoints().map(|endpoint| format!("POST /{}", endpoint.pattern())).collect();
    let error = format!("the {} service has no `{path}`; it has: {}", service.name(), known.join(", "));
    Answer::refused(404, &error)
}
