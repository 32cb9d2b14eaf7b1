//! The tests of a connection: each with a status, what it found, and what to do where it failed.

use std::borrow::Cow;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::engine::error::{Error, Hints, shown};
use crate::engine::session::Facts;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::settings::access::{Iam, SslMode};
use crate::engine::sql::sql;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Skipped,
    Passed,
    Warning,
    Failed,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Skipped => "skipped",
            Status::Passed => "passed",
            Status::Warning => "warning",
            Status::Failed => "failed",
        }
    }
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestResult {
    pub name: Cow<'static, str>,
    pub status: Status,
    /// What a person should know: why it failed and what to do, or why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
}

/// All tests of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The worst of the tests.
    pub status: Status,
    pub tests: Vec<TestResult>,
    /// Who is signed in, where that worked.
    pub facts: Option<Facts>,
    /// Why it did not work.
    pub error: Option<Error>,
}

/// The name of the test that opens a session.
pub const CONNECTION: &str = "Initial Validation: Basic Connection Test";
const DATABASE: &str = "Database";
const CREDENTIALS: &str = "Temporary credentials";
const ENCRYPTION: &str = "Encryption";
const USER: &str = "Database user";
const CASE: &str = "Case of identifiers";
const VERSION: &str = "Server version";
const NAMESPACE: &str = "Namespace";

/// Signs in and tests the connection. What fails is a result, not an error; only [`Error::Cancelled`] is one.
pub async fn validate(warehouse: &Warehouse, hints: &Hints, cancel: &CancellationToken) -> Result<Validation, Error> {
    let access = warehouse.access();
    let tried = async {
        let mut session = warehouse.session(&access.database, cancel).await?;
        session.query(&sql!("SELECT 1")).await?;
        Ok(session.facts().clone())
    };
    let asked = Asked {
        endpoint: access.endpoint.to_string(),
        database: &access.database,
        user: &access.user,
        sslmode: access.sslmode,
        preserve_case: access.preserve_case,
        iam: access.iam.as_ref(),
    };
    match tried.await {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        outcome => Ok(judge(&asked, outcome, hints)),
    }
}

struct Asked<'a> {
    endpoint: String,
    database: &'a str,
    user: &'a str,
    sslmode: SslMode,
    preserve_case: Option<bool>,
    iam: Option<&'a Iam>,
}

impl Asked<'_> {
    /// The test of what AWS gives, where AWS is asked.
    fn credentials(&self) -> Option<TestResult> {
        self.iam.map(|iam| passed_with(CREDENTIALS, iam.to_string()))
    }
}

fn judge(asked: &Asked<'_>, outcome: Result<Facts, Error>, hints: &Hints) -> Validation {
    let tests = match &outcome {
        Ok(facts) => passed(asked, facts),
        // The line and the login are right, the session's way with names is not what was written.
        Err(Error::Setting { setting: "preserve_case", message }) => {
            let signed_in = [passed_with(CONNECTION, asked.endpoint.clone()), encryption(asked.sslmode)];
            let signed_in = asked.credentials().into_iter().chain(signed_in);
            let failed =
                TestResult { name: CASE.into(), status: Status::Failed, message: Some(message.clone()), result: None };
            let rest = [DATABASE, USER, VERSION, NAMESPACE].map(|name| skipped(name, "The session was not used."));
            signed_in.chain([failed]).chain(rest).collect()
        }
        Err(error) => {
            let failed = |name: &'static str| {
                let advice = error.advice(hints).map(|advice| format!("\n{advice}")).unwrap_or_default();
                let message = format!("{}: {}{advice}", error.summary(), error.detail());
                TestResult { name: name.into(), status: Status::Failed, message: Some(message), result: None }
            };
            // What is wrong beyond the line itself is the fault of the test that is named so.
            let at_fault = match error {
                _ if error.sqlstate() == Some("3D000") => DATABASE,
                Error::SignIn(_) => USER,
                Error::Tls { .. } => ENCRYPTION,
                Error::Aws(_) | Error::Away { .. } if asked.iam.is_some() => CREDENTIALS,
                _ => CONNECTION,
            };
            let reached = at_fault == DATABASE || at_fault == USER;
            let first = asked.iam.is_some().then_some(CREDENTIALS);
            first
                .into_iter()
                .chain([CONNECTION, ENCRYPTION, USER, DATABASE, CASE, VERSION, NAMESPACE])
                .map(|name| match name {
                    name if name == at_fault => failed(name),
                    // Nobody signs in without them, and whoever is out of reach may have got them.
                    CREDENTIALS if reached => asked.credentials().unwrap_or_else(|| skipped(name, "")),
                    CONNECTION if reached || at_fault == ENCRYPTION => passed_with(name, asked.endpoint.clone()),
                    ENCRYPTION if reached => encryption(asked.sslmode),
                    name => skipped(name, &format!("\"{at_fault}\" failed.")),
                })
                .collect()
        }
    };
    let status = tests.iter().map(|test| test.status).max().unwrap_or(Status::Skipped);
    let (facts, error) = match outcome {
        Ok(facts) => (Some(facts), None),
        Err(error) => (None, Some(error)),
    };
    Validation { status, tests, facts, error }
}

