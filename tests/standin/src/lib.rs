//! A local Redshift to develop and test against: Redshift's SQL and wire protocol in front, a real PostgreSQL behind.
//!
//! For development only. It accepts what is on its list (`ALLOWED.md`) and refuses everything else, so that SQL which
//! PostgreSQL runs and Redshift does not is found here. Start one inside a test with [`Standin::start`].

pub mod allowed;
pub mod aws;
mod client;
mod control;
mod dump;
mod faults;
mod front;
mod lake;
mod late;
mod names;
mod pattern;
mod plpgsql;
mod postgres;
mod query;
mod refusal;
mod rewrite;
mod slots;
mod table;
mod template;
mod token;
mod user_options;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use aws::{Account, AwsCall, AwsOptions, Cluster, Fixtures, SecretValue, Workgroup};
pub use client::{Answer, Client, ServerError};
pub use faults::{Action, Counters, Fault, Logged, On};
pub use front::Tls;
pub use front::auth::Auth;
pub use postgres::memory;

use front::{Front, Shared};
use names::literal;
use postgres::Postgres;

/// Why a stand-in did not start, or a statement did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// PostgreSQL is not found or does not start.
    #[error("PostgreSQL: {0}")]
    Postgres(String),
    /// An option is wrong.
    #[error("option: {0}")]
    Option(String),
    /// No certificate.
    #[error("TLS: {0}")]
    Tls(String),
    /// A fixture does not run.
    #[error("fixture {0:?}: {1}")]
    Fixture(String, Box<Error>),
    /// The other end broke the protocol.
    #[error("protocol: {0}")]
    Protocol(String),
    /// The server's error.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Input and output.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The name of the superuser that every stand-in has.
pub const SUPERUSER: &str = "awsuser";

/// How a stand-in is to be.
#[derive(Debug, Clone, Default)]
pub struct StandinOptions {
    /// The superuser's password; `None`: a random one.
    pub password: Option<String>,
    /// Whether TLS is offered, off or required.
    pub tls: Tls,
    /// How passwords are asked for.
    pub auth: Auth,
    /// Further names in the certificate, beside `localhost` and `127.0.0.1`.
    pub hosts: Vec<String>,
    /// What `current_namespace` answers.
    pub namespace: Namespace,
    /// `enable_case_sensitive_identifier` of new sessions.
    pub case_sensitive: bool,
    /// Which kind of warehouse it is.
    pub kind: WarehouseKind,
    /// Whether its nodes are of the families that read no other database (dc2, ds2).
    pub old_nodes: bool,
    /// What is to be the other way than it is taken to be.
    pub switches: Vec<Switch>,
    /// The AWS account.
    pub aws: AwsOptions,
    /// Entries of the list to take out, by id: see `ALLOWED.md`; `relation:`, `function:`, `type:`, `setting:`,
    /// `word:` and `plpgsql:` before a name of those lists.
    pub without: Vec<String>,
}

/// A kind of warehouse: some show less of themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WarehouseKind {
    /// A cluster in one zone.
    #[default]
    Provisioned,
    /// A cluster in two zones.
    MultiAz,
    /// A serverless workgroup.
    Serverless,
}

