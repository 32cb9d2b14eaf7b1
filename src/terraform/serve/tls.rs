//! Mutual TLS with the one client whose certificate is known.
//!
//! go-plugin's client makes a certificate for each plugin it starts: self-signed, a CA, and on the curve P-521. It
//! wants the plugin to accept that certificate and no other, and to make one itself. The usual verifier of rustls
//! refuses a CA as a client and ring knows no P-521, so the comparison and that signature are checked here.

use std::sync::Arc;

use p521::ecdsa::signature::Verifier as _;
use p521::ecdsa::{DerSignature, VerifyingKey};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, ServerConfig, SignatureScheme,
};
use time::{Duration, OffsetDateTime};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("PLUGIN_CLIENT_CERT is not a certificate in PEM form")]
    ClientCertificate,
    #[error("no server certificate could be made: {0}")]
    ServerCertificate(#[from] rcgen::Error),
    #[error("TLS could not be set up: {0}")]
    Setup(#[from] Error),
}

/// The server's side of TLS, and its certificate.
pub(super) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificate: CertificateDer<'static>,
}

/// A server that answers only to the holder of this certificate (PEM).
pub(super) fn for_client(pem: &str) -> Result<Tls, TlsError> {
    let client = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::ClientCertificate)?;
    let (certificate, key) = own_certificate()?;
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(OneClient { client, provider: Arc::clone(&provider) });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Tls { config: Arc::new(config), certificate })
}

/// The client checks the name `localhost` and nothing else, for it is told the certificate by the handshake line.
fn own_certificate() -> Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.not_before = OffsetDateTime::now_utc() - Duration::seconds(30);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(365 * 10);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der())))
}

#[derive(Debug)]
struct OneClient {
    client: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for OneClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        presented: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *presented == self.client {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme == SignatureScheme::ECDSA_NISTP521_SHA512 {
            return verify_p521(message, certificate, signed.signature());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = vec![SignatureScheme::ECDSA_NISTP521_SHA512];
        schemes.extend(self.provider.signature_verification_algorithms.supported_schemes());
        schemes
    }
}

fn verify_p521(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &[u8],
) -> Result<HandshakeSignatureValid, Error> {
    let (_, certificate) =
        x509_parser::parse_x509_certificate(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let key = VerifyingKey::from_sec1_bytes(&certificate.public_key().subject_public_key.data);
    let signature = DerSignature::from_bytes(signature);
    match (key, signature) {
        (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok() => Ok(HandshakeSignatureValid::assertion()),
        _ => Err(CertificateError::BadSignature.into()),
    }
}
