//! TLS as `sslmode` asks for it: rustls with ring.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::engine::error::{Error, TlsProblem};
use crate::engine::settings::access::{RootCert, SslMode};

/// The TLS configuration for a mode; none for `disable`. Errors: a Setting error of `sslrootcert` when its file cannot
/// be read or holds no certificate.
pub async fn client_config(mode: SslMode, root: Option<&RootCert>) -> Result<Option<Arc<ClientConfig>>, Error> {
    if mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::refused("TLS cannot be set up", error.to_string()))?;
    let config = match mode {
        SslMode::VerifyFull => builder.with_root_certificates(roots(root).await?).with_no_client_auth(),
        _ => {
            let roots = if mode == SslMode::VerifyCa { Some(roots(root).await?) } else { None };
            let verifier = Arc::new(Lenient { roots, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(Some(Arc::new(config)))
}

/// The certificates of PEM text. Errors: text without a certificate, or with a broken one.
pub fn read_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| Error::setting("sslrootcert", why);
    let found = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(format!("sslrootcert is not in PEM form: {error}.")))?;
    if found.is_empty() {
        return Err(wrong("sslrootcert holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).".into()));
    }
    Ok(found)
}

async fn roots(root: Option<&RootCert>) -> Result<RootCertStore, Error> {
    let text = match root {
        None => return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
        Some(RootCert::Pem(text)) => text.clone().into_bytes(),
        Some(RootCert::Path(path)) => tokio::fs::read(path)
            .await
            .map_err(|error| Error::setting("sslrootcert", format!("The file \"{path}\" cannot be read: {error}.")))?,
    };
    let mut store = RootCertStore::empty();
    for certificate in read_pem(&text)? {
        store.add(certificate).map_err(|error| {
            Error::setting("sslrootcert", format!("sslrootcert holds a certificate that cannot be a root: {error}."))
        })?;
    }
    Ok(store)
}

/// Accepts any name; and any certificate, unless there are roots that its chain must end at. The server must still
/// prove that it holds the certificate's key.
#[derive(Debug)]
struct Lenient {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a failed handshake was about.
pub fn problem(error: &io::Error, host: &str) -> TlsProblem {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return TlsProblem::Other(error.to_string());
    };
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::NotValidForName => {
                TlsProblem::WrongName { expected: host.to_owned(), presented: Vec::new() }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsProblem::WrongName { expected: host.to_owned(), presented: names(presented) }
            }
            // A bad signature: the authority bears a trusted one's name, but has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsProblem::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYetValid,
            other => TlsProblem::Other(format!("the server's certificate is refused: {other}")),
        },
        rustls::Error::InvalidMessage(_) => TlsProblem::NotAWarehouse,
        other => TlsProblem::Other(other.to_string()),
    }
}

/// The names out of rustls's `DnsName("a")` and `IpAddress(b)`.
fn names(presented: &[String]) -> Vec<String> {
    let inside = |text: &String| {
        let open = text.split_once('(')?.1.strip_suffix(')')?;
        Some(open.trim_matches('"').to_owned())
    };
    presented.iter().map(|text| inside(text).unwrap_or_else(|| text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    struct Authority {
        issuer: CertifiedIssuer<'static, KeyPair>,
    }

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).expect("parameters");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().expect("a key");
            Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
        }

        fn pem(&self) -> RootCert {
            let body = base64::engine::general_purpose::STANDARD.encode(self.issuer.der());
            RootCert::Pem(format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"))
        }

        /// A server's configuration with a certificate for `name`, valid in these years.
        fn server(&self, name: &str, years: std::ops::Range<i32>) -> Arc<rustls::ServerConfig> {
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
            params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
            params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
            let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key in DER");
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("protocol versions")
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .expect("a server's configuration");
            Arc::new(config)
        }
    }

    /// Shakes hands in memory.
    async fn shake(
        server: Arc<rustls::ServerConfig>,
        mode: SslMode,
        root: Option<&RootCert>,
        host: &str,
    ) -> Result<(), TlsProblem> {
        let (near, far) = tokio::io::duplex(1 << 14);
        let server = tokio::spawn(async move { TlsAcceptor::from(server).accept(far).await.map(drop) });
        let config = client_config(mode, root).await.expect("a configuration").expect("TLS");
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let outcome = TlsConnector::from(config).connect(name, near).await;
        let outcome = outcome.map(drop).map_err(|error| problem(&error, host));
        drop(server.await);
        outcome
    }

    #[tokio::test]
    async fn each_mode_checks_what_it_says() {
        let ours = Authority::new();
        let theirs = Authority::new();
        let good = ours.server("warehouse.example.com", 2020..2090);
        let (root, stranger) = (ours.pem(), theirs.pem());
        let host = "warehouse.example.com";
        let other = "other.example.com";
        let wrong_name =
            || TlsProblem::WrongName { expected: other.into(), presented: vec!["warehouse.example.com".into()] };
        for (mode, root, host, outcome) in [
            (SslMode::VerifyFull, Some(&root), host, Ok(())),
            (SslMode::VerifyFull, Some(&root), other, Err(wrong_name())),
            (SslMode::VerifyFull, Some(&stranger), host, Err(TlsProblem::UnknownIssuer)),
            (SslMode::VerifyFull, None, host, Err(TlsProblem::UnknownIssuer)),
            (SslMode::VerifyCa, Some(&root), other, Ok(())),
            (SslMode::VerifyCa, Some(&stranger), host, Err(TlsProblem::UnknownIssuer)),
            (SslMode::VerifyCa, None, host, Err(TlsProblem::UnknownIssuer)),
            (SslMode::Require, None, other, Ok(())),
            (SslMode::Require, Some(&stranger), "127.0.0.1", Ok(())),
        ] {
            assert_eq!(shake(good.clone(), mode, root, host).await, outcome, "{mode} {host}");
        }
    }

    #[tokio::test]
    async fn a_certificate_out_of_its_time_is_told_from_a_foreign_one() {
        let authority = Authority::new();
        let root = authority.pem();
        for (years, outcome) in [(2001..2002, TlsProblem::Expired), (2080..2090, TlsProblem::NotYetValid)] {
            let server = authority.server("h.example.com", years);
            for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
                let found = shake(server.clone(), mode, Some(&root), "h.example.com").await;
                assert_eq!(found, Err(outcome.clone()), "{mode}");
            }
            assert_eq!(shake(server, SslMode::Require, None, "h.example.com").await, Ok(()));
        }
    }

    #[tokio::test]
    async fn an_address_is_verified_as_an_address() {
        let authority = Authority::new();
        let server = authority.server("127.0.0.1", 2020..2090);
        let root = authority.pem();
        assert_eq!(shake(server.clone(), SslMode::VerifyFull, Some(&root), "127.0.0.1").await, Ok(()));
        let expected = TlsProblem::WrongName { expected: "127.0.0.2".into(), presented: vec!["127.0.0.1".into()] };
        assert_eq!(shake(server, SslMode::VerifyFull, Some(&root), "127.0.0.2").await, Err(expected));
    }

    #[tokio::test]
    async fn what_is_no_root_certificate_is_a_setting_error() {
        for root in [
            RootCert::Pem("nonsense".into()),
            RootCert::Pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".into()),
            RootCert::Pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()),
            RootCert::Path("/no/such/file.pem".into()),
        ] {
            let error = client_config(SslMode::VerifyCa, Some(&root)).await.expect_err("no root");
            assert!(matches!(error, Error::Setting { setting: "sslrootcert", .. }), "{error}");
            assert!(client_config(SslMode::Disable, Some(&root)).await.is_ok_and(|config| config.is_none()));
        }
    }
}
