//! A warehouse of a test's own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redshift_standin::{Account, Client, Counters, SUPERUSER, Standin, StandinOptions, Tls, WarehouseKind};

/// Host names that the certificate is also for, in Redshift's shapes.
pub const CLUSTER_HOST: &str = "examplecluster.abc123xyz789.eu-west-1.redshift.amazonaws.com";
pub const WORKGROUP_HOST: &str = "analytics.123456789012.eu-west-1.redshift-serverless.amazonaws.com";

/// A stand-in with a superuser. It ends, and its files go, when this is dropped.
pub struct Warehouse(Standin);

/// Rows of text; NULL is None.
pub type Rows = Vec<Vec<Option<String>>>;

impl Warehouse {
    /// TLS on, the sample data, no faults.
    pub fn start() -> Self {
        let hosts = vec![CLUSTER_HOST.to_owned(), WORKGROUP_HOST.to_owned()];
        Self::with(StandinOptions { hosts, ..StandinOptions::default() })
    }

    /// One that does not speak TLS.
    pub fn plain() -> Self {
        Self::with(StandinOptions { tls: Tls::Off, ..StandinOptions::default() })
    }

    /// Of the kind that `STANDIN_KIND` names (`make kinds`), where the test asks for no other than the usual one.
    pub fn with(mut options: StandinOptions) -> Self {
        if let (Ok(name), WarehouseKind::Provisioned) = (std::env::var("STANDIN_KIND"), options.kind) {
            options.kind = WarehouseKind::named(&name).unwrap_or_else(|| panic!("STANDIN_KIND={name} is no kind"));
        }
        Warehouse(Standin::start(options).expect("the stand-in starts"))
    }

