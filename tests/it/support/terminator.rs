//! TLS in front of a port that speaks without it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// A loopback port with TLS, whose certificate is signed by an authority of its own.
pub struct Terminator {
    port: u16,
    folder: TempDir,
}

impl Terminator {
    /// Passes what it decrypts on to `to`; its certificate is for these hosts.
    pub fn start(hosts: &[&str], to: SocketAddr) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let server =
            CertificateParams::new(names).and_then(|it| it.signed_by(&key, &authority)).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|it| it.with_no_client_auth().with_single_cert(vec![server.der().clone()], key))
            .expect("a configuration");
        let folder = tempfile::tempdir().expect("a folder");
        let root = base64::engine::general_purpose::STANDARD.encode(authority.as_ref().der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
        std::fs::write(folder.path().join("root.pem"), pem).expect("writes");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || serve(listener, TlsAcceptor::from(Arc::new(config)), to));
        Self { port, folder }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority's certificate, as `AWS_CA_BUNDLE` names it.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }
}

fn serve(listener: TcpListener, acceptor: TlsAcceptor, to: SocketAddr) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let (mut near, mut far) = (acceptor.accept(stream).await?, TcpStream::connect(to).await?);
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    })
}
