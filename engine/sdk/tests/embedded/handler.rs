//! The engine among many callers: in handlers of an HTTP server, and in tasks of its own.

use std::net::SocketAddr;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use engine::{Engine, RunHandle, Workflow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::order::{World, brief_engine, workflow};

fn shared<T: Clone + Send + Sync + 'static>() {}

#[test]
fn handles_are_shared_at_will() {
    shared::<Engine>();
    shared::<RunHandle<String>>();
    shared::<Workflow<u32, String>>();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_start_runs_at_once() {
    let world = World::open();
    let engine = brief_engine(&world).await;
    let order = workflow().unwrap();
    let mut callers = JoinSet::new();
    for number in 0..64 {
        let (engine, order) = (engine.clone(), order.clone());
        callers.spawn(async move {
            // Two of them mean the same order.
            let run = engine.start(&order, 100).id(format!("order-{}", number / 2)).await.unwrap();
            (run.is_new(), run.result().await.unwrap())
        });
    }
    let ended = callers.join_all().await;
    assert!(ended.iter().all(|(_, receipt)| receipt == "receipt over 100"));
    assert_eq!(ended.iter().filter(|(is_new, _)| *is_new).count(), 32);
    assert_eq!(world.done().iter().filter(|done| *done == "charge").count(), 32);
}

type Shop = (Engine, Workflow<u32, String>);

async fn take_order(State((engine, order)): State<Shop>, Path(id): Path<String>, Json(cents): Json<u32>) -> String {
    engine.start(&order, cents).id(id).await.unwrap().result().await.unwrap()
}

async fn look(State((engine, order)): State<Shop>, Path(id): Path<String>) -> Result<String, StatusCode> {
    let run = engine.find(&order, &id).await.map_err(|_| StatusCode::NOT_FOUND)?;
    run.status().await.map(|status| status.to_string()).map_err(|_| StatusCode::NOT_FOUND)
}

/// The status of the answer and its last line.
async fn ask(server: SocketAddr, request: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let head = "Host: shop\r\nConnection: close\r\nContent-Type: application/json";
    let request = format!("{request} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().to_owned();
    (status, answer.lines().last().unwrap().to_owned())
}

#[tokio::test]
async fn a_handler_starts_runs_and_waits_for_them() {
    let world = World::open();
    let shop = (brief_engine(&world).await, workflow().unwrap());
    let router = Router::new().route("/orders/{id}", post(take_order).get(look)).with_state(shop);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let text = |status: &str, text: &str| (status.to_owned(), text.to_owned());
    for _ in 0..2 {
        assert_eq!(ask(server, "POST /orders/order-1", "100").await, text("200", "receipt over 100"));
    }
    assert_eq!(ask(server, "GET /orders/order-1", "").await, text("200", "Completed"));
    assert_eq!(ask(server, "GET /orders/order-2", "").await.0, "404");
    assert_eq!(world.done(), ["reserve", "charge", "record"]);
    serving.abort();
}
