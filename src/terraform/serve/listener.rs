//! Where the plugin listens, and the connections that come from there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// A socket, bound before the runtime runs.
#[derive(Debug)]
pub(super) enum Listener {
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, PathBuf),
    #[cfg_attr(unix, allow(dead_code))]
    Tcp(std::net::TcpListener, SocketAddr),
}

impl Listener {
    /// A new unix socket in the folder, with a name that begins so; only its owner may connect, from the first moment on
    /// and whatever the umask is.
    #[cfg(unix)]
    pub(super) fn unix(folder: &Path, prefix: &str) -> io::Result<Self> {
        let socket = tempfile::Builder::new().prefix(prefix).suffix(UNFINISHED).make_in(folder, bind)?;
        let (listener, unfinished) = socket.into_parts();
        // Under its own name there is always somebody who listens, or nobody will any more: see `leftovers`. The file goes
        // when this process ends, not when a path is dropped.
        let path = unfinished.with_extension("");
        unfinished.persist_noclobber(&path).map_err(|error| error.error)?;
        listener.set_nonblocking(true)?;
        Ok(Listener::Unix(listener, path))
    }

    /// The first free port of the range on the loopback interface, for systems without unix sockets.
    #[cfg_attr(unix, allow(dead_code))]
    pub(super) fn tcp(ports: std::ops::RangeInclusive<u16>) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in ports {
            match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(listener) => {
                    listener.set_nonblocking(true)?;
                    let address = listener.local_addr()?;
                    return Ok(Listener::Tcp(listener, address));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// As the handshake line names it.
    pub(super) fn network(&self) -> &'static str {
        match self {
            #[cfg(unix)]
            Listener::Unix(..) => "unix",
            Listener::Tcp(..) => "tcp",
        }
    }

    /// As the handshake line names it.
    pub(super) fn address(&self) -> String {
        match self {
            #[cfg(unix)]
            Listener::Unix(_, path) => path.display().to_string(),
            Listener::Tcp(_, address) => address.to_string(),
        }
    }

    /// The file to remove in the end.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            #[cfg(unix)]
            Listener::Unix(_, path) => Some(path),
            Listener::Tcp(..) => None,
        }
    }

    /// The connections, once TLS (if any) is agreed on. Must be called in the runtime; ends when the stream is dropped.
    pub(super) fn incoming(self, tls: Option<Arc<ServerConfig>>) -> io::Result<ReceiverStream<io::Result<Connection>>> {
        let (accepted, incoming) = mpsc::channel(4);
        match self {
            #[cfg(unix)]
            Listener::Unix(listener, _) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                tokio::spawn(async move {
                    while let Some(stream) = next(&accepted, || listener.accept()).await {
                        tokio::spawn(admit(stream.0, tls.clone(), accepted.clone()));
                    }
                });
            }
            Listener::Tcp(listener, _) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::spawn(async move {
                    while let Some(stream) = next(&accepted, || listener.accept()).await {
                        tokio::spawn(admit(stream.0, tls.clone(), accepted.clone()));
                    }
                });
            }
        }
        Ok(ReceiverStream::new(incoming))
    }
}

/// The end of the name of a socket on which nobody listens yet.
pub(super) const UNFINISHED: &str = ".new";

/// Nobody can connect before `listen`, and by then the mode is set.
#[cfg(unix)]
fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(128)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

/// How long to wait when a connection cannot be taken, most often for want of file descriptors: others will be given
/// back.
const PAUSE: Duration = Duration::from_millis(100);

/// The next connection; none when nobody waits for connections any more.
async fn next<T, F>(accepted: &mpsc::Sender<io::Result<Connection>>, mut accept: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = io::Result<T>>,
{
    loop {
        let error = tokio::select! {
            () = accepted.closed() => return None,
            connection = accept() => match connection {
                Ok(connection) => return Some(connection),
                Err(error) => error,
            },
        };
        tracing::warn!("a client could not be taken: {error}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// How long a client may take to show its certificate.
const TLS_TIME: Duration = Duration::from_secs(10);

/// A client that does not get through TLS never reaches the service.
async fn admit(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    tls: Option<Arc<ServerConfig>>,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    let connection = match tls {
        None => Connection(Box::new(stream)),
        Some(config) => match tokio::time::timeout(TLS_TIME, TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => Connection(Box::new(stream)),
            // Whoever comes and goes only looked whether anybody listens.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return tracing::debug!("a client left again");
            }
            Ok(Err(error)) => return tracing::warn!("a client was refused: {error}"),
            Err(_) => return tracing::warn!("a client was refused: it did not speak"),
        },
    };
    // The server may be gone by now.
    let _ = accepted.send(Ok(connection)).await;
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, with or without TLS.
pub(super) struct Connection(Box<dyn Stream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
