//! Orders over HTTP: one handler starts a saga, one looks how it is. Start it, order, and look:
//!
//! ```sh
//! cargo run -p engine --example axum
//! curl -X POST localhost:3000/orders/order-1 -H 'content-type: application/json' -d '{"item":"book","cents":4200}'
//! curl localhost:3000/orders/order-1
//! ```
//!
//! The POST can be repeated: it is one order, charged once. An `"item":"anvil"` can't be shipped, and its charge is
//! refunded. Kill the program (`kill -9`) within three seconds of a new order and start it again: the order goes on.

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use engine::{ClientError, DefinitionError, Engine, Outcome, StartError, StepContext, TaskError, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    item: String,
    cents: u32,
}

/// Stands in for a call of a bank, which would be given `cx.key()`.
async fn charge(cx: StepContext, order: Order) -> Result<String, TaskError> {
    cx.sleep(Duration::from_secs(3)).await;
    println!("{}: charged {} cents, key {}", cx.workflow_id(), order.cents, cx.key());
    Ok(cx.key().to_owned())
}

async fn refund(cx: StepContext, charged: Outcome<String>) -> Result<(), TaskError> {
    println!("{}: refunded {charged:?}", cx.workflow_id());
    Ok(())
}

async fn ship(_: StepContext, order: Order, receipt: String) -> Result<String, TaskError> {
    if order.item == "anvil" {
        return Err(TaskError::refused("TOO_HEAVY").message("nobody carries anvils"));
    }
    Ok(format!("{} on its way, receipt {receipt}", order.item))
}

fn order_saga() -> Result<Workflow<Order, String>, DefinitionError> {
    let wf = Workflow::builder("order_saga");
    let order = wf.input::<Order>();
    let receipt = wf.step("charge", charge, order).compensate(refund, ());
    let shipped = wf.step("ship", ship, (order, receipt));
    wf.finish(shipped)
}

/// What handlers share. Both are cheap to clone.
#[derive(Clone)]
struct Shop {
    engine: Engine,
    saga: Workflow<Order, String>,
}

type Answer = Result<(StatusCode, Json<Value>), (StatusCode, String)>;

/// Once this answers, the order is durable: it is carried out or undone, whatever happens to this process.
async fn start(State(shop): State<Shop>, Path(id): Path<String>, Json(order): Json<Order>) -> Answer {
    let run = shop.engine.start(&shop.saga, order).id(id).await.map_err(|error| match error {
        StartError::Input(_) => (StatusCode::BAD_REQUEST, error.to_string()),
        StartError::Id(_) => (StatusCode::CONFLICT, error.to_string()),
        _ => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    })?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "run": run.id(), "is_new": run.is_new() }))))
}

async fn look(State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    let failed = |error: ClientError| match error {
        ClientError::Unknown(_) => (StatusCode::NOT_FOUND, error.to_string()),
        _ => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    let run = shop.engine.find(&shop.saga, &id).await.map_err(failed)?;
    let status = run.status().await.map_err(failed)?;
    if !status.is_terminal() {
        return Ok((StatusCode::OK, Json(json!({ "status": status.to_string() }))));
    }
    let end = match run.result().await {
        Ok(shipped) => json!({ "status": status.to_string(), "result": shipped }),
        Err(error) => json!({ "status": status.to_string(), "error": error.to_string() }),
    };
    Ok((StatusCode::OK, Json(end)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let saga = order_saga()?;
    let directory = std::env::temp_dir().join("engine-example-axum");
    let engine = Engine::open(&directory).register(&saga).start().await?;
    println!("listening on localhost:3000; data in {}", directory.display());

    let shop = Shop { engine: engine.clone(), saga };
    let app = Router::new().route("/orders/{id}", post(start).get(look)).with_state(shop);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    // First no more requests, then no more attempts. What is open goes on with the next start.
    let stopped = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await?;
    engine.shutdown().await?;
    Ok(())
}
