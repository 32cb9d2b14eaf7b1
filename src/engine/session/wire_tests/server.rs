//! A server of a few lines that speaks the wire protocol (version 3.0), for tests: it answers as it is told.

use std::sync::{Arc, Mutex, PoisonError};

use md5::{Digest, Md5};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::engine::session::facts::{namespace, opening};

/// What the server does about a statement.
pub(super) enum Reply {
    /// Rows of text.
    Rows(Vec<Vec<&'static str>>),
    /// A command's tag.
    Tag(&'static str),
    /// A notice with this code and text, then a tag.
    Remark(&'static str, &'static str),
    /// An error: severity, code, message.
    Error(&'static str, &'static str, String),
    /// Nothing, until a cancel request comes; then 57014.
    Hang,
    /// The end of the line.
    HangUp,
}

/// What the server does about a sign-in.
#[derive(Clone, Copy)]
pub(super) enum Door {
    /// Asks for the password "CANARY", in clear.
    Clear,
    /// Asks for the md5 form of it.
    Md5,
    /// Refuses with this code and message.
    Refuse(&'static str, &'static str),
    /// Refuses the first so many with 53300.
    Crowded(usize),
    /// Asks for the sha256 form of it.
    Sha256,
    /// Asks for nothing.
    Open,
    /// Sends these bytes, and hangs up.
    Bytes(&'static [u8]),
    /// Says nothing.
    Silent,
    /// Answers the request for TLS with a byte, and hangs up.
    Answer(u8),
    /// Hangs up.
    HangUp,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) sign_ins: usize,
    pub(super) cancels: usize,
    pub(super) statements: Vec<String>,
    pub(super) startup: Vec<String>,
}

type Script = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

#[derive(Clone)]
pub(super) struct Server {
    pub(super) port: u16,
    door: Door,
    script: Script,
    seen: Arc<Mutex<Seen>>,
    cancelled: Arc<Notify>,
    /// Tells the test that a statement hangs.
    pub(super) hanging: Arc<Notify>,
}

impl Server {
    pub(super) async fn start(door: Door, script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self {
            port,
            door,
            script: Arc::new(script),
            seen: Arc::default(),
            cancelled: Arc::default(),
            hanging: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = serving.clone();
                tokio::spawn(async move { session.serve(stream).await });
            }
        });
        server
    }

