//! The stand-in, for callers that are not async: the commands of make and the end-to-end tests, which include this file.

use std::time::Duration;

use redshift_standin::{Counters, SUPERUSER, Standin, StandinOptions};
use tokio::runtime::Runtime;

/// A local warehouse with a superuser. It ends, and its files go, when this is dropped.
pub struct Warehouse {
    standin: Standin,
    runtime: Runtime,
}

impl Warehouse {
    /// A warehouse as it comes: TLS on, the sample data, no faults.
    pub fn start() -> Result<Self, String> {
        Self::with(StandinOptions::default())
    }

    pub fn with(options: StandinOptions) -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|e| e.to_string())?;
        let standin = Standin::start(options).map_err(|e| format!("the stand-in does not start: {e}"))?;
        Ok(Warehouse { standin, runtime })
    }

    /// The stand-in itself: faults, pause and resume, its log, and SQL as another user.
    pub fn standin(&self) -> &Standin {
        &self.standin
    }

    /// The variables by which the provider finds this warehouse and its superuser.
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("REDSHIFT_HOST", self.standin.host()),
            ("REDSHIFT_PORT", self.standin.port().to_string()),
            ("REDSHIFT_DATABASE", "dev".to_owned()),
            ("REDSHIFT_USER", SUPERUSER.to_owned()),
            ("REDSHIFT_PASSWORD", self.standin.password().to_owned()),
            ("REDSHIFT_SSLMODE", "verify-full".to_owned()),
            ("REDSHIFT_SSLROOTCERT", self.standin.ca_file().display().to_string()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The variables by which the provider finds the AWS account around it.
    pub fn aws_environment(&self) -> Vec<(String, String)> {
        let (id, secret) = self.standin.aws().access_key();
        let pairs = [
            ("AWS_ENDPOINT_URL", self.standin.aws_url()),
            ("AWS_REGION", self.standin.aws().region().to_owned()),
            ("AWS_ACCESS_KEY_ID", id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Runs statements as the superuser, one after the other in one session.
    pub fn run(&self, database: &str, statements: &[&str]) -> Result<(), String> {
        self.runtime.block_on(async {
            let session = self.standin.session(SUPERUSER, None, database).await;
            let mut session = session.map_err(|e| format!("{database}: {e}"))?;
            for statement in statements {
                session.query(statement).await.map_err(|e| format!("{statement}: {e}"))?;
            }
            Ok(())
        })
    }

    /// The rows of a query that the superuser asks; NULL is None.
    pub fn rows(&self, database: &str, query: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        self.standin.sql_blocking(database, query).map_err(|e| format!("{query}: {e}"))
    }

    /// The rows of a query, or its error, for a user who signs in with a password.
    pub fn rows_as(
        &self,
        user: &str,
        password: &str,
        database: &str,
        query: &str,
    ) -> Result<Vec<Vec<Option<String>>>, String> {
        self.standin.sql_as_blocking(user, password, database, query).map_err(|e| e.to_string())
    }

    /// Everything in a database and everything shared, one line each: users, groups, roles, rights, objects.
    pub fn dump(&self, database: &str) -> Result<Vec<String>, String> {
        let text = self.runtime.block_on(self.standin.dump(database)).map_err(|e| format!("{database}: {e}"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// What was asked from outside since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.standin.counters()
    }

    pub fn reset_counters(&self) {
        self.standin.reset_counters();
    }

    /// Adds this to each round trip from now on; zero takes it away.
    pub fn latency(&self, added: Duration) {
        self.standin.set_latency(added);
    }
}
