//! A certificate authority made for one start, and the server's certificate under it.

use std::sync::Arc;

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Error;

/// The acceptor, and the authority's certificate as PEM.
pub fn make(hosts: &[String]) -> Result<(TlsAcceptor, String), Error> {
    let fail = |e: rcgen::Error| Error::Tls(e.to_string());
    let mut authority = CertificateParams::new(Vec::new()).map_err(fail)?;
    authority.distinguished_name.push(DnType::CommonName, "redshift-standin authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(fail)?).map_err(fail)?;
    let mut server = CertificateParams::new(hosts.to_vec()).map_err(fail)?;
    server.distinguished_name.push(DnType::CommonName, "redshift-standin");
    let key = KeyPair::generate().map_err(fail)?;
    let certificate = server.signed_by(&key, &authority).map_err(fail)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|b| b.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key))
        .map_err(|e| Error::Tls(e.to_string()))?;
    let text = base64::engine::general_purpose::STANDARD.encode(authority.as_ref().der());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}
