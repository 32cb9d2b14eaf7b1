//! Percent-encoding, for connection strings and ids.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` with all but the unreserved characters encoded.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The text behind `encoded`; none if a `%` is not followed by two hex digits, or the bytes are not UTF-8.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut rest = encoded;
    while let Some((_, after)) = rest.split_once('%') {
        if after.len() < 2 || !after.bytes().take(2).all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        rest = after;
    }
    Some(percent_decode_str(encoded).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text in ".*") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }

    #[test]
    fn what_is_malformed_does_not() {
        for text in ["%", "%4", "%4g", "a%zzb", "%ff"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("a+b%20c").as_deref(), Some("a+b c"));
    }
}
