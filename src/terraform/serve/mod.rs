//! The process that Terraform starts: from the handshake to the end.

mod handshake;
#[cfg(unix)]
mod leftovers;
mod listener;
mod services;
#[cfg(test)]
mod tests;
mod tls;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server as Transport;

use super::service::{Server, Service};
use super::wire::grpc::health::v1::health_server::HealthServer;
use super::wire::plugin::grpc_controller_server::GrpcControllerServer;
use super::wire::plugin::grpc_stdio_server::GrpcStdioServer;
use super::wire::tfplugin6::provider_server::ProviderServer;
use super::{Provider, on_one_line};
use listener::Listener;
use services::{Controller, Stdio, Wellbeing};

/// The largest message in either direction, as in HashiCorp's own server.
const LARGEST_MESSAGE: usize = 256 << 20;

/// How long connections may take to end after Shutdown; the client kills the process after two seconds.
const LEAVE: Duration = Duration::from_millis(1500);

/// How long calls under way may take to undo what they began when the process is told to end.
const UNDO: Duration = Duration::from_secs(30);

/// Everything a provider's `main` does: serves it to Terraform, which has started this process, or answers `--version`,
/// `--help` and `--debug`.
pub fn serve<P: Provider>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let variable = |name: &str| std::env::var(name).ok();
    let result = match arguments.iter().map(|argument| argument.trim_start_matches('-')).collect::<Vec<_>>()[..] {
        [] if handshake::is_plugin(variable) => plugin::<P>(),
        [] => {
            let _ = writeln!(
                io::stderr(),
                "This binary is a plugin. These are not meant to be executed directly.\n\
                 Please execute the program that consumes these plugins, which will\n\
                 load any plugins automatically"
            );
            return ExitCode::FAILURE;
        }
        ["version"] => {
            println(&format!("terraform-provider-{} {}", P::NAME, P::VERSION));
            return ExitCode::SUCCESS;
        }
        ["help" | "h"] => {
            println(&help::<P>());
            return ExitCode::SUCCESS;
        }
        ["debug"] => debug::<P>(),
        _ => {
            let _ = writeln!(io::stderr(), "{}", help::<P>());
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "The provider could not be started: {}", on_one_line(error.to_string()));
        ExitCode::FAILURE
    })
}

fn println(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn help<P: Provider>() -> String {
    format!(
        "terraform-provider-{} {}: a provider for Terraform and OpenTofu, which start it themselves.\n\n  \
         --debug    serve until interrupted, and print the TF_REATTACH_PROVIDERS to set for terraform\n  \
         --version  print the version\n  \
         --help     print this text",
        P::NAME,
        P::VERSION
    )
}

type Failure = Box<dyn std::error::Error>;

/// As a plugin. Nothing is done before the handshake line that it does not need.
fn plugin<P: Provider>() -> Result<ExitCode, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let tls = variable("PLUGIN_CLIENT_CERT").map(|pem| tls::for_client(&pem)).transpose()?;
    let listener = listen::<P>(variable)?;
    let runtime = runtime()?;
    let signals = runtime.block_on(async { Signals::new(false) })?;
    let certificate = tls.as_ref().map(|tls| &*tls.certificate);
    let line = handshake::line(handshake::version(variable), listener.network(), &listener.address(), certificate);
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()?;
    drop(stdout);
    super::panics::install();
    super::logging::init(P::NAME);
    #[cfg(unix)]
    leftovers::remove_beside(listener.file(), P::NAME);
    Ok(run::<P>(runtime, listener, tls.map(|tls| tls.config), signals))
}

