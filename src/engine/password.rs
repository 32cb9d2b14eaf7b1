//! Passwords of database users: Redshift's rules, and the forms in which it stores them.

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What is wrong with a clear password, one sentence per broken rule, none of which repeats any of it (AWS: CREATE
/// USER; the server checks no rule when it is sent a hash).
pub fn problems(password: &str) -> Vec<&'static str> {
    let length = password.chars().count();
    let rules = [
        ((8..=64).contains(&length), "The password must have 8 to 64 characters."),
        (password.bytes().any(|b| b.is_ascii_uppercase()), "The password must hold an upper case letter (A-Z)."),
        (password.bytes().any(|b| b.is_ascii_lowercase()), "The password must hold a lower case letter (a-z)."),
        (password.bytes().any(|b| b.is_ascii_digit()), "The password must hold a digit."),
        (
            password.chars().all(|c| c.is_ascii_graphic()),
            "The password must consist of printable ASCII characters without blanks (codes 33 to 126).",
        ),
        (
            !password.contains(['\'', '"', '\\', '/', '@']),
            "The password must not hold any of these characters: ' \" \\ / @",
        ),
    ];
    rules.into_iter().filter(|(kept, _)| !kept).map(|(_, sentence)| sentence).collect()
}

/// What shows that a login's password was stored wrongly, so that it is none; nothing of it is repeated.
pub fn stored_wrongly(password: &str) -> Option<&'static str> {
    if password.ends_with(['\n', '\r']) {
        return Some("It ends in a line break, which no password of Redshift does: store it again without one.");
    }
    if password.starts_with(char::is_whitespace) || password.ends_with(char::is_whitespace) {
        return Some("It begins or ends with a blank, which no password of Redshift does: store it again without.");
    }
    let is_object = || serde_json::from_str::<serde_json::Value>(password).is_ok_and(|value| value.is_object());
    if password.starts_with('{') && is_object() {
        return Some(
            "It is a JSON object, and was taken as it is, for a password: store the password alone there, or the object as a secret in Secrets Manager (secret_id).",
        );
    }
    None
}

/// `md5` and the MD5 of password and user name: what Redshift stores by default. Every client can log in with it. The
/// name must be the one that is stored (quoted names keep their case); renaming makes it useless.
pub fn md5(user: &str, password: &SecretString) -> SecretString {
    let digest = Md5::new().chain_update(password.expose_secret()).chain_update(user).finalize();
    SecretString::from(format!("md5{}", hex(&digest)))
}

/// `sha256|digest|salt` with a random salt, for clients that can answer authentication request 13.
pub fn sha256(password: &SecretString) -> SecretString {
    sha256_salted(password, &rand::random())
}

/// `sha256|digest|salt`, both in hex. The salt enters the digest as its 32 bytes, not as its hex text: that is how the
/// server reads it, and how it sends it when a client logs in.
pub fn sha256_salted(password: &SecretString, salt: &[u8; 32]) -> SecretString {
    let digest = Sha256::new().chain_update(password.expose_secret()).chain_update(salt).finalize();
    SecretString::from(format!("sha256|{}|{}", hex(&digest), hex(salt)))
}

/// Bytes as lower case hex digits.
pub(in crate::engine) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A password that is nobody's: drawn, hashed, and forgotten. With it nobody can sign in, as with none. Only superusers may
/// enable or disable passwords (AWS: ALTER USER).
pub fn nobodys() -> SecretString {
    SecretString::from(format!("Aa1{:032x}", rand::random::<u128>()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_that_was_stored_wrongly_shows_it() {
        for (password, words) in [
            ("Abcdefg1\n", Some("line break")),
            ("Abcdefg1\r\n", Some("line break")),
            (" Abcdefg1", Some("blank")),
            ("{\"password\": \"Abcdefg1\"}", Some("JSON")),
            ("{\"password\": \"Abcdefg1\"}\n", Some("line break")),
            ("{Abcdefg1", None),
            ("Abcdefg1", None),
        ] {
            let told = stored_wrongly(password);
            assert_eq!(told.is_some(), words.is_some(), "{password:?}");
            assert!(told.unwrap_or_default().contains(words.unwrap_or_default()), "{password:?}: {told:?}");
            assert!(!told.unwrap_or_default().contains("Abcdefg1"));
        }
    }

    #[test]
    fn each_broken_rule_is_one_sentence() {
        assert_eq!(problems("Abcdefg1"), Vec::<&str>::new());
        assert_eq!(problems(&"Ab1!".repeat(16)), Vec::<&str>::new());
        for (password, words) in [
            ("Abcdef1", "8 to 64"),
            (&"Ab1!x".repeat(13), "8 to 64"),
            ("abcdefg1", "upper"),
            ("ABCDEFG1", "lower"),
            ("Abcdefgh", "digit"),
            ("Abc defg1", "printable"),
            ("Äbcdefg1A", "printable"),
            ("Abcdefg1@", "' \" \\ / @"),
            ("Abcdefg1/", "' \" \\ / @"),
        ] {
            let found = problems(password);
            assert_eq!(found.len(), 1, "{password}: {found:?}");
            assert!(found[0].contains(words), "{password}: {found:?}");
        }
        assert_eq!(problems("").len(), 4);
    }

    #[test]
    fn the_stored_forms() {
        // The first value is printed by: printf 'xyzzyjoe' | md5sum
        let password = SecretString::from("xyzzy");
        assert_eq!(md5("joe", &password).expose_secret(), "md5b5f5ba1a423792b526f799ae4eb3d59e");
        // printf 'xyzzy\0\0...' (32 zero bytes) | sha256sum
        let form = sha256_salted(&password, &[0; 32]);
        let parts: Vec<_> = form.expose_secret().split('|').collect();
        let expected = hex(&Sha256::digest([b"xyzzy".as_slice(), &[0; 32]].concat()));
        assert_eq!(parts, ["sha256", expected.as_str(), "0".repeat(64).as_str()]);
    }

    #[test]
    fn a_salt_is_used_once() {
        let password = SecretString::from("Abcdefg1");
        let (one, other) = (sha256(&password), sha256(&password));
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(one.expose_secret().len(), "sha256||".len() + 128);
    }

    proptest! {
        #[test]
        fn no_sentence_repeats_the_password(password in "[!-~]{6,70}") {
            prop_assert!(problems(&password).iter().all(|sentence| !sentence.contains(&password)));
        }
    }
}
