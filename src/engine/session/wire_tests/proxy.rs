//! Lines through a SOCKS5 proxy, which is in the test process too.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::engine::error::ProxyProblem;
use crate::engine::settings::proxy::Proxy;
use crate::engine::trial::{PASSWORD, Trial};

/// A name that nobody but the proxy knows.
const HOST: &str = "warehouse.invalid";

/// What the proxy does.
#[derive(Clone, Copy)]
enum Way {
    /// Opens a line to this port of this machine, whatever is asked for.
    To(u16),
    /// The same for user "ann" with password "CAN:ARY".
    WithLogin(u16),
    /// Answers a request with this code.
    Reply(u8),
    /// Sends these bytes and hangs up.
    Bytes(&'static [u8]),
    /// Says nothing.
    Silent,
    /// Opens a line, and hangs up at once.
    HangUp,
}

struct Socks {
    port: u16,
    way: Way,
    /// The requests that came: kind of address, address, port.
    asked: Mutex<Vec<(u8, String, u16)>>,
}

impl Socks {
    async fn start(way: Way) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let socks = Arc::new(Self { port, way, asked: Mutex::default() });
        let serving = socks.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let socks = serving.clone();
                tokio::spawn(async move { socks.serve(stream).await });
            }
        });
        socks
    }

    fn asked(&self) -> Vec<(u8, String, u16)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        if let Way::Bytes(bytes) = self.way {
            return stream.write_all(bytes).await.ok();
        }
        let methods = counted(&mut stream, 1).await?;
        if let Way::Silent = self.way {
            return stream.read_u8().await.ok().map(drop);
        }
        if let Way::WithLogin(_) = self.way {
            if !methods.contains(&2) {
                return stream.write_all(&[5, 0xff]).await.ok();
            }
            stream.write_all(&[5, 2]).await.ok()?;
            let (user, password) = (counted(&mut stream, 1).await?, counted(&mut stream, 0).await?);
            let right = user == b"ann" && password == b"CAN:ARY";
            stream.write_all(&[1, u8::from(!right)]).await.ok()?;
        } else {
            stream.write_all(&[5, 0]).await.ok()?;
        }
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.ok()?;
        let address = match head[3] {
            1 => std::net::Ipv4Addr::from_bits(stream.read_u32().await.ok()?).to_string(),
            4 => std::net::Ipv6Addr::from_bits(stream.read_u128().await.ok()?).to_string(),
            _ => String::from_utf8(counted(&mut stream, 0).await?).ok()?,
        };
        let port = stream.read_u16().await.ok()?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((head[3], address, port));
        let code = if let Way::Reply(code) = self.way { code } else { 0 };
        stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
        let (Way::To(port) | Way::WithLogin(port)) = self.way else { return None };
        let mut warehouse = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        copy_bidirectional(&mut stream, &mut warehouse).await.ok().map(drop)
    }
}

