//! The stand-in's own certificate authority: made at each start, kept in memory, trusted by nobody but those who are given
//! its root.

use std::sync::Arc;

use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A root and a server certificate signed by it.
pub struct Certificates {
    root_pem: String,
    server: Arc<ServerConfig>,
}

impl Certificates {
    /// Makes both; `names` are the DNS names and addresses the server answers to.
    pub fn new(names: &[String]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let root_key = KeyPair::generate()?;
        let mut root = CertificateParams::new(Vec::new())?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        root.distinguished_name = named("Stand-in Root CA");
        let root_certificate = root.self_signed(&root_key)?;
        let issuer = Issuer::from_params(&root, &root_key);

        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names.to_vec())?;
        leaf.distinguished_name = named("redshift-standin");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf.signed_by(&key, &issuer)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone(), root_certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        Ok(Self { root_pem: pem(root_certificate.der()), server: Arc::new(server) })
    }

    /// The root, as PEM.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// What the front's TLS runs on.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
