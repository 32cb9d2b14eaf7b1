//! How much space the schemas of a database may take.

use std::collections::HashMap;

use futures::future::BoxFuture;

use crate::engine::error::Error;
use crate::engine::session::Session;
use crate::engine::sql::sql;

/// The quotas that the login sees, in megabytes, by schema; 0 where the warehouse says none. Superusers see all of them,
/// others those of their own schemas (AWS: SVV_REDSHIFT_SCHEMA_QUOTA).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas(HashMap<String, u32>);

impl Quotas {
    /// That of a schema. None: there is none, or it is not shown.
    pub fn megabytes(&self, schema: &str) -> Option<u32> {
        self.0.get(schema).copied()
    }
}

/// Reads the quotas. A login that is refused them knows of none.
pub fn load(session: &mut Session) -> BoxFuture<'_, Result<Quotas, Error>> {
    Box::pin(async move {
        let query = sql!("SELECT database_name, schema_name, quota, current_database() FROM svv_redshift_schema_quota");
        let rows = match session.query(&query).await {
            Err(error) if error.sqlstate() == Some("42501") => {
                tracing::debug!(%error, "quotas are not shown to this login");
                Vec::new()
            }
            rows => rows?,
        };
        let mut quotas = HashMap::new();
        for row in &rows {
            // Both names are padded, and the view shows all databases.
            if row.text(0)?.trim_end() == row.text(3)?.trim_end() {
                let megabytes = row.get(2).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                quotas.insert(row.text(1)?.trim_end().to_owned(), megabytes);
            }
        }
        Ok(Quotas(quotas))
    })
}