impl WarehouseKind {
    /// The kinds, with their names on a command line.
    pub const ALL: [(&'static str, WarehouseKind); 3] = [
        ("provisioned", WarehouseKind::Provisioned),
        ("multi-az", WarehouseKind::MultiAz),
        ("serverless", WarehouseKind::Serverless),
    ];

    /// The kind of that name.
    pub fn named(name: &str) -> Option<WarehouseKind> {
        WarehouseKind::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
    }

    /// Whether it shows a system relation: STL, STV, SVL and SVCS are of clusters in one zone only (AWS: Monitoring
    /// queries and workloads with Amazon Redshift Serverless; Multi-AZ clusters behave as such in this).
    pub fn shows(self, relation: &str) -> bool {
        let of_clusters = ["stl_", "stv_", "svl_", "svcs_"];
        self == WarehouseKind::Provisioned || !of_clusters.iter().any(|prefix| relation.starts_with(prefix))
    }
}

/// Something that no public text says of Redshift: the way in which it may be beside the one that is the rule here. A
/// provider has to live with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// The entry of a group in the text of an ACL stands in double quotes as a whole, as in AWS's example (r_PG_DEFAULT_ACL).
    QuotedGroups,
    /// UPDATE of a table counts the copies that DISTSTYLE ALL makes.
    CountsCopies,
    /// `has_table_privilege` and `has_schema_privilege` do not see what comes by a role or a scoped grant.
    PrivilegesWithoutRoles,
    /// SET SESSION AUTHORIZATION knows nobody who was made in the same transaction.
    NoNewAuthorization,
    /// Of a late-binding view on an external table its owner needs USAGE on the external schema, and who reads it does not.
    ExternalViewsByOwner,
}

impl Switch {
    /// All of them.
    pub const ALL: [Switch; 5] = [
        Switch::QuotedGroups,
        Switch::CountsCopies,
        Switch::PrivilegesWithoutRoles,
        Switch::NoNewAuthorization,
        Switch::ExternalViewsByOwner,
    ];

    /// The switch of that name.
    pub fn named(name: &str) -> Option<Switch> {
        Switch::ALL.into_iter().find(|switch| switch.name() == name)
    }

    /// Its name on the command line, and in the shims.
    pub fn name(self) -> &'static str {
        match self {
            Switch::QuotedGroups => "quoted-groups",
            Switch::CountsCopies => "counts-copies",
            Switch::PrivilegesWithoutRoles => "privileges-without-roles",
            Switch::NoNewAuthorization => "no-new-authorization",
            Switch::ExternalViewsByOwner => "external-views-by-owner",
        }
    }
}

/// What `current_namespace` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Namespace {
    /// A GUID of this stand-in's own.
    #[default]
    Random,
    /// This one: the same warehouse under another address.
    Set(String),
    /// It fails, as on a warehouse that does not know it.
    None,
}

/// A running stand-in. Dropped, it stops and leaves nothing behind; so it does when its process is killed.
pub struct Standin {
    shared: Arc<Shared>,
    front: Front,
    password: String,
    ca_file: PathBuf,
    control: SocketAddr,
    account: Arc<Account>,
    aws: SocketAddr,
    // Before the server, so that sessions end first.
    runtime: Option<tokio::runtime::Runtime>,
    postgres: Postgres,
}

impl std::fmt::Debug for Standin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Standin").field("address", &self.front.address()).finish_non_exhaustive()
    }
}

impl Standin {
    /// Starts one, on a free loopback port, with threads of its own: it may be called from anywhere, and the test may
    /// block. Takes about a second; the first one on a machine some seconds more.
    pub fn start(options: StandinOptions) -> Result<Self, Error> {
        std::thread::spawn(move || Self::start_here(options))
            .join()
            .unwrap_or_else(|_| Err(Error::Postgres("the start panicked".into())))
    }

