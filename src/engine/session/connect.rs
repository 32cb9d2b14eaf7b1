//! Opening a line to a warehouse and signing in on it.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::SslMode as Wire;
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, NoTls};
use tokio_rustls::TlsConnector;

use crate::engine::error::{Error, Excess, Foreign, ProxyProblem, Reach, ServerError, SignInError, Stage, TlsProblem};
use crate::engine::password::stored_wrongly;
use crate::engine::session::bounds::{Bounded, excess};
use crate::engine::session::handshake::{self, Hello, Stop};
use crate::engine::session::row::Notice;
use crate::engine::session::{proxy, tls};
use crate::engine::settings::access::{Access, SslMode};
use crate::engine::settings::endpoint::bracketed;

/// A line to a warehouse: TCP, or TLS over it.
pub(super) struct Line {
    pub(super) stream: Box<dyn Duplex>,
    /// Whether it is TLS.
    pub(super) encrypted: bool,
}

/// What a line can do.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// The request for TLS: its length, and the code 1234 5679 (PostgreSQL 8.0, Message Formats, SSLRequest).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// How long a cancel request may take.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// A session on the wire, and the task that reads it.
pub(super) struct Wired {
    pub(super) client: Client,
    pub(super) notices: Arc<Mutex<Vec<Notice>>>,
    /// Ends with the line; says why.
    pub(super) end: JoinHandle<End>,
}

/// Why a line ended.
pub(super) struct End {
    /// In words.
    pub(super) reason: String,
    /// What was too much, where that is why.
    pub(super) excess: Option<Excess>,
}

impl End {
    /// What an error of the client library says.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        Self { reason: words(error), excess: std::error::Error::source(error).and_then(excess) }
    }

    fn closed() -> Self {
        Self { reason: "the connection was closed".to_owned(), excess: None }
    }
}

impl Wired {
    /// Takes the remarks that came since the last time.
    pub(super) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the line ended.
    pub(super) async fn reason(&mut self) -> End {
        match timeout(Duration::from_secs(1), &mut self.end).await {
            Ok(Ok(end)) => end,
            _ => End::closed(),
        }
    }
}

/// Until when a sign-in may take.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    limit: Duration,
    end: Instant,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { limit, end: Instant::now() + limit }
    }

    /// What `work` comes to. Errors: its own; that it was not done in time, having come as far as `stage`.
    pub(super) async fn within<T>(
        self,
        access: &Access,
        stage: Stage,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match timeout_at(self.end, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unreachable(access, Reach::Silent { after: self.limit, stage })),
        }
    }
}

/// Opens a line: TCP with keepalives to the host, by a proxy if there is one, or to `hostaddr` in its place; then TLS for
/// the host's name.
pub(super) async fn open_line(
    access: &Access,
    config: Option<&Arc<ClientConfig>>,
    deadline: Deadline,
) -> Result<Line, Error> {
    let limit = access.connect_timeout;
    let opened = timeout_at(deadline.end, open_tcp(access)).await;
    let stream = opened.unwrap_or_else(|_| Err(unreachable(access, Reach::TimedOut(limit))))?;
    match config {
        None => Ok(Line { stream: Box::new(stream), encrypted: false }),
        Some(config) => deadline.within(access, Stage::Connected, secure(stream, access, config.clone())).await,
    }
}

async fn open_tcp(access: &Access) -> Result<TcpStream, Error> {
    let opened = match (&access.hostaddr, &access.proxy) {
        (Some(address), _) => {
            let (host, port) = address.instead_of(&access.endpoint);
            dial(&host, port, access.connect_timeout).await
        }
        (None, Some(proxy)) => proxy::open(access, proxy).await,
        (None, None) => dial(&access.endpoint.host, access.endpoint.port, access.connect_timeout).await,
    };
    opened.map_err(|reach| unreachable(access, reach))
}

