//! Connection strings: `postgresql://`, `postgres://`, `redshift://`, `jdbc:redshift://`, `jdbc:redshift:iam://`.

use secrecy::SecretString;

use crate::engine::error::Error;
use crate::engine::settings::access::SslMode;
use crate::engine::settings::endpoint::split_port;
use crate::engine::settings::uri::decode;
use crate::engine::settings::{IAM, Settings};

const SETTING: &str = "connection_string";

const NO_PASSWORD: &str = "A password has no place in jdbc:redshift:iam://, where AWS gives it.";

/// Parameters of drivers that have another place here, or none, with the reason (AWS: Options for JDBC driver version
/// 2.x configuration; libpq: Parameter Key Words). JDBC's names are in lower case.
const ELSEWHERE: &[(&str, &str)] = &[
    ("accesskeyid", "AWS credentials belong in the environment or a profile"),
    ("secretaccesskey", "AWS credentials belong in the environment or a profile"),
    ("sessiontoken", "AWS credentials belong in the environment or a profile"),
    ("profile", "write profile in the provider block"),
    ("autocreate", "a user is never made on the way: make it with redshift_user"),
    ("dbgroups", "groups are never joined on the way"),
    ("plugin_name", "only AWS's own credential chain is used"),
    ("authprofile", "only AWS's own credential chain is used"),
    ("client_secret", "only AWS's own credential chain is used"),
    ("webidentitytoken", "only AWS's own credential chain is used"),
    ("token", "only AWS's own credential chain is used"),
    ("rolearn", "write role_arn beside it"),
    ("rolesessionname", "write role_session_name beside it"),
    ("stsendpointurl", "write endpoints { sts = … } in the provider block"),
    ("hostaddr", "write hostaddr in the provider block"),
    ("sslcert", "no client certificate is used"),
    ("sslkey", "no client certificate is used"),
    ("sslpassword", "no client certificate is used"),
];

/// Parameters that tune a driver, its sessions or its logs, and say nothing of where the warehouse is and who signs in
/// there (the same pages; AWS's driver 1.x and pgjdbc, whose strings people move over). In lower case.
const OF_DRIVERS: &[&str] = &[
    "application_name",
    "applicationname",
    "app_name",
    "assumeminserverversion",
    "binarytransfer",
    "blockingrowsmode",
    "client_encoding",
    "compression",
    "connectiontimezone",
    "currentschema",
    "databasemetadatacurrentdbonly",
    "defaultrowfetchsize",
    "disableisvalidquery",
    "dsiloglevel",
    "enablefetchreadandprocessbuffers",
    "enablemultisqlsupport",
    "fallback_application_name",
    "fetchringbuffersize",
    "filterlevel",
    "forcelowercase",
    "gssencmode",
    "iamdisablecache",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "loadbalancehosts",
    "loglevel",
    "logpath",
    "loggerlevel",
    "opensourcesubprotocoloverride",
    "options",
    "overrideschemapatterntype",
    "partner_spid",
    "preparedstatementcachequeries",
    "preparedstatementcachesizemib",
    "preparethreshold",
    "querygroup",
    "readonly",
    "rewritebatchedinserts",
    "rewritebatchedinsertssize",
    "socketfactory",
    "sockettimeout",
    "sslcompression",
    "sslfactory",
    "sslfactoryarg",
    "sslsni",
    "stringtype",
    "target_session_attrs",
    "targetservertype",
    "tcp_user_timeout",
    "tcpkeepalive",
    "tcpkeepaliveminutes",
];

/// What is wrong with a string: a sentence that repeats no value.
struct Problem {
    words: String,
    /// Whether a character that was not percent-encoded may be the cause.
    by_form: bool,
}

impl Problem {
    fn of_parameter(words: impl Into<String>) -> Self {
        Self { words: words.into(), by_form: false }
    }
}

