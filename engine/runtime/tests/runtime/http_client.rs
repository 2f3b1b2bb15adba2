//! The HTTP client against real sockets: what a lost or odd answer is taken for.

use std::time::Duration;

use engine_core::call::Method;
use engine_core::machine::{AttemptOutcome, Body};
use engine_runtime::http::HttpClient;
use engine_runtime::{AnswerRoom, Request, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn request(url: String) -> Request {
    Request {
        pool: "svc".to_owned(),
        url,
        method: Method::Post,
        query: Vec::new(),
        headers: vec![("idempotency-key".to_owned(), "k1".to_owned())],
        body: None,
        room: AnswerRoom::default(),
        timeout: Duration::from_secs(5),
    }
}

async fn send(request: Request) -> AttemptOutcome {
    HttpClient::new().unwrap().send(request).await
}

#[tokio::test]
async fn everything_is_sent_and_the_answer_comes_back_whole() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201).set_body_string("made").insert_header("retry-after", "7");
    Mock::given(method("PUT"))
        .and(path("/things/1"))
        .and(query_param("q", "a b&c"))
        .and(header("idempotency-key", "k1"))
        .and(body_string(r#"{"a":1}"#))
        .respond_with(answer)
        .mount(&server)
        .await;
    let outcome = send(Request {
        method: Method::Put,
        query: vec![("q".to_owned(), "a b&c".to_owned())],
        body: Some(br#"{"a":1}"#.as_slice().into()),
        ..request(format!("{}/things/1", server.uri()))
    })
    .await;
    let AttemptOutcome::Answered(answered) = outcome else { panic!("{outcome:?}") };
    assert_eq!((answered.status, answered.retry_after), (201, Some(Duration::from_secs(7))));
    assert_eq!(answered.body, Body::Whole(b"made".as_slice().into()));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(302).insert_header("location", format!("{}/b", server.uri()).as_str());
    Mock::given(path("/a")).respond_with(elsewhere).mount(&server).await;
    let outcome = send(request(format!("{}/a", server.uri()))).await;
    assert!(matches!(outcome, AttemptOutcome::Answered(answered) if answered.status == 302));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_closed_port_means_nothing_was_sent() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let outcome = send(request(format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(outcome, AttemptOutcome::NotSent { .. }), "{outcome:?}");
    let outcome = send(request("http://no-such-host.invalid/".to_owned())).await;
    assert!(matches!(outcome, AttemptOutcome::NotSent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_slow_answer_is_lost_by_timeout() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    Mock::given(path("/")).respond_with(slow).mount(&server).await;
    let outcome = send(Request { timeout: Duration::from_millis(100), ..request(server.uri()) }).await;
    assert!(matches!(outcome, AttemptOutcome::Lost { timed_out: true, .. }), "{outcome:?}");
}

/// A server that reads the request, says this, and hangs up.
async fn rude_server(says: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await;
        let _ = socket.write_all(says).await;
    });
    url
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_lost() {
    for says in [b"".as_slice(), b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it"] {
        let outcome = send(request(rude_server(says).await)).await;
        assert!(matches!(outcome, AttemptOutcome::Lost { timed_out: false, .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_never_sent() {
    let nonsense = [
        request("http://[nonsense/".to_owned()),
        request("ftp://127.0.0.1/".to_owned()),
        Request {
            headers: vec![("x".to_owned(), "line\nbreak".to_owned())],
            ..request("http://127.0.0.1:9/".to_owned())
        },
    ];
    for request in nonsense {
        let outcome = send(request).await;
        assert!(matches!(outcome, AttemptOutcome::Unsendable { .. }), "{outcome:?}");
    }
}