/// Opens a TCP line with keepalives, to one address after the other within the limit.
pub(super) async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, Reach> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Reach::NoSuchHost(format!("{}: {error}", bracketed(host))))?
        .collect();
    let started = Instant::now();
    let mut last = Reach::NoSuchHost(format!("{host} has no address"));
    for (tried, address) in addresses.iter().enumerate() {
        let left = limit.saturating_sub(started.elapsed());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let keepalive =
                    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(20));
                let tuned =
                    SockRef::from(&stream).set_tcp_keepalive(&keepalive).and_then(|()| stream.set_nodelay(true));
                if let Err(error) = tuned {
                    tracing::debug!(%error, "the socket takes no options");
                }
                return Ok(stream);
            }
            Ok(Err(error)) => last = reach(&error, limit),
            Err(_) => last = Reach::TimedOut(limit),
        }
    }
    Err(last)
}

async fn secure(mut stream: TcpStream, access: &Access, config: Arc<ClientConfig>) -> Result<Line, Error> {
    let failed =
        |problem| Error::Tls { endpoint: access.endpoint.to_string(), sslmode: access.sslmode.as_str(), problem };
    let mut answer = [0];
    let asked = async {
        stream.write_all(&SSL_REQUEST).await?;
        stream.read_exact(&mut answer).await
    };
    asked.await.map_err(|error| unreachable(access, reach(&error, access.connect_timeout)))?;
    match answer[0] {
        b'S' => {}
        b'N' => return Err(failed(TlsProblem::PlainServer)),
        _ => return Err(failed(TlsProblem::NotAWarehouse)),
    }
    let name = ServerName::try_from(access.endpoint.host.clone())
        .map_err(|error| Error::setting("host", format!("The host cannot stand in a certificate: {error}.")))?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Line { stream: Box::new(stream), encrypted: true }),
        Err(error) if error.get_ref().is_none() || error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(unreachable(access, reach(&error, access.connect_timeout)))
        }
        Err(error) => Err(failed(tls::problem(&error, &access.endpoint.host))),
    }
}