impl From<&str> for Problem {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl From<String> for Problem {
    fn from(words: String) -> Self {
        Self { words, by_form: true }
    }
}

/// The parameters of a connection string that are passed over, as they are written.
pub fn passed_over(text: &str) -> Vec<String> {
    let jdbc = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("jdbc:"));
    let Some((_, query)) = text.split_once(|c| c == '?' || (jdbc && c == ';')) else { return Vec::new() };
    let names = pairs(query, jdbc).map(|(name, _)| name).filter(|name| is_of_drivers(name));
    names.map(str::to_owned).collect()
}

fn is_of_drivers(name: &str) -> bool {
    OF_DRIVERS.contains(&name.to_ascii_lowercase().as_str())
}

fn pairs(query: &str, jdbc: bool) -> impl Iterator<Item = (&str, Option<&str>)> {
    let pairs = query.split(move |c| c == '&' || (jdbc && c == ';')).filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value))))
}

/// Whether a connection string holds a password. A string that cannot be read holds one if it might.
pub fn has_password(text: &str) -> bool {
    match read(text) {
        Ok(settings) => settings.password.is_some(),
        Err(_) => might_hold_password(text),
    }
}

/// The settings in a connection string. Errors: a Setting error of `connection_string`, which repeats nothing of a
/// string that might hold a password but the names of its parameters.
pub fn parse(text: &str) -> Result<Settings, Error> {
    read(text).map_err(|Problem { mut words, by_form }| {
        if by_form && might_hold_password(text) {
            words.push_str(" (A character of a password that has a meaning in URLs must be percent-encoded: @ is %40, / is %2F, ? is %3F, # is %23, % is %25.)");
        }
        Error::setting(SETTING, words)
    })
}

pub(super) fn might_hold_password(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let after = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let login = after.rsplit_once('@').is_some_and(|(login, _)| login.contains([':', '/', '?', '#']));
    login || lower.contains("password=") || lower.contains("pwd=")
}

fn read(text: &str) -> Result<Settings, Problem> {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| forms("The connection string has no scheme."))?;
    let (jdbc, iam) = match scheme.to_ascii_lowercase().as_str() {
        "postgresql" | "postgres" | "redshift" => (false, false),
        "jdbc:redshift" => (true, false),
        "jdbc:redshift:iam" => (true, true),
        _ => return Err(forms("The scheme of the connection string is not known.").into()),
    };
    if rest.contains('#') {
        return Err("The connection string holds a #, which starts no part of it.".into());
    }
    let (rest, query) = match rest.find(|c| c == '?' || (jdbc && c == ';')) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, ""),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') || query.contains('@') {
        return Err("The connection string holds an @ after the host.".into());
    }
    let mut settings = Settings { authentication_type: iam.then(|| IAM.to_owned()), ..Settings::default() };
    let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
    if let Some(login) = login {
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        settings.username = part(user, "user")?;
        settings.password = part(password.unwrap_or_default(), "password")?.map(SecretString::from);
        if iam && settings.password.is_some() {
            return Err(Problem::of_parameter(NO_PASSWORD));
        }
    }
    // jdbc:redshift:iam://cluster:region/database names the cluster in place of a host.
    let by_name = place.split_once(':').filter(|(name, region)| {
        iam && !name.is_empty() && !name.contains('.') && region.contains('-') && !region.contains([':', '.'])
    });
    if let Some((cluster, region)) = by_name {
        settings.cluster_identifier = part(cluster, "cluster")?;
        settings.region = part(region, "region")?;
    } else if !place.is_empty() {
        let (host, port) =
            split_port(place).map_err(|_| "The port in the connection string is no port (1 to 65535).")?;
        settings.host = part(host, "host")?;
        settings.port = port;
    }
    if path.contains('/') {
        return Err("The connection string has more than one / after the host.".into());
    }
    settings.database = part(path, "database")?;
    parameters(query, jdbc, iam, &mut settings)?;
    if let Some(host) = &settings.host {
        crate::engine::settings::host::parse_host(host)
            .map_err(|_| "The host in the connection string is neither a DNS name nor an IP address.")?;
    }
    Ok(settings)
}

