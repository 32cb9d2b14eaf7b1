//! A line to a warehouse through a SOCKS5 proxy.

use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio_socks::Error as Socks;
use tokio_socks::tcp::Socks5Stream;

use crate::engine::error::{ProxyProblem, Reach};
use crate::engine::session::connect::{dial, reach};
use crate::engine::settings::access::Access;
use crate::engine::settings::proxy::Proxy;

/// Opens a line to the endpoint of `access`. The name is resolved by the proxy, for `socks5` as for `socks5h`.
pub(super) async fn open(access: &Access, proxy: &Proxy) -> Result<TcpStream, Reach> {
    let failed = |problem| Reach::Proxy { address: proxy.to_string(), problem };
    let stream = dial(&proxy.host, proxy.port, access.connect_timeout)
        .await
        .map_err(|reach| failed(ProxyProblem::Unreachable(Box::new(reach))))?;
    let target = (access.endpoint.host.as_str(), access.endpoint.port);
    let asked = match &proxy.login {
        None => Socks5Stream::connect_with_socket(stream, target).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password.expose_secret()).await
        }
    };
    asked.map(Socks5Stream::into_inner).map_err(|error| failed(problem(access, proxy, error)))
}

/// What the proxy's answer means.
fn problem(access: &Access, proxy: &Proxy, error: Socks) -> ProxyProblem {
    let words = match error {
        Socks::Io(error) => match reach(&error, access.connect_timeout) {
            Reach::HungUp => "it closed the connection".to_owned(),
            _ => error.to_string(),
        },
        Socks::AuthorizationRequired => return ProxyProblem::WantsLogin,
        Socks::NoAcceptableAuthMethods if proxy.login.is_none() => return ProxyProblem::WantsLogin,
        Socks::NoAcceptableAuthMethods => "it takes no user with a password".to_owned(),
        Socks::PasswordAuthFailure(_) => return ProxyProblem::LoginRefused,
        Socks::InvalidResponseVersion | Socks::InvalidReservedByte | Socks::UnknownAddressType => {
            return ProxyProblem::NotSocks;
        }
        Socks::GeneralSocksServerFailure => "it failed, perhaps because it does not know the host".to_owned(),
        Socks::ConnectionNotAllowedByRuleset => "its rules do not allow it".to_owned(),
        Socks::NetworkUnreachable => "it does not reach the host's network".to_owned(),
        Socks::HostUnreachable => "it does not reach the host".to_owned(),
        Socks::ConnectionRefused => "nothing listens on that port of the host".to_owned(),
        Socks::TtlExpired => "the way to the host is too long (TTL expired)".to_owned(),
        Socks::CommandNotSupported => "it opens no connections".to_owned(),
        Socks::AddressTypeNotSupported => "it does not take this kind of host (a name, or an IPv6 address)".to_owned(),
        // For the library the same as a code that it does not know.
        Socks::UnknownAuthMethod => "it gave no reason that is known here".to_owned(),
        // Of the library's words none holds the login.
        other => other.to_string(),
    };
    ProxyProblem::Refused(words)
}