fn passed(asked: &Asked<'_>, facts: &Facts) -> Vec<TestResult> {
    let database = if crate::engine::names::same_name(asked.database, &facts.database, facts.case_sensitive) {
        passed_with(DATABASE, facts.database.clone())
    } else {
        TestResult {
            name: DATABASE.into(),
            status: Status::Warning,
            message: Some(format!(
                "\"{}\" was asked for, the session is in \"{}\".",
                shown(asked.database),
                shown(&facts.database)
            )),
            result: Some(facts.database.clone().into()),
        }
    };
    let user = if facts.user == asked.user || (asked.user.is_empty() && asked.iam.is_some()) {
        passed_with(USER, facts.user.clone())
    } else {
        TestResult {
            name: USER.into(),
            status: Status::Warning,
            message: Some(format!(
                "Signed in as \"{}\", but the session acts as \"{}\".",
                shown(asked.user),
                shown(&facts.user)
            )),
            result: Some(facts.user.clone().into()),
        }
    };
    let case = match (asked.preserve_case, facts.case_sensitive) {
        (None, true) => TestResult {
            name: CASE.into(),
            status: Status::Warning,
            message: Some(
                "enable_case_sensitive_identifier is on in this session: names in double quotes keep their case. Set \
                 preserve_case = true, so that a warehouse where it is off is noticed."
                    .to_owned(),
            ),
            result: Some("kept".into()),
        },
        (_, true) => passed_with(CASE, "kept".to_owned()),
        (_, false) => passed_with(CASE, "folded to lower case".to_owned()),
    };
    let namespace = match &facts.namespace {
        Some(namespace) => passed_with(NAMESPACE, namespace.clone()),
        None => skipped(NAMESPACE, "The warehouse does not tell its namespace."),
    };
    let rest = [
        passed_with(CONNECTION, asked.endpoint.clone()),
        encryption(asked.sslmode),
        user,
        database,
        case,
        passed_with(VERSION, server_version(&facts.server_version)),
        namespace,
    ];
    asked.credentials().into_iter().chain(rest).collect()
}

fn encryption(sslmode: SslMode) -> TestResult {
    let message = match sslmode {
        SslMode::Disable => {
            Some("The line is not encrypted: passwords and data can be read on the way. Set sslmode = \"verify-full\".")
        }
        SslMode::Require => Some(
            "The line is encrypted, but any server could be at its other end: its certificate is not checked. Set \
             sslmode = \"verify-full\".",
        ),
        SslMode::VerifyCa | SslMode::VerifyFull => None,
    };
    TestResult {
        name: ENCRYPTION.into(),
        status: if message.is_some() { Status::Warning } else { Status::Passed },
        message: message.map(str::to_owned),
        result: Some(sslmode.as_str().into()),
    }
}

pub(in crate::engine) fn passed_with(
    name: impl Into<Cow<'static, str>>,
    result: impl Into<serde_json::Value>,
) -> TestResult {
    TestResult { name: name.into(), status: Status::Passed, message: None, result: Some(result.into()) }
}

pub(in crate::engine) fn skipped(name: impl Into<Cow<'static, str>>, why: &str) -> TestResult {
    TestResult { name: name.into(), status: Status::Skipped, message: Some(why.to_owned()), result: None }
}