    fn start_here(options: StandinOptions) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("redshift-standin")
            .enable_all()
            .build()?;
        let mut shared = Shared::new(PathBuf::new(), allowed::Allowed::new(&options.without).map_err(Error::Option)?);
        let (binaries, template) = runtime.block_on(template::found())?;
        let mut postgres = Postgres::prepare(&binaries, false)?;
        postgres.copy_from(&template)?;
        postgres.start()?;

        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let fixtures = Fixtures::new(&options.aws);
        hosts.extend([fixtures.cluster_host, fixtures.workgroup_host]);
        hosts.extend(options.hosts);
        let ca_file = postgres.socket().with_file_name("ca.pem");
        if options.tls != Tls::Off {
            let (acceptor, authority) = front::tls::make(&hosts)?;
            std::fs::write(&ca_file, authority)?;
            shared.acceptor = Some(acceptor);
        }
        shared.socket = postgres.socket();
        shared.tls = options.tls;
        shared.auth = options.auth;
        shared.case_sensitive = options.case_sensitive;
        shared.kind = options.kind;
        shared.old_nodes = options.old_nodes;
        shared.switches = options.switches;
        shared.namespace = match options.namespace {
            Namespace::Random => Some(guid()),
            Namespace::Set(guid) => Some(guid),
            Namespace::None => None,
        };
        let password = options.password.unwrap_or_else(|| format!("Aa1{:032x}", rand::random::<u128>()));
        let stored = serde_json::json!({ "password": front::auth::md5_stored(SUPERUSER, &password) }).to_string();
        runtime.block_on(async {
            let mut admin = template::open(&postgres, "padb_harvest").await?;
            admin.query(&format!("COMMENT ON ROLE {SUPERUSER} IS {}", literal(&stored))).await?;
            *shared.admin.lock().await = Some(admin);
            Ok::<_, Error>(())
        })?;
        let shared = Arc::new(shared);
        let front = Front::start(shared.clone(), runtime.handle().clone())?;
        let account = Account::new(options.aws, shared.clone(), front.address().port(), &password);
        let account = Arc::new(account.map_err(Error::Option)?);
        let aws = runtime.block_on(aws::serve(account.clone()))?;
        let control = runtime.block_on(control::start(shared.record.clone(), account.clone(), shared.lake.clone()))?;
        Ok(Standin { shared, front, password, ca_file, control, account, aws, runtime: Some(runtime), postgres })
    }

    /// Where it listens: always loopback.
    pub fn host(&self) -> String {
        self.front.address().ip().to_string()
    }

    /// The port of the warehouse.
    pub fn port(&self) -> u16 {
        self.front.address().port()
    }

    /// The certificate authority's PEM file; it exists unless TLS is off, and goes with the stand-in.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The superuser's password; his name is [`SUPERUSER`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// What `current_namespace` answers.
    pub fn namespace(&self) -> Option<&str> {
        self.shared.namespace.as_deref()
    }

    /// The control URL: `GET /counters`, `POST /counters/reset`, `POST /faults`, `POST /faults/release`, `DELETE /faults`;
    /// `PUT /policies`, `PUT /secrets`, `PUT /parameters`, `PUT /clusters`, `PUT /files` (README.md has the bodies).
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The AWS account.
    pub fn aws(&self) -> &Account {
        &self.account
    }

    /// Where the AWS account's services are: `AWS_ENDPOINT_URL`.
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        // The runtime is there until Drop.
        match &self.runtime {
            Some(runtime) => runtime.handle(),
            None => unreachable!("the stand-in is being dropped"),
        }
    }

    /// Runs a query string as the superuser, by the list, past faults and counters; its rows.
    pub async fn sql(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.ask(true, SUPERUSER, "", database, sql).await.map(|answer| answer.rows)
    }

    /// The same as another user, with his password.
    pub async fn sql_as(
        &self,
        user: &str,
        password: &str,
        database: &str,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.ask(false, user, password, database, sql).await.map(|answer| answer.rows)
    }

    /// [`Standin::sql`] for a thread that may block; not for an async function.
    pub fn sql_blocking(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.handle().block_on(self.sql(database, sql))
    }

    /// [`Standin::sql_as`] for a thread that may block; not for an async function.
    pub fn sql_as_blocking(
        &self,
        user: &str,
        password: &str,
        database: &str,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.handle().block_on(self.sql_as(user, password, database, sql))
    }

    /// Runs a statement in the PostgreSQL behind, past the list and the rules for names: for what only a stranger would do.
    /// For a thread that may block.
    pub fn behind_blocking(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.handle().block_on(async {
            let mut client = template::open(&self.postgres, database).await?;
            Ok(client.query(sql).await?.rows)
        })
    }

    /// An open session past faults and counters, for several statements in one transaction; `None` as password: as this
    /// user, whoever he is, without a sign-in.
    pub async fn session(&self, user: &str, password: Option<&str>, database: &str) -> Result<Client, Error> {
        let (shared, user) = (self.shared.clone(), user.to_owned());
        let (password, database) = (password.map(str::to_owned), database.to_owned());
        let task = self.handle().spawn(async move {
            let stream = front::internal(shared, password.is_none());
            Client::connect(stream, &user, &database, password.as_deref().unwrap_or_default()).await
        });
        task.await.map_err(|e| Error::Protocol(e.to_string()))?
    }

    async fn ask(&self, trusted: bool, user: &str, password: &str, database: &str, sql: &str) -> Result<Answer, Error> {
        let mut client = self.session(user, (!trusted).then_some(password), database).await?;
        client.query(sql).await
    }

    /// Puts rows into S3, where external tables of this LOCATION, or of a folder above it, read them from now on: a JSON
    /// array of objects, one a row, with a member for each column, partition columns included; what is left out is NULL.
    /// They replace what was put at exactly this location.
    pub fn put_files(&self, location: &str, rows: &serde_json::Value) -> Result<(), Error> {
        self.shared.lake.put([(location, rows)]).map_err(Error::Option)
    }

    /// Every object and right of a database, with columns, views' definitions and routines' sources, and every database,
    /// user (with what is stored of his password), group, role and membership, one per line, sorted: for comparing before
    /// and after. Rows of tables are no part of it.
    pub async fn dump(&self, database: &str) -> Result<String, Error> {
        let mut client = template::open(&self.postgres, database).await?;
        let text = dump::dump(&mut client).await?;
        Ok(self.shared.names.restore(&text).unwrap_or(text))
    }

    /// [`Standin::dump`] of every database, one after the other.
    pub async fn dump_all(&self) -> Result<String, Error> {
        let databases = self.sql("dev", "SELECT datname FROM pg_database WHERE datname NOT IN ('padb_harvest', 'template0', 'template1') ORDER BY datname").await?;
        let mut all = Vec::new();
        for database in databases.into_iter().flatten().flatten() {
            all.push(self.dump(&database).await?);
        }
        Ok(all.join("\n"))
    }

    /// Ends all sessions and refuses connections, as a paused cluster does.
    pub fn pause(&self) -> Result<(), Error> {
        self.front.pause()
    }

    /// Undoes [`Standin::pause`].
    pub fn resume(&self) -> Result<(), Error> {
        self.front.resume()
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.record.add_fault(fault);
    }

    /// Lets go the statements that a fault stalls.
    pub fn release(&self) {
        self.shared.record.release();
    }

    /// Waits until so many statements are stalled at once; `false` if they are not within `limit`. For a thread that may
    /// block.
    pub fn wait_for_stalled(&self, count: u64, limit: Duration) -> bool {
        let end = std::time::Instant::now() + limit;
        while self.counters().stalled < count {
            if std::time::Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Removes all faults and the latency, and lets go what is stalled.
    pub fn clear_faults(&self) {
        self.shared.record.clear_faults();
    }

    /// Time added to each round trip from outside.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.record.set_latency(latency);
    }

    /// What was asked from outside since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.shared.record.counters()
    }

    /// Counters to zero, log empty.
    pub fn reset_counters(&self) {
        self.shared.record.reset();
        self.account.reset_calls();
    }

    /// The statements from outside since the start or the last reset, in order.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.record.log()
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.front.pause();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn new(socket: PathBuf, allowed: allowed::Allowed) -> Self {
        Shared {
            socket,
            allowed,
            names: names::Names::default(),
            record: Arc::default(),
            logins: Arc::default(),
            tls: Tls::Off,
            acceptor: None,
            auth: Auth::default(),
            namespace: None,
            case_sensitive: false,
            kind: WarehouseKind::default(),
            old_nodes: false,
            switches: Vec::new(),
            failed_sign_ins: std::sync::Mutex::default(),
            own_paths: std::sync::atomic::AtomicBool::default(),
            outside: std::sync::atomic::AtomicBool::default(),
            lake: Arc::default(),
            admin: tokio::sync::Mutex::new(None),
        }
    }
}

pub(crate) fn guid() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
