//! Proxies of our own: SOCKS5 for the line to a warehouse, HTTP CONNECT for calls over HTTPS.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// What came through a proxy.
#[derive(Debug, Default)]
struct Seen {
    /// `host:port`, as it was asked for, of every line that was opened.
    passed: Vec<String>,
    /// The same of what was refused, for want of a login or of a route.
    refused: Vec<String>,
    /// Bytes in both directions.
    bytes: u64,
}

/// What both kinds of proxy share: a loopback port, names that only the proxy knows, and counters.
#[derive(Clone)]
pub struct Relay {
    port: u16,
    /// Ports of this machine by `host:port`.
    routes: Arc<BTreeMap<String, u16>>,
    login: Option<(String, String)>,
    seen: Arc<Mutex<Seen>>,
}

impl Relay {
    /// Listens, and serves each line on a thread of its own.
    fn start(routes: &[(&str, u16)], login: Option<(&str, &str)>, serve: fn(&Relay, TcpStream) -> Option<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let relay = Self {
            port: listener.local_addr().expect("an address").port(),
            routes: Arc::new(routes.iter().map(|(place, port)| ((*place).to_owned(), *port)).collect()),
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            seen: Arc::default(),
        };
        let serving = relay.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let relay = serving.clone();
                std::thread::spawn(move || serve(&relay, stream));
            }
        });
        relay
    }

    /// `127.0.0.1:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` of every line that was opened, in order.
    pub fn passed(&self) -> Vec<String> {
        self.seen(|seen| seen.passed.clone())
    }

    /// The same of what was refused. A login that is missing or wrong is noted as `login`.
    pub fn refused(&self) -> Vec<String> {
        self.seen(|seen| seen.refused.clone())
    }

    /// How many bytes came through, in both directions.
    pub fn bytes(&self) -> u64 {
        self.seen(|seen| seen.bytes)
    }

    /// Forgets what came through.
    pub fn reset(&self) {
        self.seen(|seen| *seen = Seen::default());
    }

    fn seen<T>(&self, read: impl FnOnce(&mut Seen) -> T) -> T {
        read(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the line that was asked for, and notes it. None: there is no such route, or nobody listens.
    fn open(&self, place: &str) -> Option<TcpStream> {
        let opened = self.routes.get(place).and_then(|port| TcpStream::connect(("127.0.0.1", *port)).ok());
        self.seen(|seen| if opened.is_some() { &mut seen.passed } else { &mut seen.refused }.push(place.to_owned()));
        opened
    }

    /// Passes bytes on, both ways, until one side is done.
    fn pass(&self, near: TcpStream, far: TcpStream) -> Option<()> {
        let (near_too, far_too, relay) = (near.try_clone().ok()?, far.try_clone().ok()?, self.clone());
        let back = std::thread::spawn(move || relay.copy(far_too, near_too));
        self.copy(near, far);
        back.join().ok()
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.seen(|seen| seen.bytes += length as u64);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    }
}

/// A SOCKS5 proxy (RFC 1928, RFC 1929). It opens lines to its routes only, whose names nobody else has to know.
pub struct SocksProxy(Relay);

impl SocksProxy {
    /// A proxy that leads from each `host:port` to a port of this machine.
    pub fn start(routes: &[(&str, u16)]) -> Self {
        Self(Relay::start(routes, None, socks))
    }

    /// The same for one user with a password.
    pub fn with_login(routes: &[(&str, u16)], user: &str, password: &str) -> Self {
        Self(Relay::start(routes, Some((user, password)), socks))
    }
}

impl Deref for SocksProxy {
    type Target = Relay;

    fn deref(&self) -> &Relay {
        &self.0
    }
}

fn socks(relay: &Relay, mut stream: TcpStream) -> Option<()> {
    let [5] = bytes(&mut stream)? else { return None };
    let methods = counted(&mut stream)?;
    let wanted = if relay.login.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        relay.seen(|seen| seen.refused.push("login".to_owned()));
        return stream.write_all(&[5, 0xff]).ok();
    }
    stream.write_all(&[5, wanted]).ok()?;
    if let Some((user, password)) = &relay.login {
        let [1] = bytes(&mut stream)? else { return None };
        let right =
            (counted(&mut stream)?, counted(&mut stream)?) == (user.as_bytes().into(), password.as_bytes().into());
        stream.write_all(&[1, u8::from(!right)]).ok()?;
        if !right {
            relay.seen(|seen| seen.refused.push("login".to_owned()));
            return None;
        }
    }
    let [5, 1, 0, kind] = bytes(&mut stream)? else { return None };
    let host = match kind {
        1 => Ipv4Addr::from(bytes::<4>(&mut stream)?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(bytes::<16>(&mut stream)?)),
        _ => String::from_utf8(counted(&mut stream)?).ok()?,
    };
    let far = relay.open(&format!("{host}:{}", u16::from_be_bytes(bytes(&mut stream)?)));
    // 4: host unreachable.
    stream.write_all(&[5, if far.is_some() { 0 } else { 4 }, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    relay.pass(stream, far?)
}

fn bytes<const N: usize>(stream: &mut TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Bytes behind their number.
fn counted(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let [length] = bytes(stream)?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// An HTTP proxy for CONNECT (RFC 9110, 9.3.6) and for requests in absolute form (RFC 9112, 3.2.2), one to each line. It
/// opens lines to its routes only.
pub struct ConnectProxy(Relay);

impl ConnectProxy {
    /// A proxy that leads from each `host:port` to a port of this machine.
    pub fn start(routes: &[(&str, u16)]) -> Self {
        Self(Relay::start(routes, None, connect))
    }

    /// The same for one user with a password.
    pub fn with_login(routes: &[(&str, u16)], user: &str, password: &str) -> Self {
        Self(Relay::start(routes, Some((user, password)), connect))
    }

    /// `http://127.0.0.1:port`, as `HTTPS_PROXY` names it. A login is not in it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Deref for ConnectProxy {
    type Target = Relay;

    fn deref(&self) -> &Relay {
        &self.0
    }
}

fn connect(relay: &Relay, mut stream: TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 << 10 {
        head.extend(bytes::<1>(&mut stream)?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut answer = |status: &str, more: &str| {
        stream.write_all(format!("HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n").as_bytes()).ok()
    };
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let tunnel = method == "CONNECT";
    let (place, path) = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
        None if tunnel => (target, ""),
        None => return answer("400 Bad Request", ""),
    };
    if let Some((user, password)) = &relay.login {
        let right = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        let given = lines.clone().filter_map(|line| line.split_once(':'));
        let mut given = given.filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
        if given.next().is_none_or(|(_, value)| value.trim() != right) {
            relay.seen(|seen| seen.refused.push("login".to_owned()));
            return answer("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"test\"\r\n");
        }
    }
    match relay.open(place) {
        None => answer("502 Bad Gateway", ""),
        Some(mut far) if !tunnel => {
            // The server ends the line after its answer, so that the next request is one for the proxy again.
            let mut forwarded = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
            let own = |line: &&str| {
                let name = line.split(':').next().unwrap_or_default();
                !["", "connection", "proxy-connection", "proxy-authorization"]
                    .iter()
                    .any(|o| name.eq_ignore_ascii_case(o))
            };
            lines.filter(own).for_each(|line| forwarded.extend([line, "\r\n"]));
            forwarded.push_str("\r\n");
            far.write_all(forwarded.as_bytes()).ok()?;
            relay.pass(stream, far)
        }
        Some(far) => {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
            relay.pass(stream, far)
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A server that sends back what it gets.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone()?, &mut stream));
        }
    });
    port
}

#[test]
fn a_connect_proxy_leads_to_its_routes_and_counts() {
    let proxy = ConnectProxy::with_login(&[("api.invalid:443", echo())], "ann", "secret");
    let ask = |place: &str, login: &str| {
        let mut stream = TcpStream::connect(proxy.address()).expect("the proxy");
        let head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nProxy-Authorization: Basic {login}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("asks");
        let mut line = vec![0; 12];
        stream.read_exact(&mut line).expect("an answer");
        (String::from_utf8(line).expect("text"), stream)
    };
    let login = base64(b"ann:secret");
    let (status, mut stream) = ask("api.invalid:443", &login);
    assert_eq!(status, "HTTP/1.1 200");
    let mut rest = vec![0; " Connection established\r\n\r\n".len()];
    stream.read_exact(&mut rest).expect("the head");
    stream.write_all(b"hello").expect("sends");
    assert_eq!(bytes::<5>(&mut stream), Some(*b"hello"));
    assert_eq!(ask("elsewhere.invalid:443", &login).0, "HTTP/1.1 502");
    assert_eq!(ask("api.invalid:443", "wrong").0, "HTTP/1.1 407");
    assert_eq!(proxy.passed(), ["api.invalid:443"]);
    assert_eq!(proxy.refused(), ["elsewhere.invalid:443", "login"]);
    assert_eq!(proxy.bytes(), 10);
    proxy.reset();
    assert!(proxy.passed().is_empty());
}

#[test]
fn a_request_in_absolute_form_is_passed_on_in_origin_form() {
    let proxy = ConnectProxy::with_login(&[("api.invalid:80", echo())], "ann", "secret");
    let mut stream = TcpStream::connect(proxy.address()).expect("the proxy");
    let login = base64(b"ann:secret");
    let head =
        format!("POST http://api.invalid:80/a?b HTTP/1.1\r\nHost: api.invalid\r\nProxy-Authorization: Basic {login}");
    stream.write_all(format!("{head}\r\nContent-Length: 4\r\n\r\nbody").as_bytes()).expect("asks");
    let passed_on = "POST /a?b HTTP/1.1\r\nConnection: close\r\nHost: api.invalid\r\nContent-Length: 4\r\n\r\nbody";
    let mut sent = vec![0; passed_on.len()];
    stream.read_exact(&mut sent).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&sent), passed_on);
    assert_eq!(proxy.passed(), ["api.invalid:80"]);
}
