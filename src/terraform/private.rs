//! Private state: what a provider keeps with a resource and Terraform never shows.

use serde_json::{Map, Value as Json};

/// The key under which this provider's own map stands, so that the rest stays free.
const OURS: &str = "provider";

/// A map of JSON values. Terraform stores it as it is, and hands it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Private {
    others: Map<String, Json>,
    ours: Map<String, Json>,
}

impl Private {
    /// What cannot be read counts as nothing: another provider, or an import, may have left it.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let Ok(Json::Object(mut others)) = serde_json::from_slice(bytes) else { return Private::default() };
        let ours = match others.remove(OURS) {
            Some(Json::Object(map)) => map,
            _ => Map::new(),
        };
        Private { others, ours }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut all = self.others.clone();
        if !self.ours.is_empty() {
            all.insert(OURS.to_owned(), Json::Object(self.ours.clone()));
        }
        if all.is_empty() { Vec::new() } else { Json::Object(all).to_string().into_bytes() }
    }

    pub(super) fn get(&self, key: &str) -> Option<Json> {
        self.ours.get(key).cloned()
    }

    /// Null removes the key.
    pub(super) fn set(&mut self, key: &str, value: Json) {
        match value {
            Json::Null => drop(self.ours.remove(key)),
            value => drop(self.ours.insert(key.to_owned(), value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_comes_back_and_what_others_wrote_stays() {
        let mut private = Private::read(br#"{"schema_version":"1"}"#);
        private.set("made", Json::from(vec!["a"]));
        private.set("gone", Json::from(1));
        private.set("gone", Json::Null);
        let again = Private::read(&private.write());
        assert_eq!(again, private);
        assert_eq!(again.get("made"), Some(Json::from(vec!["a"])));
        assert_eq!(again.get("gone"), None);
        assert!(String::from_utf8(private.write()).expect("UTF-8").contains("schema_version"));
    }

    #[test]
    fn nothing_is_written_as_nothing_and_rubbish_is_nothing() {
        assert_eq!(Private::default().write(), b"");
        for bytes in [&b""[..], b"null", b"[]", b"\xff", br#"{"provider":3}"#] {
            assert_eq!(Private::read(bytes).get("x"), None);
        }
    }
}