#[cfg(unix)]
fn listen<P: Provider>(variable: impl Fn(&str) -> Option<String>) -> io::Result<Listener> {
    let folder = variable("PLUGIN_UNIX_SOCKET_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    Listener::unix(&folder, &leftovers::prefix(P::NAME))
}

#[cfg(not(unix))]
fn listen<P: Provider>(variable: impl Fn(&str) -> Option<String>) -> io::Result<Listener> {
    let port = |name: &str, otherwise: u16| variable(name).and_then(|port| port.parse().ok()).unwrap_or(otherwise);
    Listener::tcp(port("PLUGIN_MIN_PORT", 10_000)..=port("PLUGIN_MAX_PORT", 25_000))
}

/// By hand, for a debugger: no TLS, and a client that comes and goes. The socket is in a folder that only its owner may
/// enter.
fn debug<P: Provider>() -> Result<ExitCode, Failure> {
    #[cfg(unix)]
    let prefix = leftovers::prefix(P::NAME);
    #[cfg(not(unix))]
    let prefix = format!("terraform-provider-{}", P::NAME);
    let mut folder = tempfile::Builder::new();
    folder.prefix(&prefix);
    // Made so, which a umask can only narrow.
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let folder = folder.tempdir()?;
    #[cfg(unix)]
    let listener = Listener::unix(folder.path(), &prefix)?;
    #[cfg(not(unix))]
    let listener = Listener::tcp(0..=0)?;
    let runtime = runtime()?;
    let signals = runtime.block_on(async { Signals::new(true) })?;
    let reattach = json!({
        P::ADDRESS: {
            "Protocol": "grpc",
            "ProtocolVersion": handshake::PROTOCOL,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": listener.network(), "String": listener.address() },
        }
    });
    println(&format!("TF_REATTACH_PROVIDERS='{reattach}'"));
    super::panics::install();
    super::logging::init(P::NAME);
    #[cfg(unix)]
    leftovers::remove_beside(Some(folder.path()), P::NAME);
    Ok(run::<P>(runtime, listener, None, signals))
}

fn runtime() -> io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

/// Serves until the end, and cleans up.
fn run<P: Provider>(
    runtime: Runtime,
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
    signals: Signals,
) -> ExitCode {
    let file = listener.file().map(PathBuf::from);
    let service = Arc::new(Service::<P>::new());
    let code = runtime.block_on(until_the_end(service, listener, tls, signals));
    if let Some(file) = file {
        let _ = std::fs::remove_file(file);
    }
    runtime.shutdown_background();
    code
}

async fn until_the_end<P: Provider>(
    service: Arc<Service<P>>,
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
    mut signals: Signals,
) -> ExitCode {
    let exit = CancellationToken::new();
    let incoming = match listener.incoming(tls) {
        Ok(incoming) => incoming,
        Err(error) => {
            tracing::error!("the socket cannot be served: {error}");
            return ExitCode::FAILURE;
        }
    };
    let provider = ProviderServer::new(Server(Arc::clone(&service)))
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE);
    let server = Transport::builder()
        .add_service(provider)
        .add_service(GrpcControllerServer::new(Controller(exit.clone())))
        .add_service(GrpcStdioServer::new(Stdio(exit.clone())))
        .add_service(HealthServer::new(Wellbeing(exit.clone())))
        .serve_with_incoming_shutdown(incoming, exit.clone().cancelled_owned());
    let mut server = tokio::spawn(server);
    let (code, patience) = tokio::select! {
        () = exit.cancelled() => (ExitCode::SUCCESS, LEAVE),
        // Calls under way are undone and answered, for the client may only be about to end.
        code = signals.end() => (code, UNDO),
        _ = &mut server => return ExitCode::FAILURE,
    };
    if patience == UNDO {
        service.stop();
    }
    exit.cancel();
    let _ = tokio::time::timeout(patience, &mut server).await;
    code
}

/// What ends the process beside Shutdown. Ctrl-C reaches a plugin as well as Terraform, which then tells the plugin what
/// to do: it is not an end.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    parent: u32,
    by_hand: bool,
}

#[cfg(unix)]
impl Signals {
    /// Must be called in the runtime.
    fn new(by_hand: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let parent = std::os::unix::process::parent_id();
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            parent,
            by_hand,
        })
    }

    /// Waits for SIGTERM; by hand also for Ctrl-C, as a plugin also for the death of Terraform.
    async fn end(&mut self) -> ExitCode {
        let mut look = tokio::time::interval(Duration::from_secs(2));
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return ExitCode::from(143),
                _ = self.interrupt.recv() => {
                    if self.by_hand {
                        return ExitCode::SUCCESS;
                    }
                }
                _ = look.tick() => {
                    if !self.by_hand && std::os::unix::process::parent_id() != self.parent {
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new(by_hand: bool) -> io::Result<Self> {
        Ok(Signals { by_hand })
    }

    async fn end(&mut self) -> ExitCode {
        loop {
            // Without a handler Ctrl-C would end a plugin, too.
            if tokio::signal::ctrl_c().await.is_ok() && self.by_hand {
                return ExitCode::SUCCESS;
            }
        }
    }
}
