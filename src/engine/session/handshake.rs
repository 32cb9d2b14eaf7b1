//! The first frames of a session: who wants which database, and the answer to the warehouse's request for a password.
//!
//! tokio-postgres would do this as well, but does not know request 13, by which Redshift asks a user whose password it
//! stores as `sha256|...`. So the session is begun here, and tokio-postgres takes the line over behind that ([`Begun`]).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use md5::{Digest, Md5};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::engine::password::{self, hex};

/// Version 3.0 of the protocol (PostgreSQL 8.0, Message Formats, StartupMessage).
const VERSION: [u8; 4] = [0, 3, 0, 0];

/// The longest frame that is read here. Requests have some 60 bytes, and an error its texts.
const LONGEST: usize = 64 << 10;

/// Authentication requests that are not answered, by their names.
const UNANSWERED: [(i32, &str); 8] = [
    (2, "Kerberos 5"),
    (4, "crypt"),
    (6, "SCM credentials"),
    (7, "GSSAPI"),
    (9, "SSPI"),
    (10, "SASL"),
    (13, "a digest other than SHA-256"),
    (14, "an identity provider's token"),
];

/// Who wants which database.
pub(super) struct Hello<'a> {
    pub(super) user: &'a str,
    pub(super) database: &'a str,
    pub(super) application: &'a str,
}

/// Why a session did not begin. An error that the warehouse sent is none of these: tokio-postgres reads it.
#[derive(Debug)]
pub(super) enum Stop {
    /// The line failed, or ended.
    Line(io::Error),
    /// What came is not of the wire protocol.
    Garbled(&'static str),
    /// Another request than those for a password: which.
    Unknown(String),
    /// A password is asked for, and there is none.
    NoPassword,
    /// The password is asked for in clear where that was forbidden.
    InClear,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

/// Begins a session on a line, up to the warehouse's verdict: that the user may come in, or an error. `in_clear` says
/// whether the password may be sent as it is.
pub(super) async fn begin<S>(
    mut line: S,
    hello: &Hello<'_>,
    password: Option<&SecretString>,
    in_clear: bool,
) -> Result<Begun<S>, Stop>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    send(&mut line, &startup(hello)?).await?;
    let first = Frame::read(&mut line).await?;
    let verdict = match first.request()? {
        None => first,
        Some(Request::Clear) if !in_clear => return Err(Stop::InClear),
        Some(request) => {
            let answer = answer(&request, hello.user, password.ok_or(Stop::NoPassword)?)?;
            send(&mut line, &answer).await?;
            let verdict = Frame::read(&mut line).await?;
            // Who asks twice collects answers.
            match verdict.request()? {
                None => verdict,
                Some(_) => return Err(Stop::Garbled("a second request for the password")),
            }
        }
    };
    Ok(Begun { line, swallow: Swallow::Length([0; 4], 0), replay: verdict.0, replayed: 0 })
}

async fn send(line: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    line.write_all(bytes).await?;
    line.flush().await
}

/// The StartupMessage.
fn startup(hello: &Hello<'_>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut parts = vec![VERSION.as_slice()];
    for (name, value) in [
        ("client_encoding", "UTF8"),
        // Before what the user or a parameter group has set; AWS's JDBC driver does the same.
        ("DateStyle", "ISO"),
        ("user", hello.user),
        ("database", hello.database),
        ("application_name", hello.application),
    ] {
        if value.contains('\0') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the {name} holds a NUL")));
        }
        parts.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"]);
    }
    parts.push(b"\0");
    frame(None, &parts)
}

/// A frame: its tag, unless it is the first one, its length and its parts.
fn frame(tag: Option<u8>, parts: &[&[u8]]) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    // Room for all of it: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + length));
    bytes.extend(tag);
    bytes.extend(count(length)?);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(bytes)
}

fn count(length: usize) -> io::Result<[u8; 4]> {
    i32::try_from(length).map(i32::to_be_bytes).map_err(io::Error::other)
}

/// The answer to a request, as a frame. Nothing else here opens a password.
fn answer(request: &Request<'_>, user: &str, password: &SecretString) -> io::Result<Zeroizing<Vec<u8>>> {
    tracing::debug!(?request, "a password is asked for");
    match request {
        Request::Clear => {
            let password = password.expose_secret();
            if password.contains('\0') {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the password holds a NUL"));
            }
            frame(Some(b'p'), &[password.as_bytes(), b"\0"])
        }
        Request::Md5 { salt } => {
            let stored = password::md5(user, password);
            let digest = stored.expose_secret().strip_prefix("md5").unwrap_or_default();
            let answer = Md5::new().chain_update(digest).chain_update(salt).finalize();
            frame(Some(b'p'), &[b"md5", hex(&answer).as_bytes(), b"\0"])
        }
        Request::Sha256 { salt, nonce } => {
            let stored = Sha256::new().chain_update(password.expose_secret()).chain_update(salt).finalize();
            let stored = Zeroizing::new(<[u8; 32]>::from(stored));
            // AWS's drivers send the digits of a point in time, so ours is text as well.
            let ours = hex(&rand::random::<[u8; 16]>());
            let answer =
                Sha256::new().chain_update(stored.as_slice()).chain_update(nonce).chain_update(&ours).finalize();
            frame(Some(b'd'), &[&count(answer.len())?, &answer, &count(ours.len())?, ours.as_bytes()])
        }
    }
}

