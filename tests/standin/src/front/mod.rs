//! The warehouse's front: Redshift's wire protocol on one side, PostgreSQL's on the other.

mod across;
pub mod auth;
mod binding;
pub mod relay;
mod session;
mod startup;
pub mod tls;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::allowed::Allowed;
use crate::aws::logins::Logins;
use crate::client::Client;
use crate::faults::Record;
use crate::lake::Lake;
use crate::names::Names;
use crate::{Error, Switch, WarehouseKind};

/// Whether the line is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// For who asks.
    #[default]
    Offered,
    /// The server answers N.
    Off,
    /// A sign-in without TLS is refused.
    Required,
}

/// What all sessions share.
pub struct Shared {
    /// PostgreSQL's socket.
    pub socket: PathBuf,
    /// The list.
    pub allowed: Allowed,
    /// Long names.
    pub names: Names,
    /// Faults and counters.
    pub record: Arc<Record>,
    /// Credentials that the AWS account handed out.
    pub logins: Arc<Logins>,
    /// Whether TLS is offered.
    pub tls: Tls,
    /// The acceptor, unless TLS is off.
    pub acceptor: Option<TlsAcceptor>,
    /// How passwords are asked for.
    pub auth: auth::Auth,
    /// What `current_namespace` says.
    pub namespace: Option<String>,
    /// `enable_case_sensitive_identifier` of a new session.
    pub case_sensitive: bool,
    /// Which kind of warehouse it is.
    pub kind: WarehouseKind,
    /// Whether its nodes read no other database.
    pub old_nodes: bool,
    /// What is the other way than it is taken to be.
    pub switches: Vec<Switch>,
    /// How often in a row each user's password was wrong.
    pub failed_sign_ins: std::sync::Mutex<HashMap<String, u32>>,
    /// Whether a user was given a search_path.
    pub own_paths: std::sync::atomic::AtomicBool,
    /// Whether an external schema was made.
    pub outside: std::sync::atomic::AtomicBool,
    /// What lies outside of the warehouse.
    pub lake: Arc<Lake>,
    /// For looking up passwords; not before the cluster is made.
    pub admin: tokio::sync::Mutex<Option<Client>>,
}

enum State {
    /// The token ends listener and sessions; the channel closes when the listener is gone.
    Listening(CancellationToken, mpsc::Receiver<()>),
    /// The port is held, nobody listens.
    Paused(TcpSocket),
    /// Neither; an earlier change of state failed.
    Broken,
}

/// The listener, which can be paused.
pub struct Front {
    shared: Arc<Shared>,
    address: SocketAddr,
    state: Mutex<State>,
    handle: tokio::runtime::Handle,
}

impl Front {
    /// Listens on a free loopback port.
    pub fn start(shared: Arc<Shared>, handle: tokio::runtime::Handle) -> Result<Self, Error> {
        let _context = handle.enter();
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?;
        let front = Front { shared, address, state: Mutex::new(State::Paused(socket)), handle: handle.clone() };
        front.resume()?;
        Ok(front)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all sessions and refuses connections; the port stays ours.
    pub fn pause(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Listening(token, gone) = std::mem::replace(&mut *state, State::Broken) {
            token.cancel();
            // The listener's task runs on threads of its own; nothing is ever sent.
            let _ = gone.recv();
            let _context = self.handle.enter();
            *state = State::Paused(bind_again(self.address)?);
        }
        Ok(())
    }

    /// Listens again.
    pub fn resume(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _context = self.handle.enter();
        let socket = match std::mem::replace(&mut *state, State::Broken) {
            State::Paused(socket) => socket,
            State::Broken => bind_again(self.address)?,
            listening => {
                *state = listening;
                return Ok(());
            }
        };
        let listener = socket.listen(256)?;
        let token = CancellationToken::new();
        let (alive, gone) = mpsc::channel();
        self.handle.spawn(accept(alive, self.shared.clone(), listener, token.clone()));
        *state = State::Listening(token, gone);
        Ok(())
    }
}

// `_alive` comes first because it has to go last, after the listener.
async fn accept(_alive: mpsc::Sender<()>, shared: Arc<Shared>, listener: TcpListener, token: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let _ = stream.set_nodelay(true);
            let (shared, token) = (shared.clone(), token.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = token.cancelled() => {}
                    _ = startup::serve(shared, Box::new(stream), startup::Trust::Outside) => {}
                }
            });
        }
    }
}

fn bind(address: SocketAddr) -> Result<TcpSocket, Error> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Binds the port that the listener has just left. A process that is being started at this moment has a copy of the
/// listener until it begins its program, and the port is in use for so long.
fn bind_again(address: SocketAddr) -> Result<TcpSocket, Error> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match bind(address) {
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < end => {
                std::thread::park_timeout(Duration::from_millis(2));
            }
            bound => return bound,
        }
    }
}

/// A session inside the process, past the listener, faults and counters. `trusted`: no password is asked for.
pub fn internal(shared: Arc<Shared>, trusted: bool) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let trust = if trusted { startup::Trust::Owner } else { startup::Trust::Inside };
    tokio::spawn(startup::serve(shared, Box::new(theirs), trust));
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_taken_back_when_the_last_copy_of_its_listener_is_gone() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        assert!(bind(address).is_err(), "the port is in use");
        let copy = std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(50));
            drop(listener);
        });
        let socket = bind_again(address).expect("it is free in the end");
        copy.join().expect("it ends");
        assert_eq!(socket.local_addr().expect("bound"), address);
    }
}
