//! What an apply remembers of what it made, in private state. A state keeps thousands of views, so it is written shortly:
//! one letter for a word, digests as base64, columns and their types in one list, no name that is the table's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::found::Given;

/// What an apply remembers of what it made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// By table.
    #[serde(with = "views")]
    pub views: BTreeMap<String, KeptView>,
    /// The view that says who sees what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<KeptText>,
    /// What was given that nobody had given before.
    pub made: BTreeSet<Given>,
}

/// A view on a table, as it was made. Digests are 16 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptView {
    /// Its name.
    #[serde(rename = "n", alias = "name", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The digest of what it was made from: rules and columns.
    #[serde(rename = "o", alias = "of", with = "digest")]
    pub of: String,
    /// The digest of the statement.
    #[serde(rename = "t", alias = "text", with = "digest")]
    pub text: String,
    /// The digest of what it is to the warehouse.
    #[serde(rename = "s", alias = "seen", default, skip_serializing_if = "Option::is_none", with = "or_none")]
    pub seen: Option<String>,
    /// The digest of its columns.
    #[serde(rename = "f", alias = "form", with = "digest")]
    pub form: String,
    /// The columns of the table, each with its type.
    #[serde(rename = "c", alias = "columns", with = "columns")]
    pub columns: Vec<(String, String)>,
}

/// Another view, as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptText {
    /// Its name.
    pub name: String,
    /// The digest of what it was made from.
    pub of: String,
    /// The digest of the statement.
    pub text: String,
    /// The digest of what it is to the warehouse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// Without the names that are those of the tables.
mod views {
    use super::{BTreeMap, KeptView};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(views: &BTreeMap<String, KeptView>, to: S) -> Result<S::Ok, S::Error> {
        let short = |(table, view): (&String, &KeptView)| {
            let name = if *table == view.name { String::new() } else { view.name.clone() };
            (table.clone(), KeptView { name, ..view.clone() })
        };
        to.collect_map(views.iter().map(short))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, KeptView>, D::Error> {
        let mut views = BTreeMap::<String, KeptView>::deserialize(from)?;
        for (table, view) in views.iter_mut().filter(|(_, view)| view.name.is_empty()) {
            view.name.clone_from(table);
        }
        Ok(views)
    }
}

/// Eight bytes, as base64 or as the hexadecimal digits that they are elsewhere.
mod digest {
    use base64::prelude::{BASE64_STANDARD_NO_PAD as BASE64, Engine as _};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(digest: &str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&short(digest))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        String::deserialize(from).map(long)
    }

    pub fn short(digest: &str) -> String {
        let byte = |at: usize| digest.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes: Option<Vec<u8>> = (0..8).map(|n| byte(2 * n)).collect();
        match bytes.filter(|_| digest.len() == 16) {
            Some(bytes) => BASE64.encode(bytes),
            None => digest.to_owned(),
        }
    }

    pub fn long(text: String) -> String {
        match BASE64.decode(&text) {
            Ok(bytes) if bytes.len() == 8 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => text,
        }
    }
}

/// The same of one that may be unknown.
mod or_none {
    use super::digest;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(digest: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => to.serialize_some(&digest::short(digest)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(digest::long))
    }
}

/// One list, in which a column's type follows its name.
mod columns {
    use serde::{Deserialize, Deserializer, Serializer};

    /// In pairs, as the first states hold them.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Flat(Vec<String>),
        Pairs(Vec<(String, String)>),
    }

    pub fn serialize<S: Serializer>(columns: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(columns.iter().flat_map(|(name, ty)| [name, ty]))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
        let pair = |two: &[String]| match two {
            [name, ty] => Some((name.clone(), ty.clone())),
            _ => None,
        };
        Ok(match Written::deserialize(from)? {
            Written::Flat(all) => all.chunks(2).filter_map(pair).collect(),
            Written::Pairs(pairs) => pairs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_written_shortly_and_the_first_states_are_read_as_well() {
        let of = |name: &str| KeptView {
            name: name.to_owned(),
            of: "00ff10a0b0c0d0e0".to_owned(),
            text: "0123456789abcdef".to_owned(),
            seen: Some("fedcba9876543210".to_owned()),
            form: "1111111111111111".to_owned(),
            columns: vec![("id".to_owned(), "integer".to_owned()), ("n".to_owned(), "varchar(9)".to_owned())],
        };
        let views: BTreeMap<String, KeptView> =
            [("people".to_owned(), of("people")), ("orders".to_owned(), of("all_orders"))].into();
        let kept = Kept { views, ..Kept::default() };
        let written = serde_json::to_value(&kept).expect("is written");
        assert_eq!(
            written["views"]["people"],
            json!({ "o": "AP8QoLDA0OA", "t": "ASNFZ4mrze8", "s": "/ty6mHZUMhA", "f": "ERERERERERE", "c": ["id", "integer", "n", "varchar(9)"] })
        );
        assert_eq!(written["views"]["orders"]["n"], json!("all_orders"));
        assert_eq!(serde_json::from_value::<Kept>(written).expect("is read"), kept);
        let first = json!({ "made": [], "views": { "people": {
            "name": "people", "of": "00ff10a0b0c0d0e0", "text": "0123456789abcdef", "seen": "fedcba9876543210",
            "form": "1111111111111111", "columns": [["id", "integer"], ["n", "varchar(9)"]],
        } } });
        let first: Kept = serde_json::from_value(first).expect("is read");
        assert_eq!(first.views["people"], of("people"));
        let unseen = Kept { views: [("t".to_owned(), KeptView::default())].into(), ..Kept::default() };
        let again = serde_json::from_value::<Kept>(serde_json::to_value(&unseen).expect("is written"));
        assert_eq!(again.expect("is read").views["t"].seen, None);
    }
}
