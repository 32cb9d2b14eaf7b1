//! What a statement reads of other databases: PostgreSQL's sessions see one.

use tokio::net::UnixStream;

use super::{Shared, relay};
use crate::Error;
use crate::client::Client;
use crate::late::{Name, elsewhere_place};
use crate::names::{ident, literal};
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

/// Puts what a statement reads of other databases before it: rows as they are there now, read as whoever reads them.
pub async fn copy(plan: &mut Plan, shared: &Shared) -> Result<(), Refusal> {
    for (who, name) in std::mem::take(&mut plan.copies) {
        if shared.old_nodes {
            // What clusters said before there were other nodes (awslabs/amazon-redshift-utils#80).
            return Err(Refusal::new(
                "0A000",
                format!("cross-database references are not implemented: \"{}\"", name.join(".")),
            ));
        }
        let place = elsewhere_place(&who, &name);
        let (columns, rows) = rows_of(shared, &who, &name).await?;
        let made =
            format!("SELECT pg_catalog.rs_late_copy({}, {}, {})", literal(&place), literal(&columns), literal(&rows));
        plan.sql.insert(0, made);
        plan.after.push(format!("SELECT pg_catalog.rs_late_copied({})", literal(&place)));
    }
    Ok(())
}

async fn rows_of(shared: &Shared, who: &str, name: &Name) -> Result<(String, String), Refusal> {
    let [database, schema, relation] = &name[..] else { return Err(Refusal::syntax("a name of three parts")) };
    let relation = format!("{}.{}", ident(schema), ident(relation));
    let refused = |error: Error| match error {
        Error::Server(error) => Refusal::new(&error.sqlstate, relay::words(&error.message)),
        other => Refusal::new("XX000", other.to_string()),
    };
    let mut client = open(shared, database).await.map_err(refused)?;
    client.query(&format!("SET SESSION AUTHORIZATION {}", ident(who))).await.map_err(refused)?;
    let mut cell = async |sql: String| {
        let answer = client.query(&sql).await.map_err(refused)?;
        Ok::<_, Refusal>(answer.rows.into_iter().flatten().flatten().next().unwrap_or_default())
    };
    let columns = cell(format!("SELECT pg_catalog.rs_late_source({})", literal(&relation))).await?;
    let rows = cell(format!("SELECT coalesce(pg_catalog.json_agg(t), '[]')::text FROM {relation} t")).await?;
    Ok((columns, rows))
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
