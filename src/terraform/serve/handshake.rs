//! What go-plugin's client tells a plugin by its environment, and the line the plugin answers with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The name and value of the variable by which a plugin knows that Terraform started it.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// go-plugin's own protocol, and the Terraform protocol spoken here.
const CORE_PROTOCOL: u32 = 1;
pub(super) const PROTOCOL: u32 = 6;

/// Whether Terraform (or OpenTofu) started this process.
pub(super) fn is_plugin(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable(COOKIE.0).as_deref() == Some(COOKIE.1)
}

/// The version to answer with. Where the client does not know ours it is answered all the same: the client then says
/// which versions it knows.
pub(super) fn version(variable: impl Fn(&str) -> Option<String>) -> u32 {
    let offered = variable("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
    let common = offered.split(',').filter_map(|version| version.trim().parse().ok()).filter(|&v: &u32| v == PROTOCOL);
    common.max().unwrap_or(PROTOCOL)
}

/// The first line on stdout: core protocol, protocol, network, address, kind of RPC, server certificate.
pub(super) fn line(version: u32, network: &str, address: &str, certificate: Option<&[u8]>) -> String {
    let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    format!("{CORE_PROTOCOL}|{version}|{network}|{address}|grpc|{certificate}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_cookie_counts() {
        assert!(is_plugin(|name| (name == COOKIE.0).then(|| COOKIE.1.to_owned())));
        assert!(!is_plugin(|_| None));
        assert!(!is_plugin(|_| Some("yes".to_owned())));
    }

    #[test]
    fn protocol_six_is_spoken_whatever_is_offered() {
        for offered in [Some("5,6"), Some("6,5"), Some("4, 5"), Some(""), None] {
            assert_eq!(version(|_| offered.map(str::to_owned)), 6);
        }
    }

    #[test]
    fn the_line_has_six_fields() {
        assert_eq!(line(6, "unix", "/tmp/plugin1", None), "1|6|unix|/tmp/plugin1|grpc|\n");
        assert_eq!(line(6, "tcp", "127.0.0.1:1", Some(&[0xfb, 0xff])), "1|6|tcp|127.0.0.1:1|grpc|+/8\n");
    }
}