/// Bytes behind their number, which comes after `skipped` bytes.
async fn counted(stream: &mut TcpStream, skipped: usize) -> Option<Vec<u8>> {
    stream.read_exact(&mut vec![0; skipped]).await.ok()?;
    let mut bytes = vec![0; stream.read_u8().await.ok()?.into()];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

fn by(port: u16, login: Option<(&str, &str)>) -> Access {
    let login = login.map(|(user, password)| (user.to_owned(), SecretString::from(password)));
    Access {
        endpoint: Endpoint { host: HOST.into(), port: 5439 },
        proxy: Some(Proxy { host: "127.0.0.1".into(), port, login }),
        sslmode: SslMode::Disable,
        connect_timeout: Duration::from_secs(20),
        ..sample()
    }
}

async fn failure(access: Access) -> (ProxyProblem, String) {
    let error = warehouse(access.clone()).session("dev", &never()).await.map(drop).expect_err("no session");
    let advice = error.advice(&Hints::default()).expect("advice");
    let shown = format!("{error} {advice}");
    assert!(error.is_unreachable() && !format!("{shown} {error:?} {access:?}").contains("CAN"), "{error:?}");
    match error {
        Error::Unreachable { reach: Reach::Proxy { address, problem }, .. } => {
            assert_eq!(address, access.proxy.expect("a proxy").to_string());
            assert!(shown.contains(&address) && shown.contains(HOST), "{shown}");
            (problem, shown)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_proxy_resolves_the_name_and_cancel_requests_go_the_same_way() {
    let script = |sql: &str| if sql == "SLOW" { Reply::Hang } else { Reply::Tag("OK") };
    let server = Server::start(Door::Sha256, script).await;
    let socks = Socks::start(Way::WithLogin(server.port)).await;
    let cancel = never();
    let warehouse = warehouse(by(socks.port, Some(("ann", "CAN:ARY"))));
    let mut session = warehouse.session("dev", &cancel).await.expect("a session");
    let slow = raw("SLOW");
    let (outcome, ()) = tokio::join!(session.execute(&slow), async {
        server.hanging.notified().await;
        cancel.cancel();
    });
    assert_eq!(outcome.map(drop), Err(Error::Cancelled));
    assert_eq!(server.seen(|seen| (seen.sign_ins, seen.cancels)), (1, 1));
    let name = || (3, HOST.to_owned(), 5439);
    assert_eq!(socks.asked(), [name(), name()]);
}

#[tokio::test]
async fn addresses_are_asked_for_as_addresses_and_hostaddr_goes_past_the_proxy() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let socks = Socks::start(Way::To(server.port)).await;
    for (host, kind) in [("192.0.2.1", 1), ("2001:db8::1", 4)] {
        let endpoint = Endpoint { host: host.into(), port: 5440 };
        let warehouse = warehouse(Access { endpoint, ..by(socks.port, None) });
        assert!(warehouse.session("dev", &never()).await.is_ok());
        assert_eq!(socks.asked().pop(), Some((kind, host.to_owned(), 5440)));
    }
    let hostaddr = Some(format!("127.0.0.1:{}", server.port).parse().expect("an address"));
    assert!(warehouse(Access { hostaddr, ..by(socks.port, None) }).session("dev", &never()).await.is_ok());
    assert_eq!(socks.asked().len(), 2);
}

#[tokio::test]
async fn a_login_is_asked_for_taken_or_refused() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let socks = Socks::start(Way::WithLogin(server.port)).await;
    let (problem, shown) = failure(by(socks.port, None)).await;
    assert_eq!(problem, ProxyProblem::WantsLogin);
    assert!(shown.contains("wants a login") && shown.contains("socks5://user:password@"), "{shown}");
    let (problem, shown) = failure(by(socks.port, Some(("ann", "CANNOT")))).await;
    assert_eq!(problem, ProxyProblem::LoginRefused);
    assert!(shown.contains("refused the login"), "{shown}");
    // A proxy that wants none takes one as well.
    let open = Socks::start(Way::To(server.port)).await;
    assert!(warehouse(by(open.port, Some(("ann", "CAN")))).session("dev", &never()).await.is_ok());
}

#[tokio::test]
async fn a_refusal_says_why() {
    for (code, words) in [
        (1, "does not know the host"),
        (2, "rules"),
        (3, "network"),
        (4, "does not reach the host"),
        (5, "nothing listens"),
        (6, "TTL"),
        (7, "no connections"),
        (8, "kind of host"),
        (9, "no reason"),
    ] {
        let socks = Socks::start(Way::Reply(code)).await;
        let (problem, shown) = failure(by(socks.port, None)).await;
        assert!(matches!(&problem, ProxyProblem::Refused(why) if why.contains(words)), "{code}: {problem:?}");
        assert!(shown.contains("refused the connection") && shown.contains("NO_PROXY"), "{shown}");
    }
    let socks = Socks::start(Way::Bytes(b"\x05")).await;
    let (problem, _) = failure(by(socks.port, None)).await;
    assert!(matches!(&problem, ProxyProblem::Refused(why) if why.contains("closed the connection")), "{problem:?}");
}

#[tokio::test]
async fn a_proxy_that_is_none_or_is_not_there_is_told_apart_from_what_is_beyond() {
    let socks = Socks::start(Way::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    assert_eq!(failure(by(socks.port, None)).await.0, ProxyProblem::NotSocks);
    let free = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port").local_addr().expect("an address").port();
    let (problem, shown) = failure(by(free, None)).await;
    assert_eq!(problem, ProxyProblem::Unreachable(Box::new(Reach::Refused)));
    assert!(shown.contains("cannot be reached. The connection was refused"), "{shown}");
    let nowhere = Proxy { host: "a..b".into(), port: 1, login: None };
    let (problem, _) = failure(Access { proxy: Some(nowhere), ..by(1, None) }).await;
    assert!(matches!(&problem, ProxyProblem::Unreachable(reach) if matches!(**reach, Reach::NoSuchHost(_))));
    let socks = Socks::start(Way::HangUp).await;
    assert_eq!(failure(by(socks.port, None)).await.0, ProxyProblem::Beyond(Box::new(Reach::HungUp)));
    let socks = Socks::start(Way::Silent).await;
    let limit = Duration::from_millis(200);
    let (problem, shown) = failure(Access { connect_timeout: limit, ..by(socks.port, None) }).await;
    assert_eq!(problem, ProxyProblem::Beyond(Box::new(Reach::TimedOut(limit))));
    assert!(shown.contains("through the SOCKS proxy") && shown.contains("security group"), "{shown}");
}

/// The certificate is checked for the warehouse's name, whoever leads there.
#[tokio::test(flavor = "multi_thread")]
async fn the_warehouse_is_verified_behind_the_proxy() {
    let trial = Trial::start();
    trial.make_user("ann").await;
    let socks = Socks::start(Way::To(trial.standin.port())).await;
    let direct = trial.sign_in("ann", PASSWORD).access().clone();
    let access = |host: &str| Access {
        endpoint: Endpoint { host: host.into(), port: 5439 },
        proxy: Some(Proxy { host: "localhost".into(), port: socks.port, login: None }),
        ..direct.clone()
    };
    let facts = warehouse(access("localhost")).facts(&never()).await.expect("facts");
    assert_eq!((facts.user.as_str(), socks.asked()), ("ann", vec![(3, "localhost".to_owned(), 5439)]));
    let error = warehouse(access(HOST)).facts(&never()).await.map(drop).expect_err("another name");
    assert!(matches!(error, Error::Tls { problem: TlsProblem::WrongName { .. }, .. }), "{error}");
}
