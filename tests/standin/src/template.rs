//! The cluster every stand-in starts from: made once, kept below `target/standin/`, copied for each start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::net::UnixStream;

use crate::Error;
use crate::client::Client;
use crate::front::{self, Shared};
use crate::postgres::{Binaries, Postgres};

const SHIMS: [&str; 7] = [
    include_str!("shims/1_identities.sql"),
    include_str!("shims/2_rights.sql"),
    include_str!("shims/3_catalog.sql"),
    include_str!("shims/4_svv.sql"),
    include_str!("shims/5_late.sql"),
    include_str!("shims/6_functions.sql"),
    include_str!("shims/7_external.sql"),
];
const FIXTURES: &str = include_str!("fixtures.sql");
/// AWS, system-defined roles, with those of their permissions that the stand-in enforces; and one that a datashare
/// brings, which nobody may grant or revoke.
const SYSTEM_ROLES: [(&str, &str); 6] = [
    ("sys:operator", r#"["ACCESS CATALOG"]"#),
    ("sys:dba", r#"["CREATE SCHEMA", "ALTER DEFAULT PRIVILEGES", "ACCESS CATALOG"]"#),
    (
        "sys:superuser",
        r#"["CREATE USER", "DROP USER", "ALTER USER", "CREATE ROLE", "CREATE SCHEMA", "ALTER DEFAULT PRIVILEGES", "ACCESS SYSTEM TABLE"]"#,
    ),
    ("sys:secadmin", r#"["CREATE USER", "DROP USER", "ALTER USER", "CREATE ROLE"]"#),
    ("sys:monitor", r#"["ACCESS CATALOG", "ACCESS SYSTEM TABLE"]"#),
    ("ds:partner_share", "[]"),
];

/// Where things are kept between runs: `standin` below cargo's target folder.
pub fn cache() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let marks = [".rustc_info.json", "CACHEDIR.TAG"];
    let target = exe.ancestors().skip(1).find(|folder| marks.iter().any(|mark| folder.join(mark).exists()));
    let fallback = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"));
    target.map_or_else(fallback, Path::to_owned).join("standin")
}

/// What [`ensure`] has found, once for all clusters of this process.
pub async fn found() -> Result<(Binaries, PathBuf), Error> {
    static FOUND: tokio::sync::OnceCell<(Binaries, PathBuf)> = tokio::sync::OnceCell::const_new();
    FOUND.get_or_try_init(|| async { ensure(&cache()).await }).await.cloned()
}

/// PostgreSQL's binaries and the template's folder; fetches and makes what is missing. One process at a time.
async fn ensure(cache: &Path) -> Result<(Binaries, PathBuf), Error> {
    fs::create_dir_all(cache)?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let binaries = Binaries::find(cache)?;
    let mut digest = Sha256::new();
    SHIMS.iter().chain([&FIXTURES, &binaries.version.as_str()]).for_each(|text| digest.update(text));
    SYSTEM_ROLES.iter().for_each(|(name, rights)| digest.update(format!("{name}{rights}")));
    let key: String = digest.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let target = cache.join(format!("template-{key}"));
    if !target.exists() {
        let day = Duration::from_secs(24 * 3600);
        for old in fs::read_dir(cache)?.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("template-")) {
            if old.metadata()?.modified()?.elapsed().is_ok_and(|age| age > day) {
                fs::remove_dir_all(old.path())?;
            }
        }
        let part = cache.join("making");
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        make(&binaries, &part).await?;
        fs::rename(&part, &target)?;
    }
    Ok((binaries, target))
}

async fn make(binaries: &Binaries, target: &Path) -> Result<(), Error> {
    let mut postgres = Postgres::prepare(binaries, true)?;
    postgres.initdb()?;
    postgres.start()?;
    {
        let mut template = open(&postgres, "template1").await?;
        // Fewer files to copy: nothing needs template0 but its row in the catalogue, which a shim shows.
        for sql in [
            "ALTER DATABASE postgres RENAME TO padb_harvest",
            "UPDATE pg_database SET datistemplate = false WHERE datname = 'template0'",
            "DROP DATABASE template0",
        ] {
            template.query(sql).await?;
        }
        for shim in SHIMS {
            template.query(shim).await?;
        }
        for (name, rights) in SYSTEM_ROLES {
            let name = format!("{}{name}", crate::names::ROLE);
            let sql = format!(
                "CREATE ROLE \"{name}\"; COMMENT ON ROLE \"{name}\" IS '{{\"owner\": \"rdsdb\", \"system\": {rights}}}'"
            );
            template.query(&sql).await?;
        }
    }
    open(&postgres, "padb_harvest").await?.query("CREATE DATABASE dev").await?;
    let shared = Arc::new(Shared::new(postgres.socket(), crate::allowed::Allowed::new(&[]).map_err(Error::Option)?));
    let mut session: Option<Client> = None;
    for statement in statements(FIXTURES) {
        if let Some(rest) = statement.strip_prefix("\\connect ") {
            let (database, user) = rest.split_once(' ').unwrap_or((rest, "awsuser"));
            session = Some(Client::connect(front::internal(shared.clone(), true), user, database, "").await?);
        } else if let Some(session) = &mut session {
            session.query(&statement).await.map_err(|e| Error::Fixture(statement.clone(), Box::new(e)))?;
        }
    }
    let share = format!("GRANT SELECT ON finance.accounts TO \"{}ds:partner_share\"", crate::names::ROLE);
    open(&postgres, "dev").await?.query(&share).await?;
    drop((session, shared));
    postgres.stop_into(target)
}

fn statements(fixtures: &str) -> Vec<String> {
    let lines: Vec<_> = fixtures.lines().filter(|l| !l.starts_with("--") && !l.trim().is_empty()).collect();
    lines.iter().map(|l| l.trim_end_matches(';').to_owned()).collect()
}

/// A session of PostgreSQL's superuser, past the front, as soon as the server answers.
pub async fn open(postgres: &Postgres, database: &str) -> Result<Client, Error> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let attempt = match UnixStream::connect(postgres.socket()).await {
            Ok(stream) => Client::connect(stream, "rdsdb", database, "").await,
            Err(e) => Err(e.into()),
        };
        match attempt {
            Ok(client) => return Ok(client),
            // A server that starts refuses with 57P03, and before that there is no socket.
            Err(Error::Io(_)) if Instant::now() < end => {}
            Err(Error::Server(e)) if e.sqlstate == "57P03" && Instant::now() < end => {}
            Err(e) => return Err(Error::Postgres(format!("{e}\n{}", postgres.log()))),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