fn forms(problem: &str) -> String {
    format!(
        "{problem} The forms are postgresql://, postgres://, redshift://, jdbc:redshift:// and jdbc:redshift:iam://, then [user@]host[:port][/database][?sslmode=verify-full]."
    )
}

/// A decoded part; none if it is empty.
fn part(text: &str, what: &str) -> Result<Option<String>, Problem> {
    let text =
        decode(text).ok_or_else(|| format!("The {what} in the connection string is not percent-encoded UTF-8."))?;
    Ok((!text.is_empty()).then_some(text))
}

fn parameters(query: &str, jdbc: bool, iam: bool, settings: &mut Settings) -> Result<(), Problem> {
    let (mut ssl, mut serverless) = (None, None);
    for (name, value) in pairs(query, jdbc) {
        if is_of_drivers(name) {
            weakens(name, value)?;
            continue;
        }
        let value = value.ok_or("A parameter of the connection string has no value.")?;
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err("A parameter of the connection string has no proper name.".into());
        }
        let value = part(value, "value of a parameter")?
            .ok_or_else(|| format!("The parameter \"{name}\" of the connection string is empty."))?;
        // JDBC's names know no case; libpq's are lower case.
        let known = if jdbc { name.to_ascii_lowercase() } else { name.to_owned() };
        match known.as_str() {
            "host" => put(&mut settings.host, value, name)?,
            "port" => {
                let port = crate::engine::settings::endpoint::parse_port(&value)
                    .map_err(|_| "The port in the connection string is no port (1 to 65535).")?;
                put(&mut settings.port, port, name)?;
            }
            "dbname" | "databasename" => put(&mut settings.database, value, name)?,
            "user" | "uid" => put(&mut settings.username, value, name)?,
            "password" | "pwd" if iam => {
                return Err(Problem::of_parameter(NO_PASSWORD));
            }
            "password" | "pwd" => put(&mut settings.password, SecretString::from(value), name)?,
            "sslmode" => {
                let mode = SslMode::parse(&value.to_ascii_lowercase())
                    .map_err(|error| Problem::of_parameter(error.sentence()))?;
                put(&mut settings.sslmode, mode.as_str().to_owned(), name)?;
            }
            "sslrootcert" => put(&mut settings.sslrootcert, value, name)?,
            "connect_timeout" | "logintimeout" | "connecttimeout" => {
                let seconds: u32 = value
                    .parse()
                    .map_err(|_| Problem::of_parameter(format!("\"{name}\" must be a number of seconds.")))?;
                // Drivers wait without an end at 0, and JDBC has two names for much the same.
                if seconds > 0 && !(known == "connecttimeout" && settings.connect_timeout.is_some()) {
                    settings.connect_timeout.take_if(|_| known == "logintimeout");
                    put(&mut settings.connect_timeout, format!("{seconds}s"), name)?;
                }
            }
            "ssl_insecure" => match value.to_ascii_lowercase().as_str() {
                "false" => {}
                _ => return Err(weaker(name)),
            },
            "ssl" => match value.to_ascii_lowercase().as_str() {
                "true" => put(&mut ssl, true, name)?,
                "false" => put(&mut ssl, false, name)?,
                _ => return Err(Problem::of_parameter("The parameter \"ssl\" must be true or false.")),
            },
            "dbuser" if iam => put(&mut settings.username, value, name)?,
            "clusterid" if iam => put(&mut settings.cluster_identifier, value, name)?,
            "serverlessworkgroup" if iam => put(&mut settings.workgroup_name, value, name)?,
            "region" if iam => put(&mut settings.region, value, name)?,
            "iamduration" if iam => put(&mut settings.password_duration, value, name)?,
            // The account of a workgroup follows from the identity that asks.
            "serverlessacctid" if iam => {}
            "isserverless" if iam => match value.to_ascii_lowercase().as_str() {
                "true" => put(&mut serverless, true, name)?,
                "false" => put(&mut serverless, false, name)?,
                _ => return Err(Problem::of_parameter("The parameter \"isServerless\" must be true or false.")),
            },
            "dbuser"
            | "clusterid"
            | "serverlessworkgroup"
            | "region"
            | "iamduration"
            | "isserverless"
            | "serverlessacctid"
            | "iam" => {
                return Err(Problem::of_parameter(format!(
                    "The parameter \"{name}\" belongs to jdbc:redshift:iam://."
                )));
            }
            other if let Some((_, why)) = ELSEWHERE.iter().find(|(known, _)| *known == other) => {
                let words = format!("The parameter \"{name}\" has no place in the connection string: {why}.");
                return Err(Problem::of_parameter(words));
            }
            _ => {
                return Err(Problem::of_parameter(format!(
                    "The connection string has an unknown parameter, \"{name}\". Known are user, password, sslmode, sslrootcert, connect_timeout, ssl and, for JDBC, UID, PWD and loginTimeout, with iam: DbUser, ClusterID, Region, IAMDuration, isServerless and serverlessWorkGroup. What only tunes a driver, such as tcpKeepAlive or application_name, is passed over."
                )));
            }
        }
    }
    if serverless == Some(true) && settings.cluster_identifier.is_some() {
        return Err(Problem::of_parameter("The connection string says isServerless and names a cluster."));
    }
    match (ssl, settings.sslmode.as_deref()) {
        (Some(true), Some("disable")) | (Some(false), Some("require" | "verify-ca" | "verify-full")) => {
            let words = "\"ssl\" and \"sslmode\" contradict each other in the connection string.";
            return Err(Problem::of_parameter(words));
        }
        // AWS's JDBC driver takes ssl=true for verify-ca; libpq takes it for require.
        (Some(true), None) => settings.sslmode = Some(if jdbc { "verify-ca" } else { "require" }.to_owned()),
        (Some(false), None) => settings.sslmode = Some("disable".to_owned()),
        _ => {}
    }
    Ok(())
}

