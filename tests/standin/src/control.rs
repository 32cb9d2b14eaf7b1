//! The control URL: counters and faults over HTTP, on loopback, for whoever did not start the stand-in in his process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::Error;
use crate::faults::{Counters, Fault, Record};

/// Serves it on a free port of the current runtime.
pub async fn start(record: Arc<Record>) -> Result<SocketAddr, Error> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/counters", get(counters))
        .route("/counters/reset", post(reset))
        .route("/faults", post(add_fault).delete(clear))
        .with_state(record);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn counters(State(record): State<Arc<Record>>) -> Json<Counters> {
    Json(record.counters())
}

async fn reset(State(record): State<Arc<Record>>) {
    record.reset();
}

async fn add_fault(State(record): State<Arc<Record>>, Json(fault): Json<Fault>) {
    record.add_fault(fault);
}

async fn clear(State(record): State<Arc<Record>>) {
    record.clear_faults();
}
