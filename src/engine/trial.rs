//! For tests: an engine that is signed in to a stand-in.

pub mod trouble;

use std::sync::Arc;
use std::time::Duration;

use redshift_standin::{SUPERUSER, Standin, StandinOptions};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::engine::aws::AwsOptions;
use crate::engine::session::warehouse::{Engine, Options, Warehouse};
use crate::engine::settings::access::{Access, RootCert, SslMode};
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::user::{self, Password, PasswordHash, UserWanted};

/// A password that keeps Redshift's rules.
pub const PASSWORD: &str = "Canary123";

/// Whether everything is to be tried (`make campaign`), and not only a fair sample.
pub fn is_campaign() -> bool {
    std::env::var_os("CAMPAIGN").is_some()
}

/// A stand-in, and who signs in to it.
pub struct Trial {
    pub standin: Standin,
    pub never: CancellationToken,
}

impl Trial {
    pub fn start() -> Trial {
        Trial::with(StandinOptions::default())
    }

    pub fn with(options: StandinOptions) -> Trial {
        let standin = Standin::start(options).expect("the stand-in starts");
        Trial { standin, never: CancellationToken::new() }
    }

    /// A warehouse that knows nothing yet, for the superuser.
    pub fn warehouse(&self) -> Arc<Warehouse> {
        self.sign_in(SUPERUSER, self.standin.password())
    }

    /// The same for somebody else.
    pub fn sign_in(&self, user: &str, password: &str) -> Arc<Warehouse> {
        Engine::new(Options::default(), AwsOptions::default()).warehouse(Access {
            endpoint: Endpoint { host: self.standin.host(), port: self.standin.port() },
            hostaddr: None,
            proxy: None,
            database: "dev".into(),
            user: user.into(),
            user_source: "a test".into(),
            password: Some(SecretString::from(password)),
            password_source: "a test".into(),
            iam: None,
            sslmode: SslMode::VerifyFull,
            sslrootcert: Some(RootCert::Path(self.standin.ca_file().display().to_string())),
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(60),
            max_sessions: 4,
            preserve_case: None,
        })
    }

    /// Makes a user who can sign in with [`PASSWORD`].
    pub async fn make_user(&self, name: &str) {
        let wanted = UserWanted {
            name: name.into(),
            password: Password::Set(SecretString::from(PASSWORD), PasswordHash::Md5),
            connection_limit: None,
            valid_until: None,
        };
        user::create(&self.warehouse(), &wanted, &self.never).await.expect("the user is made");
    }

    /// Lets a fixture's user sign in with [`PASSWORD`].
    pub async fn let_in(&self, name: &str) -> Arc<Warehouse> {
        self.admin("dev", &format!("ALTER USER {name} PASSWORD '{PASSWORD}'")).await;
        self.sign_in(name, PASSWORD)
    }

    /// Runs a statement as the superuser, past the counters.
    pub async fn admin(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        match self.standin.sql(database, sql).await {
            Ok(rows) => rows,
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// Whether a user can run a statement.
    pub async fn can(&self, user: &str, database: &str, sql: &str) -> bool {
        self.standin.sql_as(user, PASSWORD, database, sql).await.is_ok()
    }

    /// Everything in a database.
    pub async fn dump(&self, database: &str) -> String {
        let text = self.standin.dump(database).await.expect("dumps");
        // Functions of the dump itself.
        text.lines().filter(|line| !line.starts_with("routine pg_temp_")).map(|line| format!("{line}\n")).collect()
    }

    /// The statements since the last reset that change something.
    pub fn changes(&self) -> Vec<String> {
        let verbs = ["GRANT", "REVOKE", "ALTER", "CREATE", "DROP"];
        let all = self.standin.log().into_iter().map(|logged| logged.sql);
        all.filter(|sql| verbs.iter().any(|verb| sql.trim_start().starts_with(verb))).collect()
    }
}