/// Refuses a parameter of drivers that turns the check of the server's certificate off.
fn weakens(name: &str, value: Option<&str>) -> Result<(), Problem> {
    let is_factory = name.eq_ignore_ascii_case("sslfactory");
    let validates_nothing = |class: &str| class.to_ascii_lowercase().contains("nonvalidating");
    if is_factory && value.is_some_and(validates_nothing) { Err(weaker(name)) } else { Ok(()) }
}

fn weaker(name: &str) -> Problem {
    Problem::of_parameter(format!(
        "The parameter \"{name}\" of the connection string turns the check of the server's certificate off, so that anybody on the way could answer in the warehouse's place and read the password. Take it out: Redshift's certificates are verified without it. Who really wants no check writes sslmode=require."
    ))
}

fn put<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::of_parameter(format!("The connection string says twice what \"{name}\" says."))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::engine::settings::uri::encode;

    type Parts<'a> = (Option<&'a str>, Option<u16>, Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

    fn parts(settings: &Settings) -> Parts<'_> {
        (
            settings.host.as_deref(),
            settings.port,
            settings.database.as_deref(),
            settings.username.as_deref(),
            settings.password.as_ref().map(|password| password.expose_secret()),
            settings.sslmode.as_deref(),
        )
    }

    /// Proves: F9, F10
    #[test]
    fn the_forms_are_read() {
        let some = Some::<&str>;
        for (text, expected) in [
            (
                "postgresql://user:password@host:5439/dev?sslmode=require",
                (some("host"), Some(5439), some("dev"), some("user"), some("password"), some("require")),
            ),
            ("postgres://h", (some("h"), None, None, None, None, None)),
            ("redshift://u@h/d", (some("h"), None, some("d"), some("u"), None, None)),
            ("REDSHIFT://u%40x:p%40%2F%3f%25@h", (some("h"), None, None, some("u@x"), some("p@/?%"), None)),
            ("postgresql://[::1]:5440/d%20b", (some("::1"), Some(5440), some("d b"), None, None, None)),
            ("postgresql:///db", (None, None, some("db"), None, None, None)),
            ("postgresql://h?user=u&password=p%26q", (some("h"), None, None, some("u"), some("p&q"), None)),
            ("jdbc:redshift://h:5439/dev", (some("h"), Some(5439), some("dev"), None, None, None)),
            (
                "jdbc:redshift://h:1/dev;UID=u;PWD=p;ssl=true",
                (some("h"), Some(1), some("dev"), some("u"), some("p"), some("verify-ca")),
            ),
            (
                "jdbc:redshift://h/dev?User=u&sslMode=VERIFY-FULL&SSL=true",
                (some("h"), None, some("dev"), some("u"), None, some("verify-full")),
            ),
            ("postgresql://h/d?ssl=true", (some("h"), None, some("d"), None, None, some("require"))),
            ("postgresql://h/d?ssl=false", (some("h"), None, some("d"), None, None, some("disable"))),
        ] {
            let settings = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parts(&settings), expected, "{text}");
            assert_eq!(has_password(text), expected.4.is_some(), "{text}");
        }
        let settings = parse("jdbc:redshift://h/d?loginTimeout=10&sslRootCert=%2Fca.pem").expect("settings");
        assert_eq!(settings.connect_timeout.as_deref(), Some("10s"));
        assert_eq!(settings.sslrootcert.as_deref(), Some("/ca.pem"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("h:5439/dev", "no scheme"),
            ("mysql://h", "not known"),
            ("jdbc:redshift:iam://cluster:region/dev", "no port"),
            ("jdbc:redshift:iam://u:p@h/dev", "A password has no place"),
            ("jdbc:redshift:iam://h/dev?PWD=p", "A password has no place"),
            ("jdbc:redshift:iam://h/dev?AccessKeyID=p", "belong in the environment or a profile"),
            ("jdbc:redshift:iam://h/dev?AutoCreate=true", "never made on the way"),
            ("jdbc:redshift:iam://c:eu-west-1/dev?isServerless=true", "names a cluster"),
            ("jdbc:redshift://h/d?DbUser=x", "\"DbUser\" belongs to jdbc:redshift:iam://"),
            ("postgresql://h/d?colour=red", "unknown parameter, \"colour\""),
            ("postgresql://h/d?UID=red", "unknown parameter, \"UID\""),
            ("postgresql://h/d?sslmode=prefer", "fall back to clear text"),
            ("postgresql://h/d?ssl=yes", "true or false"),
            ("postgresql://h/d?ssl=true&sslmode=disable", "contradict"),
            ("postgresql://u@h/d?user=v", "says twice what \"user\" says"),
            ("postgresql://h:0/d", "no port"),
            ("postgresql://h/d?port=x", "no port"),
            ("postgresql://h/d/e", "more than one /"),
            ("postgresql://h/d#x", "#"),
            ("postgresql://h%zz/d", "percent-encoded"),
            ("postgresql://h1,h2/d", "neither"),
            ("postgresql://h/d?sslmode", "no value"),
            ("postgresql://h/d?sslmode=", "empty"),
            ("postgresql://h/d?connect_timeout=soon", "seconds"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(matches!(error, Error::Setting { setting: SETTING, .. }));
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn what_tunes_a_driver_is_passed_over() {
        for (text, names) in [
            ("jdbc:redshift://h:1/d?tcpKeepAlive=true&user=u&password=p", vec!["tcpKeepAlive"]),
            ("postgresql://u:p@h/d?application_name=airflow", vec!["application_name"]),
            ("postgresql://u:p@h/d?keepalives=1&keepalives_idle=30", vec!["keepalives", "keepalives_idle"]),
            ("postgresql://h/d?options=-c%20search_path%3Dx&sslmode=require", vec!["options"]),
            (
                "jdbc:redshift://h/d;socketTimeout=60;ApplicationName=;DSILogLevel=0",
                vec!["socketTimeout", "ApplicationName", "DSILogLevel"],
            ),
            ("jdbc:redshift://h/d?ssl=true&sslfactory=org.postgresql.ssl.LibPQFactory", vec!["sslfactory"]),
            ("jdbc:redshift://h/d?ssl_insecure=false", vec![]),
            ("postgresql://h/d", vec![]),
        ] {
            parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(passed_over(text), names, "{text}");
        }
        let timeout = |query: &str| parse(&format!("jdbc:redshift://h/d?{query}")).expect(query).connect_timeout;
        assert_eq!(timeout("loginTimeout=10&connectTimeout=5").as_deref(), Some("10s"));
        assert_eq!(timeout("connectTimeout=5&loginTimeout=10").as_deref(), Some("10s"));
        assert_eq!(timeout("connectTimeout=5").as_deref(), Some("5s"));
        assert_eq!(timeout("loginTimeout=0"), None);
    }

    #[test]
    fn what_weakens_tls_is_refused_for_that() {
        for text in [
            "jdbc:redshift://h/d?ssl=true&sslfactory=com.amazon.redshift.ssl.NonValidatingFactory&password=p",
            "jdbc:redshift://h/d;SSLFactory=org.postgresql.ssl.NonValidatingFactory",
            "jdbc:redshift://h/d?SSL_Insecure=true",
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("check of the server's certificate") && !error.contains("%40"), "{error}");
        }
        let error = parse("postgresql://u:p@h/d?colour=red").expect_err("colour").to_string();
        assert!(!error.contains("percent-encoded"), "{error}");
    }

    /// Proves: F11
    #[test]
    fn the_iam_forms_of_jdbc_are_read() {
        let read = |text: &str| parse(text).expect(text);
        let by_name = read("jdbc:redshift:iam://main:us-west-2/dev?DbUser=alice&IAMDuration=900");
        assert_eq!(
            (by_name.cluster_identifier.as_deref(), by_name.region.as_deref(), by_name.host.as_deref()),
            (Some("main"), Some("us-west-2"), None)
        );
        assert_eq!((by_name.username.as_deref(), by_name.password_duration.as_deref()), (Some("alice"), Some("900")));
        assert_eq!(by_name.authentication_type.as_deref(), Some(IAM));
        let by_host = read("jdbc:redshift:iam://h.example.com:5440/dev?ClusterID=main;Region=eu-west-1");
        assert_eq!((by_host.host.as_deref(), by_host.port), (Some("h.example.com"), Some(5440)));
        assert_eq!(
            (by_host.cluster_identifier.as_deref(), by_host.region.as_deref()),
            (Some("main"), Some("eu-west-1"))
        );
        let serverless = read("jdbc:redshift:iam://h/dev?isServerless=true&serverlessWorkGroup=wg1&serverlessAcctId=1");
        assert_eq!(serverless.workgroup_name.as_deref(), Some("wg1"));
    }

    proptest! {
        /// A password written raw, however it breaks the string, is not repeated and does not pass unseen.
        #[test]
        fn an_unencoded_password_is_never_shown(password in "CANARY[a-z/?#@:%&=;]{1,12}CANARY") {
            for text in [
                format!("postgresql://u:{password}@h:5439/d"),
                format!("jdbc:redshift://h/d;UID=u;PWD={password}"),
                format!("redshift://h/d?password={password}&colour=red"),
                format!("postgresql://u:{password}@h:x/d"),
            ] {
                prop_assert!(has_password(&text), "{}", text);
                if let Err(error) = parse(&text) {
                    prop_assert!(!error.to_string().contains("CANARY"), "{error}");
                }
            }
        }

        #[test]
        fn an_encoded_string_reads_back(user in "\\PC{1,12}", password in "\\PC{1,12}", database in "\\PC{1,12}", port in 1u16..) {
            let text = format!("redshift://{}:{}@h.example.com:{port}/{}", encode(&user), encode(&password), encode(&database));
            let settings = parse(&text).expect("settings");
            prop_assert_eq!(parts(&settings), (Some("h.example.com"), Some(port), Some(database.as_str()), Some(user.as_str()), Some(password.as_str()), None));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = parse(&text);
            let _ = parse(&format!("jdbc:redshift://{text}"));
        }
    }
}
