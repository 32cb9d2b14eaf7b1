//! Talking to AWS: HTTPS through the proxies that the environment names, the chain of credentials and regions, clients.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::SdkConfig;

use super::{Aws, Service};
use crate::engine::error::Error;

/// How often a call is tried, and the first wait between: "Rate exceeded" passes within seconds.
const ATTEMPTS: (u32, Duration) = (5, Duration::from_millis(500));

impl Aws {
    /// The configuration that all clients share, loaded when it is first needed. `hint`: a region that is known.
    pub(super) async fn config(&self, hint: Option<&str>) -> Result<&SdkConfig, Error> {
        let load = || async {
            let http = http_client()?;
            let region = self.region_chain().or_else(hint.map(|name| Region::new(name.to_owned())));
            let instance = ProviderConfig::without_region().with_http_client(http.clone());
            let instance = ImdsRegionProvider::builder().configure(&instance).build();
            let region = region.or_else(instance).region().await;
            let mut loader = aws_config::defaults(BehaviorVersion::latest());
            if let Some(name) = &self.options.profile {
                loader = loader.profile_name(name);
            }
            if let Ok(name) = AppName::new(concat!("terraform-provider-redshift-", env!("CARGO_PKG_VERSION"))) {
                loader = loader.app_name(name);
            }
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(10))
                .operation_attempt_timeout(Duration::from_secs(30));
            let config = loader
                .http_client(http)
                .region(region)
                .retry_config(retries())
                .timeout_config(timeouts.build())
                .load()
                .await;
            Ok(config)
        };
        self.config.get_or_try_init(load).await
    }

    fn region_chain(&self) -> RegionProviderChain {
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &self.options.profile {
            profile = profile.profile_name(name);
        }
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build())
    }

    /// The region to ask in: the one that settings say, else that of the AWS chain.
    pub(super) async fn region(&self, written: Option<&str>) -> Result<String, Error> {
        if let Some(region) = written {
            return Ok(region.to_owned());
        }
        let region = match self.region_chain().region().await {
            Some(region) => Some(region),
            None => self.config(None).await?.region().cloned(),
        };
        region.map(|region| region.to_string()).ok_or_else(|| {
            Error::refused(
                "No AWS region",
                "AWS has to be asked, and it is not known in which region. Write region, here or in the provider block, or set AWS_REGION, or a region in the profile.",
            )
            .about("region")
        })
    }

    /// The configuration of one service's clients.
    pub(super) async fn service(
        &self,
        service: Service,
        region: &str,
        credentials: Credentials,
    ) -> Result<SdkConfig, Error> {
        let config = self.config(Some(region)).await?;
        let mut builder = config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        if let Some(url) = self.options.endpoints.get(&service) {
            builder = builder.endpoint_url(url);
        }
        Ok(builder.build())
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS.0).with_initial_backoff(ATTEMPTS.1)
}

/// HTTPS with ring; through HTTPS_PROXY, past NO_PROXY, trusting AWS_CA_BUNDLE in place of the system's roots.
fn http_client() -> Result<SharedHttpClient, Error> {
    let trusted = match std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        None => TrustStore::default(),
        Some(path) => {
            let wrong = |why: String| Error::setting("AWS_CA_BUNDLE", format!("AWS_CA_BUNDLE: {why}."));
            let text = std::fs::read(&path)
                .map_err(|error| wrong(format!("the file \"{}\" cannot be read: {error}", path.display())))?;
            crate::engine::session::tls::read_pem(&text)
                .map_err(|_| wrong(format!("the file \"{}\" holds no certificate in PEM form", path.display())))?;
            TrustStore::empty().with_pem_certificate(text)
        }
    };
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| Error::refused("TLS for AWS cannot be set up", error.to_string()))?;
    let proxy = proxy();
    let connect = move |settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>| {
        let mut builder = Connector::builder().proxy_config(proxy.clone());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.tls_provider(Provider::rustls(CryptoMode::Ring)).tls_context(context.clone()).build()
    };
    Ok(Builder::new().build_with_connector_fn(connect))
}

/// The proxies of the environment. ALL_PROXY is for the warehouse where it is a SOCKS proxy, which AWS's client cannot
/// use.
fn proxy() -> ProxyConfig {
    let variable =
        |names: [&str; 2]| names.into_iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let socks = variable(["ALL_PROXY", "all_proxy"]).is_some_and(|url| url.to_ascii_lowercase().starts_with("socks"));
    if !socks {
        return ProxyConfig::from_env();
    }
    let Some(url) = variable(["HTTPS_PROXY", "https_proxy"]) else { return ProxyConfig::disabled() };
    match ProxyConfig::https(url) {
        Ok(proxy) => proxy.no_proxy(variable(["NO_PROXY", "no_proxy"]).unwrap_or_default()),
        Err(error) => {
            tracing::warn!(%error, "HTTPS_PROXY is not used");
            ProxyConfig::disabled()
        }
    }
}
