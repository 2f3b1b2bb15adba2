//! The wiremock shell around the desk: HTTP in, HTTP out.

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;

use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::admin;
use crate::call::{Answer, Call, percent_decode};
use crate::catalogue::{Endpoint, Service};
use crate::desk::Reaction;
use crate::shared::{Shared, now};

/// After how many requests the mocks are replaced by new ones.
const RENEW_EVERY: u64 = 1024;

/// Serves one service on a listener.
pub(crate) async fn serve(listener: TcpListener, service: Service, shared: Arc<Shared>) -> Arc<MockServer> {
    let server = MockServer::builder().listener(listener).disable_request_recording().start().await;
    let server = Arc::new(server);
    let counter = Arc::new(Counter {
        service,
        shared,
        answer: Mutex::new(None),
        server: Arc::downgrade(&server),
        handled: AtomicU64::new(0),
    });
    let (cuts, answers) = mocks(&counter);
    server.register(cuts).await;
    server.register(answers).await;
    server
}

/// A wiremock responder either always answers or always cuts the connection, so which of the two it
/// is must be known when mocks are matched: the first mock handles the request while matching and
/// takes the cuts, the second gives the answer that the first has left.
fn mocks(counter: &Arc<Counter>) -> (Mock, Mock) {
    let cut = |_: &Request| io::Error::from(io::ErrorKind::ConnectionReset);
    let cuts = Mock::given(HandlesAndCuts(Arc::clone(counter))).respond_with_err(cut).with_priority(1);
    let answers = Mock::given(any()).respond_with(Answers(Arc::clone(counter))).with_priority(2);
    (cuts, answers)
}

/// Replaces the mocks of a running server by new ones. A mock keeps a copy of every request that it
/// matched, 6 KB each, even with recording disabled; only a reset lets go of them.
///
/// Between the reset and the new mocks a request would find none and get a 404, which to a client is
/// a refusal. So this is called on the server's only thread while it handles a request, that is,
/// holds the lock over the mocks, and returns when the reset and the registrations wait for that
/// lock: it is fair, and nobody else can have queued between them.
fn renew(counter: &Arc<Counter>) {
    let Some(server) = counter.server.upgrade() else {
        return;
    };
    let (cuts, answers) = mocks(counter);
    let (queued, wait) = mpsc::channel();
    let swap = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            return;
        };
        runtime.block_on(async move {
            let swap = async { tokio::join!(biased; server.reset(), server.register(cuts), server.register(answers)) };
            let mut swap = pin!(swap);
            poll_fn(|context| {
                let state = swap.as_mut().poll(context);
                // The first time is the one that counts; later nobody listens any more.
                let _ = queued.send(());
                state.map(drop)
            })
            .await;
        });
    };
    // Without a thread, or where it ends early, the old mocks stay: the wait ends at once.
    if thread::Builder::new().spawn(swap).is_ok() {
        let _ = wait.recv();
    }
}

/// Where the requests of one service come in.
struct Counter {
    service: Service,
    shared: Arc<Shared>,
    /// From the first mock to the second. wiremock holds a lock over both, so it is never mixed up.
    answer: Mutex<Option<ResponseTemplate>>,
    server: Weak<MockServer>,
    handled: AtomicU64,
}

struct HandlesAndCuts(Arc<Counter>);

impl Match for HandlesAndCuts {
    fn matches(&self, request: &Request) -> bool {
        if self.0.handled.fetch_add(1, Ordering::Relaxed) % RENEW_EVERY == RENEW_EVERY - 1 {
            renew(&self.0);
        }
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
