//! A warehouse that means no good: it lets everybody in and answers as it is told, for as long as somebody reads.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What it sends: at the sign-in, after the login's verdict; and for each statement that does not open a session.
pub struct Script {
    pub verdict: Vec<u8>,
    pub answer: Vec<u8>,
    /// What follows for ever, at the sign-in or behind the answer.
    pub endless: Vec<u8>,
}

/// A message of the wire protocol.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// An error or a notice with these fields.
pub fn told(kind: u8, fields: &[(char, &str)]) -> Vec<u8> {
    let fields: String = fields.iter().map(|(name, text)| format!("{name}{text}\0")).collect();
    message(kind, format!("{fields}\0").as_bytes())
}

/// A row of text.
pub fn row(values: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).expect("few").to_be_bytes().to_vec();
    for value in values {
        body.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
        body.extend(value.as_bytes());
    }
    message(b'D', &body)
}

/// The head of rows with so many columns.
pub fn head(columns: u16) -> Vec<u8> {
    let mut body = columns.to_be_bytes().to_vec();
    for _ in 0..columns {
        body.extend(b"c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    }
    message(b'T', &body)
}

pub const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";

/// Starts it; it listens on this port of the loopback interface for as long as the test runs.
pub fn hostile(script: Script) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let script = script.clone();
            std::thread::spawn(move || serve(stream, &script));
        }
    });
    port
}

fn serve(mut stream: TcpStream, script: &Script) -> Option<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    body(&mut stream, length)?;
    stream.write_all(&script.verdict).ok()?;
    let at_sign_in = script.answer.is_empty();
    if at_sign_in {
        return flood(&mut stream, &script.endless);
    }
    stream.write_all(READY).ok()?;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).ok()?;
        let text = body(&mut stream, [head[1], head[2], head[3], head[4]])?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let done = message(b'C', b"SELECT\0");
        if text.contains("pg_backend_pid") {
            let facts = row(&["ann", "ann", "dev", "Redshift 1.0", "7", "100", "t", "t", "off"]);
            stream.write_all(&[self::head(9), facts, done].concat()).ok()?;
        } else if text.starts_with("SET") || text.contains("current_namespace") {
            stream.write_all(&done).ok()?;
        } else {
            stream.write_all(&script.answer).ok()?;
            flood(&mut stream, &script.endless)?;
        }
        stream.write_all(READY).ok()?;
    }
}

fn flood(stream: &mut TcpStream, endless: &[u8]) -> Option<()> {
    if endless.is_empty() {
        return Some(());
    }
    let many = endless.repeat(1 + (1 << 16) / endless.len());
    loop {
        stream.write_all(&many).ok()?;
    }
}

fn body(stream: &mut TcpStream, length: [u8; 4]) -> Option<Vec<u8>> {
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?.checked_sub(4)?];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}
