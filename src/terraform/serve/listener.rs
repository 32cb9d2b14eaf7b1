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
    /// A new unix socket in the folder; only its owner may connect.
    #[cfg(unix)]
    pub(super) fn unix(folder: &Path) -> io::Result<Self> {
        let socket = tempfile::Builder::new()
            .prefix("plugin")
            .make_in(folder, |path| std::os::unix::net::UnixListener::bind(path))?;
        let (listener, path) = socket.into_parts();
        // The file goes when this process ends, see `remove`, not when the path is dropped.
        let path = path.keep().map_err(|error| error.error)?;
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
                    while let Some(stream) = next(&accepted, listener.accept()).await {
                        tokio::spawn(admit(stream.0, tls.clone(), accepted.clone()));
                    }
                });
            }
            Listener::Tcp(listener, _) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::spawn(async move {
                    while let Some(stream) = next(&accepted, listener.accept()).await {
                        tokio::spawn(admit(stream.0, tls.clone(), accepted.clone()));
                    }
                });
            }
        }
        Ok(ReceiverStream::new(incoming))
    }
}

/// The next connection; none when nobody waits for connections any more.
async fn next<T>(
    accepted: &mpsc::Sender<io::Result<Connection>>,
    accept: impl Future<Output = io::Result<T>>,
) -> Option<T> {
    tokio::select! {
        () = accepted.closed() => None,
        connection = accept => match connection {
            Ok(connection) => Some(connection),
            Err(error) => {
                let _ = accepted.send(Err(error)).await;
                None
            }
        },
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
