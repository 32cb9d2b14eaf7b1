//! The way to AWS: HTTPS with ring, through the proxies that the environment names.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bounds::Bounded;
use crate::engine::error::Error;
use crate::engine::session::tls::read_pem;
use crate::engine::settings::endpoint::split_port;
use crate::engine::settings::proxy::Without;

/// Where roles of instances and containers are asked for: whoever a proxy would reach there is another machine.
const OF_THIS_MACHINE: &str = "169.254.0.0/16 fd00:ec2::/32";

/// The client for all calls.
pub(super) fn http_client() -> Result<SharedHttpClient, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let proxies = Proxies::read(&variable)?;
    let context = TlsContext::builder()
        .with_trust_store(trusted()?)
        .build()
        .map_err(|error| Error::refused("TLS for AWS cannot be set up", error.to_string()))?;
    let client = |proxy: ProxyConfig| {
        let context = context.clone();
        let connect = move |settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>| {
            let mut builder = Connector::builder().proxy_config(proxy.clone());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.tls_provider(Provider::rustls(CryptoMode::Ring)).tls_context(context.clone()).build()
        };
        Builder::new().build_with_connector_fn(connect)
    };
    let direct = client(ProxyConfig::disabled());
    if proxies.plain.is_none() && proxies.tls.is_none() {
        return Ok(SharedHttpClient::new(Bounded(direct)));
    }
    let ways =
        Ways { direct, plain: proxies.plain.map(client), tls: proxies.tls.map(client), without: proxies.without };
    Ok(SharedHttpClient::new(Bounded(SharedHttpClient::new(ways))))
}

/// AWS_CA_BUNDLE in place of the system's roots.
fn trusted() -> Result<TrustStore, Error> {
    let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
        return Ok(TrustStore::default());
    };
    let wrong = |why: String| Error::setting("AWS_CA_BUNDLE", format!("AWS_CA_BUNDLE: {why}."));
    let text = std::fs::read(&path)
        .map_err(|error| wrong(format!("the file \"{}\" cannot be read: {error}", path.display())))?;
    let pem = usable(&text).ok_or_else(|| {
        wrong(format!("the file \"{}\" holds no certificate in PEM form that can be used", path.display()))
    })?;
    Ok(TrustStore::empty().with_pem_certificate(pem))
}

/// The certificates of PEM text that can be roots, as PEM: the client panics at others. None: there are none.
fn usable(text: &[u8]) -> Option<String> {
    let is_root = |certificate: &rustls_pki_types::CertificateDer<'static>| {
        rustls::RootCertStore::empty().add(certificate.clone()).is_ok()
    };
    let found = read_pem(text).ok()?;
    let pem = |certificate: rustls_pki_types::CertificateDer<'_>| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
    };
    Some(found.into_iter().filter(is_root).map(pem).collect::<String>()).filter(|pem| !pem.is_empty())
}

/// The proxies of the environment. `Debug` would show logins, so there is none.
struct Proxies {
    /// For `http://`.
    plain: Option<ProxyConfig>,
    /// For `https://`.
    tls: Option<ProxyConfig>,
    without: Without,
}

impl Proxies {
    /// HTTP_PROXY, HTTPS_PROXY, and for both ALL_PROXY, which is only for warehouses where it is a SOCKS proxy.
    fn read(variable: &impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.trim().is_empty())?)))
        };
        let all = first(["ALL_PROXY", "all_proxy"]).filter(|(_, value)| !is_socks(value));
        let of = |names| match first(names).or_else(|| all.clone()) {
            None => Ok(None),
            Some((name, value)) => {
                tracing::debug!(variable = name, "names a proxy for AWS");
                config(name, &value).map(Some)
            }
        };
        let (plain, tls) = (of(["HTTP_PROXY", "http_proxy"])?, of(["HTTPS_PROXY", "https_proxy"])?);
        let without = first(["NO_PROXY", "no_proxy"]).map(|(_, list)| list).unwrap_or_default();
        Ok(Self { plain, tls, without: Without::read(&format!("{without} {OF_THIS_MACHINE}")) })
    }
}

fn is_socks(url: &str) -> bool {
    url.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("socks"))
}

/// Reads `[http[s]://][user:password@]host[:port]`. Errors name the variable and repeat nothing of the text.
fn config(variable: &'static str, text: &str) -> Result<ProxyConfig, Error> {
    let url = if text.contains("://") { text.trim().to_owned() } else { format!("http://{}", text.trim()) };
    // Where the request goes is decided before, so this proxy is for all that it gets.
    ProxyConfig::all(url).map_err(|_| {
        let form = "http://host:port or http://user:password@host:port";
        let why = if is_socks(text) {
            "AWS is not asked through SOCKS proxies"
        } else {
            "special characters in user and password must be percent-encoded"
        };
        Error::refused(format!("Bad {variable}"), format!("{variable} must have the form {form}: {why}."))
    })
}

