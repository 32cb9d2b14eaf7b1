//! A client of the simple protocol, as small as `sql()` and the tests of this crate need.

use bytes::{Buf as _, Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::{backend, frontend};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::Error;
use crate::front::auth;

/// A byte stream to a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One message: its tag and body.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The first byte.
    pub tag: u8,
    /// What follows the length.
    pub body: Bytes,
}

impl Frame {
    /// The frame as it stands on the wire.
    pub fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(&[self.tag]);
        out.extend_from_slice(&(self.body.len() as u32 + 4).to_be_bytes());
        out.extend_from_slice(&self.body);
    }
}

/// Reads the next frame; `None` at the end of the stream.
pub async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> std::io::Result<Option<Frame>> {
    loop {
        if buffer.len() >= 5 {
            let length = u32::from_be_bytes([buffer[1], buffer[2], buffer[3], buffer[4]]) as usize;
            if !(4..=256 << 20).contains(&length) {
                return Err(std::io::Error::other("a frame of impossible length"));
            }
            if buffer.len() > length {
                let mut frame = buffer.split_to(length + 1).freeze();
                let tag = frame[0];
                frame.advance(5);
                return Ok(Some(Frame { tag, body: frame }));
            }
            buffer.reserve(length + 1 - buffer.len());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// An error the server sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{severity}: {message} ({sqlstate})")]
pub struct ServerError {
    /// `ERROR` or `FATAL`.
    pub severity: String,
    /// Five characters.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
}

/// Reads the fields of an error or notice.
pub fn fields(body: &Bytes) -> Vec<(u8, String)> {
    let mut found = Vec::new();
    for part in body.split(|b| *b == 0) {
        if let Some((kind, text)) = part.split_first() {
            found.push((*kind, String::from_utf8_lossy(text).into_owned()));
        }
    }
    found
}

impl ServerError {
    fn read(body: &Bytes) -> Self {
        let fields = fields(body);
        let get = |kind| fields.iter().find(|(k, _)| *k == kind).map(|(_, text)| text.clone());
        ServerError {
            severity: get(b'S').unwrap_or_default(),
            sqlstate: get(b'C').unwrap_or_default(),
            message: get(b'M').unwrap_or_default(),
            detail: get(b'D'),
        }
    }
}

/// What one query string brought.
#[derive(Debug, Default, Clone)]
pub struct Answer {
    /// Rows of all statements.
    pub rows: Vec<Vec<Option<String>>>,
    /// Names of the last result's columns.
    pub columns: Vec<String>,
    /// Command tags.
    pub tags: Vec<String>,
    /// SQLSTATE and text of notices and warnings.
    pub notices: Vec<(String, String)>,
}

/// An open session.
pub struct Client {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    key: Option<Bytes>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// Signs in over an open stream.
    pub async fn connect(
        stream: impl Stream + 'static,
        user: &str,
        database: &str,
        password: &str,
    ) -> Result<Self, Error> {
        let mut client = Client { stream: Box::new(stream), buffer: BytesMut::new(), key: None };
        let parameters = [
            ("user", user),
            ("database", database),
            ("client_encoding", "UTF8"),
            ("application_name", "redshift-standin"),
        ];
        let mut out = BytesMut::new();
        frontend::startup_message(parameters, &mut out)?;
        client.stream.write_all(&out).await?;
        loop {
            let frame = client.frame().await?;
            match frame.tag {
                b'R' => {
                    if let Some(answer) = auth::answer(&frame.body, user, password)? {
                        client.stream.write_all(&answer).await?;
                    }
                }
                b'E' => return Err(ServerError::read(&frame.body).into()),
                b'K' => client.key = Some(frame.body),
                b'Z' => return Ok(client),
                _ => {}
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame, Error> {
        match read_frame(&mut self.stream, &mut self.buffer).await? {
            Some(frame) => Ok(frame),
            None => Err(Error::Io(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// What a request to cancel this session's query has to carry.
    pub fn cancel_key(&self) -> Option<Bytes> {
        self.key.clone()
    }

    /// Asks, on a stream of its own, to cancel the query of the session with this key.
    pub async fn cancel(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), key: Bytes) -> Result<(), Error> {
        let mut out = BytesMut::new();
        out.extend_from_slice(&(key.len() as u32 + 8).to_be_bytes());
        out.extend_from_slice(&80_877_102_u32.to_be_bytes());
        out.extend_from_slice(&key);
        stream.write_all(&out).await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }

    /// Sends one query string.
    pub async fn query(&mut self, sql: &str) -> Result<Answer, Error> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out)?;
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        let mut answer = Answer::default();
        let mut failure: Option<ServerError> = None;
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                b'E' => failure = failure.or_else(|| Some(ServerError::read(&frame.body))),
                b'N' => {
                    let notice = ServerError::read(&frame.body);
                    answer.notices.push((notice.sqlstate, notice.message));
                }
                b'Z' => return failure.map_or(Ok(answer), |f| Err(f.into())),
                _ => {
                    let mut whole = BytesMut::new();
                    frame.write(&mut whole);
                    match backend::Message::parse(&mut whole)? {
                        Some(backend::Message::DataRow(row)) => {
                            let values = row
                                .ranges()
                                .map(|range| Ok(range.map(|r| String::from_utf8_lossy(&row.buffer()[r]).into_owned())));
                            answer.rows.push(values.collect()?);
                        }
                        Some(backend::Message::RowDescription(description)) => {
                            answer.columns = description.fields().map(|f| Ok(f.name().to_owned())).collect()?;
                        }
                        Some(backend::Message::CommandComplete(done)) => answer.tags.push(done.tag()?.to_owned()),
                        _ => {}
                    }
                }
            }
        }
    }
}
