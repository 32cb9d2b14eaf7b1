//! The control URL: counters, faults and the AWS account's contents over HTTP, on loopback, for whoever did not start the
//! stand-in in his process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::Error;
use crate::aws::{Account, Cluster, SecretValue, Workgroup};
use crate::faults::{Counters, Fault, Logged, Record};
use crate::lake::Lake;

/// What the routes act on.
type Shared = (Arc<Record>, Arc<Account>, Arc<Lake>);

/// Serves it on a free port of the current runtime.
pub async fn start(record: Arc<Record>, account: Arc<Account>, lake: Arc<Lake>) -> Result<SocketAddr, Error> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/counters", get(counters))
        .route("/counters/reset", post(reset))
        .route("/statements", get(statements))
        .route("/faults", post(add_fault).delete(clear))
        .route("/faults/release", post(release))
        .route("/policies", put(put_policies))
        .route("/secrets", put(put_secrets))
        .route("/parameters", put(put_parameters))
        .route("/clusters", put(put_clusters))
        .route("/files", put(put_files))
        .with_state((record, account, lake));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn counters(State((record, ..)): State<Shared>) -> Json<Counters> {
    Json(record.counters())
}

/// What was sent since the last reset, in order: the text, and whose it was.
async fn statements(State((record, ..)): State<Shared>) -> Json<Vec<Logged>> {
    Json(record.log())
}

async fn reset(State((record, account, _)): State<Shared>) {
    record.reset();
    account.reset_calls();
}

async fn add_fault(State((record, ..)): State<Shared>, Json(fault): Json<Fault>) {
    record.add_fault(fault);
}

async fn release(State((record, ..)): State<Shared>) {
    record.release();
}

async fn clear(State((record, ..)): State<Shared>) {
    record.clear_faults();
}

/// Bodies are read whatever content type they come with: curl says that they are forms.
fn read<T: for<'a> Deserialize<'a>>(body: &str) -> Result<T, (StatusCode, String)> {
    serde_json::from_str(body).map_err(|e| (StatusCode::BAD_REQUEST, format!("{e}\n")))
}

async fn put_policies(State((_, account, _)): State<Shared>, body: String) -> Result<(), (StatusCode, String)> {
    account.put_policies(&read(&body)?).map_err(|why| (StatusCode::BAD_REQUEST, format!("{why}\n")))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SecretBody {
    Text(String),
    Binary { binary: String },
}

/// Answers the ARNs by name.
async fn put_secrets(
    State((_, account, _)): State<Shared>,
    body: String,
) -> Result<Json<BTreeMap<String, String>>, (StatusCode, String)> {
    let mut values = Vec::new();
    for (name, value) in read::<BTreeMap<String, SecretBody>>(&body)? {
        let value = match value {
            SecretBody::Text(text) => SecretValue::Text(text),
            SecretBody::Binary { binary } => match STANDARD.decode(binary) {
                Ok(bytes) => SecretValue::Binary(bytes),
                Err(e) => return Err((StatusCode::BAD_REQUEST, format!("{name}: no base64: {e}\n"))),
            },
        };
        values.push((name, value));
    }
    let arns = values.into_iter().map(|(name, value)| (name.clone(), account.put_secret(&name, value)));
    Ok(Json(arns.collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterBody {
    value: String,
    #[serde(default)]
    secure: bool,
}

async fn put_parameters(State((_, account, _)): State<Shared>, body: String) -> Result<(), (StatusCode, String)> {
    for (name, parameter) in read::<BTreeMap<String, ParameterBody>>(&body)? {
        account.put_parameter(&name, parameter.secure, &parameter.value);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClustersBody {
    #[serde(default)]
    clusters: Vec<Cluster>,
    #[serde(default)]
    workgroups: Vec<Workgroup>,
}

async fn put_clusters(State((_, account, _)): State<Shared>, body: String) -> Result<(), (StatusCode, String)> {
    let body: ClustersBody = read(&body)?;
    body.clusters.into_iter().for_each(|c| account.put_cluster(c));
    body.workgroups.into_iter().for_each(|w| account.put_workgroup(w));
    Ok(())
}

async fn put_files(State((_, _, lake)): State<Shared>, body: String) -> Result<(), (StatusCode, String)> {
    let files = read::<BTreeMap<String, serde_json::Value>>(&body)?;
    let files = files.iter().map(|(location, rows)| (location.as_str(), rows));
    lake.put(files).map_err(|why| (StatusCode::BAD_REQUEST, format!("{why}\n")))
}