/// One client for each way that a request can go.
#[derive(Debug)]
struct Ways<T = SharedHttpClient> {
    direct: T,
    plain: Option<T>,
    tls: Option<T>,
    without: Without,
}

impl<T> Ways<T> {
    /// The one for a URL.
    fn to(&self, url: &str) -> &T {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let proxied = if scheme.eq_ignore_ascii_case("https") { &self.tls } else { &self.plain };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let host = split_port(place).map_or(place, |(host, _)| host).to_ascii_lowercase();
        proxied.as_ref().filter(|_| !self.without.holds(&host)).unwrap_or(&self.direct)
    }
}

impl HttpClient for Ways {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(Ways {
            direct: connector(&self.direct),
            plain: self.plain.as_ref().map(connector),
            tls: self.tls.as_ref().map(connector),
            without: self.without.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.direct.connector_metadata()
    }
}

impl HttpConnector for Ways<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.to(request.uri()).call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Proxies, Error> {
        Proxies::read(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    /// Which way a URL goes: `direct`, or the proxy.
    fn way(set: &[(&str, &str)], url: &str) -> String {
        let proxies = read(set).expect("proxies");
        let shown = |proxy: ProxyConfig| format!("{proxy:?}");
        let ways = Ways {
            direct: "direct".to_owned(),
            plain: proxies.plain.map(shown),
            tls: proxies.tls.map(shown),
            without: proxies.without,
        };
        ways.to(url).clone()
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let (socks, web) = (("ALL_PROXY", "socks5h://s:1080"), ("ALL_PROXY", "http://all:1"));
        let (http, https) = (("HTTP_PROXY", "http://plain:1"), ("https_proxy", "tls:1"));
        for (set, plain, tls) in [
            (&[][..], "direct", "direct"),
            (&[socks][..], "direct", "direct"),
            (&[web][..], "http://all:1", "http://all:1"),
            (&[socks, https][..], "direct", "http://tls:1"),
            (&[socks, http, https][..], "http://plain:1", "http://tls:1"),
            (&[web, http][..], "http://plain:1", "http://all:1"),
            (&[("HTTPS_PROXY", ""), https][..], "direct", "http://tls:1"),
        ] {
            for (url, expected) in
                [("http://sts.example.com/", plain), ("https://sts.eu-west-1.amazonaws.com/?a=http://x", tls)]
            {
                let way = way(set, url);
                assert!(way.contains(expected), "{set:?} {url}: {way}");
            }
        }
    }

    #[test]
    fn some_are_asked_without_a_proxy() {
        let list = "amazonaws.com, localhost 127.0.0.1,::1";
        let set = [("ALL_PROXY", "http://p"), ("NO_PROXY", list)];
        for (url, direct) in [
            ("https://sts.eu-west-1.amazonaws.com/", true),
            ("https://STS.eu-west-1.amazonaws.com:443?x", true),
            ("https://sts.cn-north-1.amazonaws.com.cn/", false),
            ("http://localhost:4566", true),
            ("http://127.0.0.1:4566/x", true),
            ("http://[::1]:4566/x", true),
            ("http://[::2]:4566/x", false),
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::254]/latest/api/token", true),
        ] {
            assert_eq!(way(&set, url) == "direct", direct, "{url}");
        }
        assert_eq!(way(&[("ALL_PROXY", "http://p"), ("no_proxy", "*")], "https://sts.amazonaws.com"), "direct");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        for (text, why) in [
            ("socks5://CANARY:1080", "SOCKS"),
            ("http://ann:CAN ARY@p:1", "percent-encoded"),
            ("ftp://CANARY", "percent-encoded"),
            ("http://", "percent-encoded"),
        ] {
            let error = read(&[("HTTPS_PROXY", text)]).err().unwrap_or_else(|| panic!("{text} is taken"));
            assert_eq!((error.summary().as_str(), error.setting_name()), ("Bad HTTPS_PROXY", None));
            assert!(error.detail().contains(why) && !error.to_string().contains("CAN"), "{error}");
        }
    }

    #[test]
    fn certificates_that_are_no_roots_are_left_out() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let good = rcgen::CertificateParams::new(Vec::new()).and_then(|it| it.self_signed(&key)).expect("signed");
        let pem =
            |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
        let (good, bad) = (pem(good.der()), pem(b"no certificate"));
        assert_eq!(usable(format!("# roots\n{bad}{good}").as_bytes()), Some(good));
        for nothing in [bad.as_str(), "", "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n"] {
            assert_eq!(usable(nothing.as_bytes()), None);
        }
    }
}