/// What the warehouse asks for: a password, in one of three ways.
enum Request<'a> {
    /// Request 3: as it is.
    Clear,
    /// Request 5: the digest of its stored form and of four bytes.
    Md5 { salt: &'a [u8] },
    /// Request 13: the digest of its stored form, which has this salt, and of a nonce of each side (AWS's drivers for
    /// JDBC and Python, `ExtensibleDigest`).
    Sha256 { salt: &'a [u8], nonce: &'a [u8] },
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Md5 { .. } => "md5",
            Self::Sha256 { .. } => "sha256",
        })
    }
}

/// A frame of the warehouse, with its tag and length.
struct Frame(Vec<u8>);

impl Frame {
    async fn read(line: &mut (impl AsyncRead + Unpin)) -> Result<Self, Stop> {
        let mut head = [0; 5];
        line.read_exact(&mut head).await?;
        let [tag, length @ ..] = head;
        if !matches!(tag, b'R' | b'E') {
            return Err(Stop::Garbled("neither a request nor an error"));
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(4..=LONGEST).contains(&length) {
            return Err(Stop::Garbled("a frame of impossible length"));
        }
        let mut bytes = head.to_vec();
        bytes.resize(length + 1, 0);
        line.read_exact(&mut bytes[head.len()..]).await?;
        Ok(Self(bytes))
    }

    /// What is asked for; none if the frame is a verdict.
    fn request(&self) -> Result<Option<Request<'_>>, Stop> {
        let [b'R', _, _, _, _, body @ ..] = self.0.as_slice() else { return Ok(None) };
        let cut = || Stop::Garbled("a request that is cut short");
        let (kind, body) = number(body).ok_or_else(cut)?;
        let unknown = || {
            let name = UNANSWERED.iter().find(|(known, _)| *known == kind).map_or("unknown", |(_, name)| name);
            Stop::Unknown(format!("authentication request {kind} ({name})"))
        };
        match kind {
            0 => Ok(None),
            3 => Ok(Some(Request::Clear)),
            5 => Ok(Some(Request::Md5 { salt: body.get(..4).ok_or_else(cut)? })),
            13 => {
                let (algorithm, body) = number(body).ok_or_else(cut)?;
                if algorithm != 0 {
                    return Err(unknown());
                }
                let (salt, body) = counted(body).ok_or_else(cut)?;
                let (nonce, _) = counted(body).ok_or_else(cut)?;
                Ok(Some(Request::Sha256 { salt, nonce }))
            }
            _ => Err(unknown()),
        }
    }
}

fn number(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((i32::from_be_bytes(*number), rest))
}

/// Bytes behind their number.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// A line on which a session has begun, for a client who would begin it himself: his StartupMessage goes nowhere, and
/// what he reads first is the warehouse's verdict. All the rest goes through as it is.
pub(super) struct Begun<S> {
    line: S,
    swallow: Swallow,
    replay: Vec<u8>,
    replayed: usize,
}

/// How far the StartupMessage has come.
enum Swallow {
    /// So many bytes of its length are there.
    Length([u8; 4], usize),
    /// So many of its bytes are still to come.
    Rest(usize),
}

impl Swallow {
    /// How many bytes of `bytes` belong to the message; none when it is over.
    fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Length(length, have) => {
                let taken = bytes.len().min(length.len() - *have);
                length[*have..*have + taken].copy_from_slice(&bytes[..taken]);
                *have += taken;
                if *have == length.len() {
                    let whole = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                    *self = Self::Rest(whole.saturating_sub(4));
                }
                taken
            }
            Self::Rest(left) => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                taken
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = &this.replay[this.replayed..];
        if rest.is_empty() {
            return Pin::new(&mut this.line).poll_read(cx, buf);
        }
        let part = &rest[..rest.len().min(buf.remaining())];
        buf.put_slice(part);
        this.replayed += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.swallow.take(buf) {
            0 => Pin::new(&mut self.line).poll_write(cx, buf),
            taken => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}
