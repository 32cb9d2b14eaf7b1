//! Tests of the socket: who gets through TLS and who does not.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use futures::StreamExt as _;
use p521::ecdsa::signature::{SignatureEncoding as _, Signer as _};
use p521::ecdsa::{DerSignature, SigningKey};
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, Signer, SigningKey as TlsSigningKey};
use rustls::{ClientConfig, RootCertStore, SignatureAlgorithm, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use super::listener::Listener;
use super::tls::{self, Tls};

/// A client certificate as go-plugin makes it: self-signed, a CA, on P-521.
struct P521Client {
    key: SigningKey,
    der: CertificateDer<'static>,
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        n @ 0..=127 => vec![n as u8],
        n @ 128..=255 => vec![0x81, n as u8],
        n => vec![0x82, (n >> 8) as u8, n as u8],
    };
    [vec![tag], length, content].concat()
}

impl P521Client {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes((&[[0].as_slice(), &[seed; 65]].concat()[..]).try_into().expect("66 bytes"));
        let key = key.expect("a scalar of the curve");
        let ecdsa_sha512 = der(0x30, &[&der(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04]])]);
        let common_name = der(0x30, &[&der(0x06, &[&[0x55, 0x04, 0x03]]), &der(0x0c, &[b"localhost"])]);
        let name = der(0x30, &[&der(0x31, &[&common_name])]);
        let validity = der(0x30, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"490101000000Z"])]);
        let ec_key = der(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]]);
        let p521 = der(0x06, &[&[0x2b, 0x81, 0x04, 0x00, 0x23]]);
        let point = key.verifying_key().to_sec1_point(false);
        let public = der(0x30, &[&der(0x30, &[&ec_key, &p521]), &der(0x03, &[&[0], point.as_bytes()])]);
        let is_ca = der(0x04, &[&der(0x30, &[&der(0x01, &[&[0xff]])])]);
        let constraints = der(0x30, &[&der(0x06, &[&[0x55, 0x1d, 0x13]]), &der(0x01, &[&[0xff]]), &is_ca]);
        let extensions = der(0xa3, &[&der(0x30, &[&constraints])]);
        let version = der(0xa0, &[&der(0x02, &[&[2]])]);
        let serial = der(0x02, &[&[seed & 0x7f]]);
        let parts: [&[u8]; 8] = [&version, &serial, &ecdsa_sha512, &name, &validity, &name, &public, &extensions];
        let body = der(0x30, &parts);
        let signature: DerSignature = key.sign(&body);
        let certificate = der(0x30, &[&body, &ecdsa_sha512, &der(0x03, &[&[0], &signature.to_vec()])]);
        P521Client { key, der: CertificateDer::from(certificate) }
    }

    /// As a client of rustls, with this certificate and the given key.
    fn resolver(&self, key: &SigningKey) -> Arc<dyn ResolvesClientCert> {
        let key = Arc::new(P521Key(key.clone()));
        Arc::new(One(Arc::new(CertifiedKey::new(vec![self.der.clone()], key))))
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesClientCert for One {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
struct P521Key(SigningKey);

impl TlsSigningKey for P521Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ECDSA_NISTP521_SHA512).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for P521Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature: DerSignature = self.0.sign(message);
        Ok(signature.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}

/// A client's settings that trust exactly the server's certificate, as go-plugin does.
fn client(server: &Tls, certificate: Option<Arc<dyn ResolvesClientCert>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone()).expect("the server's certificate is one");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_root_certificates(roots);
    let mut config = match certificate {
        Some(certificate) => builder.with_client_cert_resolver(certificate),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Connects, says something, and hears it back from whatever the server admitted.
async fn echo(server: &Tls, client: ClientConfig) -> io::Result<String> {
    let folder = tempfile::tempdir()?;
    let listener = Listener::unix(folder.path(), "tf-test-")?;
    let path = listener.address();
    let mut incoming = listener.incoming(Some(Arc::clone(&server.config)))?;
    let answering = tokio::spawn(async move {
        if let Some(Ok(mut connection)) = incoming.next().await {
            let mut word = [0; 5];
            connection.read_exact(&mut word).await?;
            connection.write_all(&word).await?;
            connection.flush().await?;
        }
        io::Result::Ok(())
    });
    let name = ServerName::try_from("localhost").expect("a name");
    let result = async {
        let stream = UnixStream::connect(&path).await?;
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        stream.write_all(b"hello").await?;
        let mut word = String::new();
        stream.take(5).read_to_string(&mut word).await?;
        Ok(word)
    }
    .await;
    answering.abort();
    result
}

fn server_for(certificate: &[u8]) -> Tls {
    tls::for_client(&pem(certificate)).expect("TLS")
}

#[tokio::test]
async fn the_client_that_was_announced_is_served() {
    let terraform = P521Client::new(1);
    let server = server_for(&terraform.der);
    let config = client(&server, Some(terraform.resolver(&terraform.key)));
    assert_eq!(echo(&server, config).await.expect("served"), "hello");
}

#[tokio::test]
async fn every_other_client_is_refused() {
    let (terraform, other) = (P521Client::new(1), P521Client::new(2));
    let server = server_for(&terraform.der);
    for (who, certificate) in [
        ("no certificate", None),
        ("another certificate", Some(other.resolver(&other.key))),
        ("the right certificate without its key", Some(terraform.resolver(&other.key))),
    ] {
        let refused = echo(&server, client(&server, certificate)).await;
        assert!(refused.is_err(), "{who}: {refused:?}");
    }
}

#[tokio::test]
async fn certificates_on_other_curves_count_as_well() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let server = server_for(certificate.der());
        let tls_key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let tls_key = ring::sign::any_supported_type(&tls_key).expect("ring knows it");
        let own = CertifiedKey::new(vec![certificate.der().clone()], tls_key);
        let config = client(&server, Some(Arc::new(One(Arc::new(own)))));
        assert_eq!(echo(&server, config).await.expect("served"), "hello", "{algorithm:?}");
    }
}

#[test]
fn what_is_no_certificate_is_refused_at_once() {
    assert!(tls::for_client("").is_err());
    assert!(tls::for_client("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").is_err());
}

#[tokio::test]
async fn the_socket_of_a_server_that_is_gone_takes_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = Listener::unix(folder.path(), "tf-test-").expect("a socket");
    let path = listener.address();
    let incoming = listener.incoming(None).expect("the runtime runs");
    drop(UnixStream::connect(&path).await.expect("it listens"));
    drop(incoming);
    // The accepting task ends as soon as it sees that nobody waits for connections.
    while UnixStream::connect(&path).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