/// Signs in on a line. A password goes in clear only where the line is encrypted, or the user wants none that is.
pub(super) async fn sign_in(
    access: &Access,
    user: &str,
    password: Option<&SecretString>,
    database: &str,
    line: Line,
    application: &str,
) -> Result<Wired, Error> {
    let in_clear = line.encrypted || access.sslmode == SslMode::Disable;
    let hello = Hello { user, database, application };
    let begun = handshake::begin(line.stream, &hello, password, in_clear)
        .await
        .map_err(|stop| not_begun(access, user, database, stop))?;
    let mut config = Config::new();
    config.user(user).ssl_mode(Wire::Disable);
    let (client, mut connection) = config
        .connect_raw(Bounded::new(begun), NoTls)
        .await
        .map_err(|error| refused(access, user, database, &error))?;
    let notices = Arc::new(Mutex::new(Vec::new()));
    let kept = notices.clone();
    let end = tokio::spawn(async move {
        loop {
            match poll_fn(|cx| connection.poll_message(cx)).await {
                Some(Ok(AsyncMessage::Notice(notice))) => {
                    tracing::debug!(sqlstate = notice.code().code(), "notice of the warehouse");
                    let notice = Notice { sqlstate: notice.code().code().to_owned(), message: notice.message().into() };
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return End::of(&error),
                None => return End::closed(),
            }
        }
    });
    Ok(Wired { client, notices, end })
}

/// Asks the warehouse to stop what a session is doing, over a line of its own with the same TLS.
pub(super) async fn cancel(access: &Access, config: Option<&Arc<ClientConfig>>, token: &CancelToken) {
    let asked = timeout(CANCEL_TIME, async {
        let line = open_line(access, config, Deadline::after(CANCEL_TIME)).await.map_err(|error| error.summary())?;
        token.cancel_query_raw(line.stream, NoTls).await.map_err(|error| words(&error))
    });
    match asked.await {
        Ok(Ok(())) => tracing::debug!("cancel request sent"),
        Ok(Err(reason)) => tracing::debug!(%reason, "cancel request not sent"),
        Err(_) => tracing::debug!("cancel request not sent in time"),
    }
}

/// What it means that a session did not begin.
fn not_begun(access: &Access, user: &str, database: &str, stop: Stop) -> Error {
    match stop {
        Stop::Line(error) => unreachable(access, reach(&error, access.connect_timeout)),
        Stop::Garbled(what) => unreachable(access, Reach::NotAWarehouse(what)),
        Stop::Unknown(request) => about_login(access, user, database, None, request),
        Stop::NoPassword => about_login(access, user, database, None, "password missing".to_owned()),
        Stop::InClear => Error::Tls {
            endpoint: access.endpoint.to_string(),
            sslmode: access.sslmode.as_str(),
            problem: TlsProblem::PasswordInClear,
        },
    }
}

/// What a failed sign-in means. Class 28 is "invalid authorization specification".
fn refused(access: &Access, user: &str, database: &str, error: &tokio_postgres::Error) -> Error {
    if let Some(db) = error.as_db_error() {
        if db.code().code().starts_with("28") {
            return about_login(access, user, database, Some(db.code().code().to_owned()), db.message().to_owned());
        }
        return ServerError {
            statement: "(signing in)".to_owned(),
            database: database.to_owned(),
            user: user.to_owned(),
            ..server_error(db, |text| text.to_owned())
        }
        .into();
    }
    if let End { reason, excess: excess @ Some(_) } = End::of(error) {
        return Error::Lost {
            database: database.to_owned(),
            statement: Some("(signing in)".to_owned()),
            reason,
            excess,
        };
    }
    let reach = match error_source::<io::Error>(error) {
        Some(io) if io.kind() != io::ErrorKind::InvalidData => reach(io, access.connect_timeout),
        _ if error.is_closed() => Reach::HungUp,
        _ => Reach::Network(words(error)),
    };
    unreachable(access, reach)
}

fn about_login(
    access: &Access,
    user: &str,
    database: &str,
    sqlstate: Option<String>,
    message: impl Into<Foreign>,
) -> Error {
    Error::from(SignInError {
        sqlstate,
        message: message.into(),
        endpoint: access.endpoint.to_string(),
        database: database.to_owned(),
        user: user.to_owned(),
        user_source: access.user_source.clone(),
        password_source: access.password_source.clone(),
        password_remark: access.password.as_ref().and_then(|password| stored_wrongly(password.expose_secret())),
        encrypted: access.sslmode != SslMode::Disable,
    })
}

/// The fields of an error that the warehouse sent, each text passed through `scrub`.
pub(super) fn server_error(db: &DbError, scrub: impl Fn(&str) -> String) -> ServerError {
    ServerError {
        sqlstate: db.code().code().to_owned(),
        message: scrub(db.message()).into(),
        detail: db.detail().map(|text| scrub(text).into()),
        hint: db.hint().map(|text| scrub(text).into()),
        ..ServerError::default()
    }
}

/// An error of the client library in words, its cause included.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        // rustls explains at length what an end without a farewell is.
        Some(cause)
            if cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) =>
        {
            "the connection was closed".to_owned()
        }
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    }
}

fn error_source<T: std::error::Error + 'static>(error: &tokio_postgres::Error) -> Option<&T> {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref())
}

pub(super) fn reach(error: &io::Error, limit: Duration) -> Reach {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Reach::Refused,
        io::ErrorKind::TimedOut => Reach::TimedOut(limit),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Reach::HungUp,
        _ => Reach::Network(error.to_string()),
    }
}

/// That there is no line, with the way that was taken.
pub(super) fn unreachable(access: &Access, reach: Reach) -> Error {
    let reach = match (&access.proxy, &access.hostaddr, reach) {
        (Some(_), None, reach @ Reach::Proxy { .. }) => reach,
        (Some(proxy), None, reach) => {
            Reach::Proxy { address: proxy.to_string(), problem: ProxyProblem::Beyond(Box::new(reach)) }
        }
        (_, _, reach) => reach,
    };
    Error::Unreachable {
        endpoint: access.endpoint.to_string(),
        hostaddr: access.hostaddr.as_ref().map(ToString::to_string),
        reach,
    }
}
