//! What a statement reads of other databases: PostgreSQL's sessions see one.

use tokio::net::UnixStream;

use super::Shared;
use crate::Error;
use crate::client::Client;
use crate::names::literal;
use crate::refusal::Refusal;
use crate::rewrite::Plan;

const VIEW: &str = "svv_redshift_schemas";
const DATABASES: &str =
    "SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('template0', 'template1', 'padb_harvest')";
const ROWS: &str = "SELECT coalesce(json_agg(s), '[]') FROM rs_schemas s";

/// Puts the rows of all databases before each statement that reads them.
pub async fn provide(plans: &mut [Result<Plan, Refusal>], shared: &Shared) {
    for plan in plans {
        let Some(found) = plan.as_mut().ok().filter(|p| p.sql.iter().any(|sql| sql.contains(VIEW))) else { continue };
        match schemas(shared).await {
            Ok(rows) => {
                found
                    .sql
                    .insert(0, format!("SELECT pg_catalog.set_config('standin.schemas', {}, true)", literal(&rows)));
            }
            Err(e) => *plan = Err(Refusal::new("XX000", format!("the stand-in cannot read the other databases: {e}"))),
        }
    }
}

async fn schemas(shared: &Shared) -> Result<String, Error> {
    let databases = match shared.admin.lock().await.as_mut() {
        Some(admin) => admin.query(DATABASES).await?.rows,
        None => Vec::new(),
    };
    let mut all: Vec<serde_json::Value> = Vec::new();
    for database in databases.into_iter().flatten().flatten() {
        // One that was dropped meanwhile has no rows.
        let Ok(mut client) = open(shared, &database).await else { continue };
        for text in client.query(ROWS).await?.rows.into_iter().flatten().flatten() {
            let rows: Vec<serde_json::Value> =
                serde_json::from_str(&text).map_err(|e| Error::Protocol(e.to_string()))?;
            all.extend(rows);
        }
    }
    Ok(serde_json::Value::Array(all).to_string())
}

async fn open(shared: &Shared, database: &str) -> Result<Client, Error> {
    Client::connect(UnixStream::connect(&shared.socket).await?, "rdsdb", database, "").await
}