    /// What the server saw so far.
    pub(super) fn seen<T>(&self, read: impl FnOnce(&mut Seen) -> T) -> T {
        read(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The statements that came, without those that open a session.
    pub(super) fn statements(&self) -> Vec<String> {
        self.seen(|seen| seen.statements.clone())
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut startup = packet(&mut stream).await?;
        if startup == [0x04, 0xd2, 0x16, 0x2f] {
            let answer = match self.door {
                Door::Answer(byte) => byte,
                Door::HangUp => return None,
                _ => b'N',
            };
            stream.write_all(&[answer]).await.ok()?;
            return None;
        }
        if startup.starts_with(&[0x04, 0xd2, 0x16, 0x2e]) {
            self.seen(|seen| seen.cancels += 1);
            self.cancelled.notify_one();
            return None;
        }
        let parameters = startup.split_off(4);
        let number = self.seen(|seen| {
            seen.sign_ins += 1;
            seen.startup =
                parameters.split(|b| *b == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
            seen.sign_ins
        });
        match self.door {
            Door::Clear => {
                send(&mut stream, b'R', &[0, 0, 0, 3]).await?;
                if frame(&mut stream).await?.1 != b"CANARY\0" {
                    return send(&mut stream, b'E', &fields("FATAL", "28P01", "password authentication failed")).await;
                }
            }
            Door::Md5 => {
                send(&mut stream, b'R', &[0, 0, 0, 5, 1, 2, 3, 4]).await?;
                let inner = hex(&Md5::digest("CANARYalice"));
                let expected =
                    format!("md5{}\0", hex(&Md5::new().chain_update(inner).chain_update([1, 2, 3, 4]).finalize()));
                if frame(&mut stream).await?.1 != expected.as_bytes() {
                    return send(&mut stream, b'E', &fields("FATAL", "28000", "password authentication failed")).await;
                }
            }
            Door::Refuse(code, message) => return send(&mut stream, b'E', &fields("FATAL", code, message)).await,
            Door::Crowded(first) if number <= first => {
                return send(&mut stream, b'E', &fields("FATAL", "53300", "too many connections")).await;
            }
            Door::Crowded(_) => {}
            Door::Sha256 => {
                let (salt, nonce) = ([7; 32], [9; 16]);
                let request = [&[0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 32], &salt[..], &[0, 0, 0, 16], &nonce].concat();
                send(&mut stream, b'R', &request).await?;
                let (tag, body) = frame(&mut stream).await?;
                let stored = Sha256::digest([b"CANARY".as_slice(), &salt].concat());
                let ours = body.get(40..).unwrap_or_default();
                let expected = Sha256::digest([stored.as_slice(), &nonce, ours].concat());
                let length = u32::try_from(ours.len()).ok()?.to_be_bytes();
                if tag != b'd' || body != [&[0, 0, 0, 32], expected.as_slice(), &length, ours].concat() {
                    return send(&mut stream, b'E', &fields("FATAL", "28000", "password authentication failed")).await;
                }
            }
            Door::Open => {}
            Door::Bytes(bytes) => return stream.write_all(bytes).await.ok(),
            Door::Silent => return frame(&mut stream).await.map(drop),
            Door::Answer(_) | Door::HangUp => return None,
        }
        send(&mut stream, b'R', &[0; 4]).await?;
        send(&mut stream, b'K', &[0, 0, 0, 7, 0, 0, 0, 9]).await?;
        send(&mut stream, b'Z', b"I").await?;
        while let Some((b'Q', body)) = frame(&mut stream).await {
            let sql = String::from_utf8_lossy(&body[..body.len() - 1]).into_owned();
            let reply = match sql.as_str() {
                text if text == opening().open() => {
                    Reply::Rows(vec![vec!["alice", "alice", "dev", "Redshift 1.0", "7", "100", "t", "f", "off"]])
                }
                text if text == namespace().open() => {
                    Reply::Error("ERROR", "42703", "column \"current_namespace\" does not exist".into())
                }
                text if text.starts_with("SET statement_timeout") => Reply::Tag("SET"),
                text => {
                    self.seen(|seen| seen.statements.push(text.to_owned()));
                    (self.script)(text)
                }
            };
            self.answer(&mut stream, reply).await?;
            send(&mut stream, b'Z', b"I").await?;
        }
        Some(())
    }

    async fn answer(&self, stream: &mut TcpStream, reply: Reply) -> Option<()> {
        match reply {
            Reply::Rows(rows) => {
                let columns = rows.first().map_or(0, Vec::len);
                let mut head = u16::try_from(columns).ok()?.to_be_bytes().to_vec();
                for _ in 0..columns {
                    head.extend_from_slice(b"c\0");
                    head.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]);
                }
                send(stream, b'T', &head).await?;
                for row in rows {
                    let mut body = u16::try_from(row.len()).ok()?.to_be_bytes().to_vec();
                    for value in row {
                        body.extend_from_slice(&u32::try_from(value.len()).ok()?.to_be_bytes());
                        body.extend_from_slice(value.as_bytes());
                    }
                    send(stream, b'D', &body).await?;
                }
                send(stream, b'C', b"SELECT\0").await
            }
            Reply::Tag(tag) => send(stream, b'C', format!("{tag}\0").as_bytes()).await,
            Reply::Remark(code, message) => {
                send(stream, b'N', &fields("WARNING", code, message)).await?;
                send(stream, b'C', b"GRANT\0").await
            }
            Reply::Error(severity, code, message) => {
                send(stream, b'E', &fields(severity, code, &message)).await?;
                (severity != "FATAL").then_some(())
            }
            Reply::Hang => {
                self.hanging.notify_one();
                self.cancelled.notified().await;
                send(stream, b'E', &fields("ERROR", "57014", "canceling statement due to user request")).await
            }
            Reply::HangUp => None,
        }
    }
}

fn fields(severity: &str, code: &str, message: &str) -> Vec<u8> {
    format!("S{severity}\0C{code}\0M{message}\0\0").into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn send(stream: &mut TcpStream, kind: u8, body: &[u8]) -> Option<()> {
    let mut frame = vec![kind];
    frame.extend_from_slice(&u32::try_from(body.len() + 4).ok()?.to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame).await.ok()
}

async fn packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u32().await.ok()?;
    let mut body = vec![0; usize::try_from(length).ok()?.checked_sub(4)?];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

async fn frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    Some((kind, packet(stream).await?))
}
