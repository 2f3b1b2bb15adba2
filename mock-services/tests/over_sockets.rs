//! The mock services over real connections: what a client sees against what the ledger says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod client;

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{get, post, send};
use mock_services::{MockError, MockServices, Options, Ports, SERVICES};
use serde_json::{Value, json};

async fn start(faults: &[&str]) -> MockServices {
    start_in(None, faults).await
}

async fn start_in(state_dir: Option<&Path>, faults: &[&str]) -> MockServices {
    let faults = faults.iter().map(|rule| rule.parse().unwrap()).collect();
    let state_dir = state_dir.map(Path::to_owned);
    MockServices::start(Options { ports: Ports::Ephemeral, state_dir, faults }).await.unwrap()
}

fn charge(services: &MockServices, key: &str) -> std::io::Result<client::Response> {
    let body = json!({ "order_id": "o1", "amount": "199.98", "method": "credit_card", "user_id": "u" });
    post(&services.url("payment").unwrap(), "/process", &[("Idempotency-Key", key)], &body)
}

fn refund(services: &MockServices, key: &str, forward: &str) -> client::Response {
    let headers = [("Idempotency-Key", key), ("Idempotency-Key-Of", forward)];
    let body = json!({ "order_id": "o1", "transaction_id": null });
    post(&services.url("payment").unwrap(), "/refund", &headers, &body).unwrap()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < limit, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn outcome(services: &MockServices, entry: usize) -> Value {
    services.ledger()["entries"][entry]["outcome"].clone()
}

fn net(services: &MockServices) -> Value {
    services.ledger()["state"]["payment"]["net"]["o1"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_twice_is_one_effect_and_the_same_bytes() {
    let services = start(&[]).await;
    let first = charge(&services, "k").unwrap();
    let second = charge(&services, "k").unwrap();
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!((second.status, second.body), (first.status, first.body));
    assert_eq!(services.ledger()["state"]["payment"]["charges"].as_array().unwrap().len(), 1);
    let over_http = get(&services.url("user").unwrap(), "/__ledger").unwrap();
    assert_eq!(over_http.json(), services.ledger());
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_late_request_is_in_work_its_key_answers_409() {
    let services = start(&["payment/process:late=400ms,times=1"]).await;
    let started = Instant::now();
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| charge(&services, "k").unwrap());
        until("the request is in work", || outcome(&services, 0) == "pending");
        assert_eq!(charge(&services, "k").unwrap().status, 409);
        assert_eq!(net(&services), Value::Null);
        let answer = patient.join().unwrap();
        assert_eq!(answer.status, 200);
        assert!(started.elapsed() >= Duration::from_millis(400));
        // The effect is there before its answer, and a repeat says the same.
        assert_eq!(outcome(&services, 0), "effect");
        assert_eq!(charge(&services, "k").unwrap().body, answer.body);
    });
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_an_error_at_the_client() {
    let services = start(&["payment/process:cut=after,times=1", "inventory/update:cut=before,times=1"]).await;
    assert_eq!(charge(&services, "k").unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(net(&services), "199.98");
    assert_eq!(charge(&services, "k").unwrap().status, 200);
    assert_eq!(net(&services), "199.98");

    let url = services.url("inventory").unwrap();
    let body = json!({ "order_id": "o1", "items": [{ "id": "product_1", "quantity": 1 }] });
    let cut = post(&url, "/update", &[("Idempotency-Key", "k")], &body);
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(services.ledger()["state"]["inventory"]["taken"], json!({}));
    assert_eq!(post(&url, "/update", &[("Idempotency-Key", "k")], &body).unwrap().status, 200);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_stops_a_late_charge_and_without_it_the_refund_is_lost() {
    for (rule, outcome_when_due, left) in [
        ("payment/process:late=200ms,cut=after", "fenced", Value::Null),
        ("payment/process:late=200ms,cut=after,fence=off", "effect", json!("199.98")),
    ] {
        let services = start(&[rule]).await;
        assert!(charge(&services, "k").is_err());
        let undone = refund(&services, "r", "k");
        assert_eq!((undone.status, undone.json()), (404, json!({ "error": "nothing to refund" })));
        until("the late request is settled", || services.ledger()["pending"] == 0);
        assert_eq!(outcome(&services, 0), outcome_when_due);
        assert_eq!(net(&services), left);
        services.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_the_state_directory_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let faults = ["payment/process:status=503,times=2", "order/create:late=300ms,cut=after"];
    let services = start_in(Some(dir.path()), &faults).await;
    assert_eq!(charge(&services, "k").unwrap().status, 503);
    let record = json!({ "order_data": { "order_id": "o1" }, "transaction_id": null });
    assert!(post(&services.url("order").unwrap(), "/create", &[("Idempotency-Key", "c")], &record).is_err());
    let in_use = MockServices::start(Options { state_dir: Some(dir.path().to_owned()), ..Options::default() }).await;
    assert!(matches!(in_use.err(), Some(MockError::StateDirInUse { .. })));
    services.stop().await;

    let services = start_in(Some(dir.path()), &faults).await;
    assert_eq!(charge(&services, "k").unwrap().status, 503);
    let first = charge(&services, "k").unwrap();
    assert_eq!(first.status, 200);
    until("the late record is there", || {
        services.ledger()["state"]["order"]["records"].as_array().is_some_and(|records| records.len() == 1)
    });
    services.stop().await;

    let services = start_in(Some(dir.path()), &[]).await;
    assert_eq!(charge(&services, "k").unwrap().body, first.body);
    assert_eq!(net(&services), "199.98");
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_refuses_until_it_is_opened() {
    let services = start(&["inventory:closed"]).await;
    let inventory = services.url("inventory").unwrap();
    let payment = services.url("payment").unwrap();
    assert_eq!(get(&inventory, "/health").unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(get(&payment, "/health").unwrap().status, 200);

    assert_eq!(send("DELETE", &payment, "/__faults", &[], "").unwrap().status, 200);
    until("the port is open", || get(&inventory, "/health").is_ok_and(|answer| answer.status == 200));
    let rule = json!({ "service": "inventory", "closed": true });
    assert_eq!(post(&payment, "/__faults", &[], &rule).unwrap().status, 200);
    until("the port is closed", || {
        get(&payment, "/__faults").unwrap().json()["services"]["inventory"]["open"] == false
    });
    assert_eq!(get(&inventory, "/health").unwrap_err().kind(), ErrorKind::ConnectionRefused);
    services.stop().await;
    assert_eq!(get(&payment, "/health").unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_delayed_broken_and_told_to_come_back() {
    let services = start(&[
        "payment/process:status=429,retry_after=7,times=1",
        "payment/process:delay=150ms,times=1",
        "payment/process:malformed,times=1",
    ])
    .await;
    let told = charge(&services, "k").unwrap();
    assert_eq!((told.status, told.header("retry-after")), (429, Some("7")));
    let started = Instant::now();
    let delayed = charge(&services, "k").unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
    let broken = charge(&services, "k").unwrap();
    assert_eq!(broken.status, 200);
    assert!(serde_json::from_str::<Value>(&broken.body).is_err());
    assert_eq!(charge(&services, "k").unwrap().body, delayed.body);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_do_not_exist_are_told() {
    let services = start(&[]).await;
    let user = services.url("user").unwrap();
    let valid = post(&user, "/users/a%20b/validate", &[], &json!({})).unwrap();
    assert_eq!(valid.json()["user_info"]["user_id"], "a b");
    let unknown = post(&user, "/users", &[], &json!({})).unwrap();
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("POST /users/*/validate"));
    assert_eq!(get(&user, "/users/u/validate").unwrap().status, 405);
    assert_eq!(services.urls().keys().count(), SERVICES.len());
    assert_eq!(services.url("nobody"), None);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_under_load() {
    let services = start(&[]).await;
    let url = services.url("payment").unwrap();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let url = &url;
            scope.spawn(move || {
                for number in 0..800 {
                    let body = json!({ "order_id": "o1", "amount": "0.01", "method": "paypal", "user_id": "u" });
                    let key = format!("{client}-{number}");
                    assert_eq!(post(url, "/process", &[("Idempotency-Key", &key)], &body).unwrap().status, 200);
                }
            });
        }
    });
    assert_eq!(net(&services), "32.00");
    services.stop().await;
}

/// The program on free ports, with the addresses that it prints.
struct Program {
    child: Child,
    payment: String,
}

impl Program {
    fn start(state_dir: &Path, more: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-services"))
            .args(["--ports", "ephemeral", "--state-dir"])
            .arg(state_dir)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let printed: Vec<String> = lines.take_while(|line| line != "ready").collect();
        assert_eq!(printed.len(), SERVICES.len());
        let payment = printed.iter().find_map(|line| line.strip_prefix("payment")).unwrap().trim().to_owned();
        Program { child, payment }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn the_program_remembers_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let charge = |payment: &str| {
        let body = json!({ "order_id": "o1", "amount": "5.00", "method": "paypal", "user_id": "u" });
        post(payment, "/process", &[("Idempotency-Key", "k")], &body)
    };
    let program = Program::start(dir.path(), &["--fault", "payment/process:cut=after,times=1"]);
    assert!(charge(&program.payment).is_err());
    program.kill();
    let program = Program::start(dir.path(), &[]);
    assert_eq!(charge(&program.payment).unwrap().json()["transaction_id"], "txn_1");
    let ledger = get(&program.payment, "/__ledger").unwrap().json();
    assert_eq!(ledger["state"]["payment"]["net"], json!({ "o1": "5.00" }));
    program.kill();
}

#[test]
fn the_program_explains_a_bad_rule() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mock-services")).args(["--fault", "paiment:closed"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean `payment`?"));
}