/// `1.0.12345` of `PostgreSQL 8.0.2 on ..., Redshift 1.0.12345`; the whole text where it reads otherwise.
pub fn server_version(text: &str) -> String {
    let version = text.rsplit_once("Redshift ").map_or(text, |(_, version)| version);
    version.split_whitespace().next().unwrap_or(text).trim_end_matches(',').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::{Reach, ServerError, SignInError};

    fn asked(sslmode: SslMode) -> Asked<'static> {
        Asked { endpoint: "h:5439".into(), database: "dev", user: "alice", sslmode, preserve_case: None, iam: None }
    }

    fn facts() -> Facts {
        Facts {
            user: "alice".into(),
            session_user: "alice".into(),
            database: "dev".into(),
            server_version: "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.71629".into(),
            backend_pid: 1,
            user_id: 100,
            superuser: true,
            createdb: false,
            case_sensitive: false,
            namespace: Some("guid".into()),
        }
    }

    fn statuses(validation: &Validation) -> Vec<(&str, Status)> {
        validation.tests.iter().map(|test| (test.name.as_ref(), test.status)).collect()
    }

    #[test]
    fn a_good_connection_passes_every_test() {
        let validation = judge(&asked(SslMode::VerifyFull), Ok(facts()), &Hints::default());
        assert_eq!(validation.status, Status::Passed);
        assert!(validation.tests.iter().all(|test| test.status == Status::Passed && test.message.is_none()));
        let version = validation.tests.iter().find(|test| test.name == VERSION).and_then(|test| test.result.clone());
        assert_eq!(version, Some("1.0.71629".into()));
        assert_eq!(server_version("something else"), "something");
    }

    /// Proves: Q38
    #[test]
    fn what_aws_does_not_allow_is_told_from_what_the_warehouse_does_not() {
        let iam = Iam {
            target: crate::engine::settings::needs::Target::Cluster("main".into()),
            region: None,
            roles: Vec::new(),
            user: None,
            duration: std::time::Duration::from_secs(900),
            for_want_of_password: false,
        };
        let asked = Asked { user: "", iam: Some(&iam), ..asked(SslMode::VerifyFull) };
        let good = judge(&asked, Ok(facts()), &Hints::default());
        assert_eq!((good.status, good.tests[0].name.as_ref()), (Status::Passed, CREDENTIALS));
        let denied = Error::Aws(Box::default());
        let denied = judge(&asked, Err(denied), &Hints::default());
        assert_eq!(statuses(&denied)[0], (CREDENTIALS, Status::Failed));
        assert!(statuses(&denied)[1..].iter().all(|(_, status)| *status == Status::Skipped));
        let missing = judge(&asked, Err(ServerError::new("3D000", "no database").into()), &Hints::default());
        let failed = |name: &str| missing.tests.iter().find(|test| test.name == name).map(|test| test.status);
        assert_eq!((failed(CREDENTIALS), failed(DATABASE)), (Some(Status::Passed), Some(Status::Failed)));
    }

    #[test]
    fn what_is_doubtful_is_a_warning() {
        let case_sensitive = Facts { case_sensitive: true, ..facts() };
        for (asked, facts, name) in [
            (asked(SslMode::Disable), facts(), ENCRYPTION),
            (asked(SslMode::Require), facts(), ENCRYPTION),
            (asked(SslMode::VerifyCa), case_sensitive.clone(), CASE),
            (asked(SslMode::VerifyCa), Facts { user: "bob".into(), ..facts() }, USER),
            (asked(SslMode::VerifyCa), Facts { database: "other".into(), ..facts() }, DATABASE),
        ] {
            let validation = judge(&asked, Ok(facts), &Hints::default());
            assert_eq!(validation.status, Status::Warning);
            let warned: Vec<&str> = validation
                .tests
                .iter()
                .filter(|test| test.status == Status::Warning)
                .map(|test| test.name.as_ref())
                .collect();
            assert_eq!(warned, [name]);
        }
        let written = Asked { preserve_case: Some(true), ..asked(SslMode::VerifyFull) };
        assert_eq!(judge(&written, Ok(case_sensitive), &Hints::default()).status, Status::Passed);
        let nameless = judge(&asked(SslMode::VerifyFull), Ok(Facts { namespace: None, ..facts() }), &Hints::default());
        assert_eq!((nameless.status, nameless.tests[6].status), (Status::Passed, Status::Skipped));
    }

    #[test]
    fn a_failure_is_told_by_the_test_it_belongs_to_and_the_rest_is_skipped() {
        let unreachable = Error::Unreachable { endpoint: "h:5439".into(), hostaddr: None, reach: Reach::Refused };
        let no_database = Error::from(ServerError::new("3D000", "database \"dev\" does not exist"));
        let wrong_password = Error::from(SignInError {
            sqlstate: Some("28000".into()),
            message: "password authentication failed for user \"alice\"".into(),
            endpoint: "h:5439".into(),
            database: "dev".into(),
            user: "alice".into(),
            user_source: "username".into(),
            password_source: "REDSHIFT_PASSWORD".into(),
            password_remark: None,
            encrypted: true,
        });
        for (error, name, passed) in
            [(unreachable, CONNECTION, 0), (no_database, DATABASE, 2), (wrong_password, USER, 2)]
        {
            let validation = judge(&asked(SslMode::VerifyFull), Err(error), &Hints::default());
            assert_eq!(validation.status, Status::Failed);
            for (test, status) in statuses(&validation) {
                assert_eq!(status == Status::Failed, test == name, "{test}");
            }
            let count = |wanted| validation.tests.iter().filter(|test| test.status == wanted).count();
            assert_eq!((count(Status::Passed), count(Status::Skipped)), (passed, 6 - passed));
            assert!(validation.facts.is_none() && validation.error.is_some());
        }
    }

    #[test]
    fn a_session_that_keeps_case_otherwise_than_written_fails_that_test_only() {
        let error = Error::setting("preserve_case", "preserve_case is true, but ...");
        let validation = judge(&asked(SslMode::VerifyFull), Err(error), &Hints::default());
        let failed: Vec<&str> = validation
            .tests
            .iter()
            .filter(|test| test.status == Status::Failed)
            .map(|test| test.name.as_ref())
            .collect();
        assert_eq!(failed, [CASE]);
        assert_eq!(validation.tests[0].status, Status::Passed);
    }
}