    /// The variables by which the provider finds this warehouse and its superuser.
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = vec![
            ("REDSHIFT_HOST", self.host()),
            ("REDSHIFT_PORT", self.port().to_string()),
            ("REDSHIFT_USER", SUPERUSER.to_owned()),
            ("REDSHIFT_PASSWORD", self.password().to_owned()),
            ("REDSHIFT_SSLROOTCERT", self.0.ca_file().display().to_string()),
        ];
        let there_is_a_root = self.0.ca_file().exists();
        let pairs = pairs.into_iter().filter(|(name, _)| there_is_a_root || *name != "REDSHIFT_SSLROOTCERT");
        pairs.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The variables by which the provider finds the AWS account around it; no login to the warehouse.
    pub fn aws_environment(&self) -> Vec<(String, String)> {
        let (id, secret) = self.0.aws().access_key();
        let root = self.0.ca_file().display().to_string();
        let pairs = [
            ("AWS_ENDPOINT_URL", self.0.aws_url()),
            ("AWS_REGION", self.0.aws().region().to_owned()),
            ("AWS_ACCESS_KEY_ID", id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("REDSHIFT_SSLROOTCERT", root),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Where that account's services listen.
    pub fn aws_address(&self) -> std::net::SocketAddr {
        let url = self.0.aws_url();
        url.trim_start_matches("http://").parse().expect("an address")
    }

    /// The AWS account around it.
    pub fn aws(&self) -> &Account {
        self.0.aws()
    }

    /// Where policies, secrets and faults can be put from outside the test.
    pub fn control_url(&self) -> String {
        self.0.control_url()
    }

    /// A name that the certificate has beside its address, so that there are two names for one warehouse.
    pub fn host(&self) -> String {
        "localhost".to_owned()
    }

    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// The file with the authority that signed its certificate.
    pub fn ca_file(&self) -> String {
        self.0.ca_file().display().to_string()
    }

    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    pub fn password(&self) -> &str {
        self.0.password()
    }

    /// A file with the roots of both, for a provider that reaches both.
    pub fn roots_of_both(&self, other: &Warehouse) -> String {
        let read = |warehouse: &Warehouse| std::fs::read_to_string(warehouse.0.ca_file()).expect("reads");
        let file = self.0.ca_file().with_file_name("both.pem");
        std::fs::write(&file, format!("{}{}", read(self), read(other))).expect("writes");
        file.display().to_string()
    }

    /// Runs a statement as the superuser.
    #[track_caller]
    pub fn sql(&self, database: &str, statement: &str) -> Rows {
        self.0.sql_blocking(database, statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Runs a statement where no rule for names holds.
    #[track_caller]
    pub fn sql_behind(&self, database: &str, statement: &str) -> Rows {
        self.0.behind_blocking(database, statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Runs a statement as another user: the rows, or SQLSTATE and text.
    pub fn sql_as(&self, user: &str, password: &str, database: &str, statement: &str) -> Result<Rows, String> {
        self.0.sql_as_blocking(user, password, database, statement).map_err(|error| error.to_string())
    }

    /// Runs statements one after the other in one session of the superuser, up to the first that is refused.
    pub fn run_all(&self, database: &str, statements: &[String]) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut client = self.0.session(SUPERUSER, None, database).await.map_err(|error| error.to_string())?;
            for statement in statements {
                client.query(statement).await.map_err(|error| format!("{statement}: {error}"))?;
            }
            Ok(())
        })
    }

    /// Runs a text by psql exactly as it is printed, as the superuser and up to the first error; on a machine without
    /// psql, what a simple client makes of it.
    pub fn run_script(&self, database: &str, text: &str) -> Result<(), String> {
        if !has_psql() {
            return self.run_all(database, &super::text::statements(text));
        }
        let output = self.psql(database, text, "1");
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// The same, where the statement after so many fails.
    pub fn run_script_until(&self, database: &str, text: &str, passes: usize) -> Result<(), String> {
        if !has_psql() {
            // Faults strike sessions that come from outside; without psql the line is cut there.
            let mut statements = super::text::statements(text);
            let all = statements.len();
            statements.truncate(passes);
            self.run_all(database, &statements)?;
            return if passes < all { Err("the session ended".to_owned()) } else { Ok(()) };
        }
        self.fault(redshift_standin::Fault::error("", "XX000", "made to fail").skip(passes.try_into().expect("few")));
        let outcome = self.run_script(database, text);
        self.clear_faults();
        outcome
    }

    /// The same, going on after a statement that is refused: the errors.
    pub fn run_script_to_its_end(&self, database: &str, text: &str) -> Vec<String> {
        if !has_psql() {
            let mut session = self.sit(SUPERUSER, self.password(), database);
            let one = |statement: String| session.sql(&statement).err();
            return super::text::statements(text).into_iter().filter_map(one).collect();
        }
        let output = self.psql(database, text, "0");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        told.lines().filter(|line| line.contains("ERROR:")).map(str::to_owned).collect()
    }

    fn psql(&self, database: &str, text: &str, stops: &str) -> std::process::Output {
        let mut psql = super::tools::clean(std::path::Path::new("psql"));
        psql.args(["--no-psqlrc", "--no-password", "--quiet", "--set", &format!("ON_ERROR_STOP={stops}")]);
        psql.args(["--file", "-"]);
        psql.env("PGHOST", self.host()).env("PGPORT", self.port().to_string()).env("PGDATABASE", database);
        psql.env("PGUSER", SUPERUSER).env("PGPASSWORD", self.password());
        psql.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", self.0.ca_file());
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = psql.spawn().expect("psql starts");
        let mut input = running.stdin.take().expect("an input");
        // What psql does not read it has refused, and says why.
        let _ = input.write_all(text.as_bytes());
        drop(input);
        running.wait_with_output().expect("psql ends")
    }

    /// Somebody else's transaction that did this statement and stays open, with what that locks, until it is dropped.
    #[track_caller]
    pub fn open_transaction(&self, database: &str, statement: &str) -> Sitting {
        let mut sitting = self.sit(SUPERUSER, self.password(), database);
        for sql in ["BEGIN", statement] {
            sitting.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        sitting
    }

    /// A session of a user that stays open: what it sets, it keeps.
    #[track_caller]
    pub fn sit(&self, user: &str, password: &str, database: &str) -> Sitting {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(self.0.session(user, Some(password), database));
        Sitting { client: client.unwrap_or_else(|error| panic!("{user}: {error}")), runtime }
    }

    /// Everything in a database and everything shared: users, groups, roles, rights, objects.
    pub fn dump(&self, database: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let text = runtime.block_on(self.0.dump(database)).expect("dumps");
        // The dump itself uses a temporary routine.
        text.lines().filter(|line| !line.contains(" pg_temp_")).map(str::to_owned).collect()
    }

    /// The same of every database.
    pub fn dump_all(&self) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let text = runtime.block_on(self.0.dump_all()).expect("dumps");
        text.lines().filter(|line| !line.contains(" pg_temp_")).map(str::to_owned).collect()
    }

    pub fn counters(&self) -> Counters {
        self.0.counters()
    }

    pub fn reset_counters(&self) {
        self.0.reset_counters();
    }

    /// How many GRANT, REVOKE, ALTER, CREATE and DROP came from outside.
    pub fn writes(&self) -> u64 {
        self.counters().changes()
    }

    pub fn sessions(&self) -> u64 {
        self.counters().sessions
    }

    /// The texts of the statements that came from outside.
    pub fn statements(&self) -> Vec<String> {
        self.0.log().into_iter().map(|logged| logged.sql).collect()
    }

    /// The same with who sent each, and to which database.
    pub fn log(&self) -> Vec<redshift_standin::Logged> {
        self.0.log()
    }

    /// Lets something go wrong.
    pub fn fault(&self, fault: redshift_standin::Fault) {
        self.0.fault(fault);
    }

    /// Waits until a statement is held by a fault, or no longer is.
    pub fn wait_for_stalled(&self, is: bool) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while (self.counters().stalled > 0) != is {
            assert!(std::time::Instant::now() < end, "nothing was held, or let go");
            std::thread::yield_now();
        }
    }

    /// Lets go of what is held by a fault.
    pub fn release(&self) {
        self.0.release();
    }

    pub fn clear_faults(&self) {
        self.0.clear_faults();
    }

    pub fn pause(&self) {
        self.0.pause().expect("pauses");
    }

    pub fn resume(&self) {
        self.0.resume().expect("resumes");
    }

    /// The rows of an external table's files.
    pub fn put_files(&self, location: &str, rows: &serde_json::Value) {
        self.0.put_files(location, rows).expect("files are put");
    }

    pub fn latency_ms(&self, milliseconds: u64) {
        self.0.set_latency(Duration::from_millis(milliseconds));
    }

    /// Waits until so many statements that begin so have come.
    pub fn wait_for_statement(&self, start: &str, times: usize) {
        let begun = Instant::now();
        while self.statements().iter().filter(|statement| statement.starts_with(start)).count() < times {
            assert!(begun.elapsed() < Duration::from_secs(60), "{start} did not come {times} times");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// A port forward to this warehouse.
    pub fn tunnel(&self) -> Tunnel {
        Tunnel::to(self.port())
    }

    /// A port that takes connections and never answers.
    pub fn silent_port(&self) -> SilentPort {
        SilentPort(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }
}

/// An open session. The line comes first: it needs the runtime to end.
pub struct Sitting {
    client: redshift_standin::Client,
    runtime: tokio::runtime::Runtime,
}

impl Sitting {
    /// Runs a statement: the rows, or SQLSTATE and text.
    pub fn sql(&mut self, statement: &str) -> Result<Rows, String> {
        let answer = self.runtime.block_on(self.client.query(statement));
        answer.map(|answer| answer.rows).map_err(|error| error.to_string())
    }

    /// The first value of the first row.
    #[track_caller]
    pub fn value(&mut self, query: &str) -> String {
        let rows = self.sql(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.into_iter().flatten().next().flatten().unwrap_or_default()
    }
}

/// Listens and says nothing.
pub struct SilentPort(TcpListener);

impl SilentPort {
    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }
}

/// A port forward on a loopback port of its own.
pub struct Tunnel {
    port: u16,
    used: Arc<AtomicBool>,
}

impl Tunnel {
    fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let used = Arc::new(AtomicBool::new(false));
        let seen = used.clone();
        std::thread::spawn(move || {
            for inbound in listener.incoming().flatten() {
                seen.store(true, Ordering::SeqCst);
                let Ok(outbound) = TcpStream::connect(("127.0.0.1", target)) else { return };
                for (from, to) in
                    [(inbound.try_clone(), outbound.try_clone()), (outbound.try_clone(), inbound.try_clone())]
                {
                    let (Ok(from), Ok(to)) = (from, to) else { return };
                    std::thread::spawn(move || copy(from, to));
                }
            }
        });
        Tunnel { port, used }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn was_used(&self) -> bool {
        self.used.load(Ordering::SeqCst)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Whether there is a psql that works: a distribution's wrapper may be there without what it wraps.
fn has_psql() -> bool {
    static HAS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *HAS.get_or_init(|| {
        let mut psql = super::tools::clean(std::path::Path::new("psql"));
        psql.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        psql.status().is_ok_and(|status| status.success())
    })
}
