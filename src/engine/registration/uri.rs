//! Which integration something is registered in, as its resource says and as a person can write.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::registry::What;
use crate::engine::bootstrap::{Kind, check_plain, check_prefix};
use crate::engine::error::Error;
use crate::engine::settings::id::{ConnectionId, fragment, read_parameters, write_parameters, wrong};
use crate::engine::sql::{Quoted, Sql, bare, sql};

/// `redshift-integration://database/prefix?system_user=name&type=Redshift`. What is left out is what an integration takes
/// without being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationUri {
    /// The managed database.
    pub database: String,
    /// What the managed schemas begin with.
    pub prefix: String,
    /// Who owns what is managed.
    pub system_user: String,
    /// The kind, in the documents' words.
    pub kind: Kind,
    /// Whether a person runs what an apply would send, which then only looks at what that made.
    pub by_hand: bool,
}

const SCHEME: &str = "redshift-integration://";

/// The modes, in the documents' words.
const AUTOMATIC: &str = "automatic";
const MANUAL: &str = "manual";

/// The name of the system user where none is written.
pub fn system_user_of(prefix: &str) -> String {
    format!("{prefix}_system_user")
}

impl IntegrationUri {
    /// Whether the other one is the same integration, however it is worked on.
    pub fn is_same(&self, other: &IntegrationUri) -> bool {
        IntegrationUri { by_hand: self.by_hand, ..other.clone() } == *self
    }

    /// `<prefix>_system`.
    pub fn system(&self) -> String {
        format!("{}_system", self.prefix)
    }

    /// A relation of `<prefix>_system`.
    pub fn relation(&self, name: &str) -> Sql {
        sql!("{}.{}", bare(&self.system()), bare(name))
    }

    /// The columns of the profile: user, groups, attributes, purposes, and the one that nothing is written to.
    pub fn profile_columns(&self) -> [Quoted; 5] {
        ["userid", "groups", "attributes", "projects", "tables"]
            .map(|column| bare(&format!("{}__{column}", self.prefix)))
    }
}

impl fmt::Display for IntegrationUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.database, self.prefix)?;
        let mode = self.by_hand.then(|| ("mode", MANUAL.to_owned()));
        let parameters = [("system_user", self.system_user.clone()), ("type", self.kind.name().to_owned())];
        write_parameters(f, &parameters.into_iter().chain(mode).collect())
    }
}

impl FromStr for IntegrationUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| {
            let form = "redshift-integration://DATABASE/PREFIX, the uri of a redshift_integration";
            Error::setting("integration_uri", format!("{why} It has the form {form}."))
        };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong(format!("It does not begin with {SCHEME}.")))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (database, prefix) = path.split_once('/').ok_or_else(|| wrong("It has no prefix.".to_owned()))?;
        for (what, checked) in [("database", check_plain("database", database)), ("prefix", check_prefix(prefix))] {
            checked.map_err(|error| wrong(format!("In its {what}: {}", error.detail())))?;
        }
        let mut parameters = read_parameters(query).map_err(|error| wrong(error.detail()))?;
        let system_user = parameters.remove("system_user").unwrap_or_else(|| system_user_of(prefix));
        check_plain("system_user", &system_user)
            .map_err(|error| wrong(format!("In its system_user: {}", error.detail())))?;
        let kind = match parameters.remove("type").as_deref() {
            None | Some("Redshift") => Kind::Redshift,
            Some("RedshiftSpectrum") => Kind::RedshiftSpectrum,
            Some(other) => return Err(wrong(format!("There is no type \"{}\".", other.escape_debug()))),
        };
        let by_hand = match parameters.remove("mode").as_deref() {
            None | Some(AUTOMATIC) => false,
            Some(MANUAL) => true,
            Some(other) => return Err(wrong(format!("There is no mode \"{}\".", other.escape_debug()))),
        };
        if let Some(name) = parameters.keys().next() {
            return Err(wrong(format!("It takes no parameter \"{name}\".")));
        }
        Ok(IntegrationUri { database: database.to_owned(), prefix: prefix.to_owned(), system_user, kind, by_hand })
    }
}

/// The id of a registration: how to get there, the integration, what it is of, and its name.
#[derive(Clone, Debug)]
pub struct RegistrationId {
    /// How to get there.
    pub connection: ConnectionId,
    /// The integration.
    pub uri: IntegrationUri,
    /// What it is of.
    pub what: What,
    /// Its name.
    pub name: String,
}

/// `#profiles/database/prefix/name`, with what of the integration does not go without saying.
impl fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IntegrationUri { database, prefix, system_user, kind, by_hand: _ } = &self.uri;
        write!(f, "{}#{}/{database}/{prefix}/{}", self.connection, self.what.word(), self.name)?;
        let mut parameters = BTreeMap::new();
        if *system_user != system_user_of(prefix) {
            parameters.insert("system_user", system_user.clone());
        }
        if *kind != Kind::default() {
            parameters.insert("type", kind.name().to_owned());
        }
        write_parameters(f, &parameters)
    }
}

impl RegistrationId {
    /// Reads the id of a registration of this kind.
    pub fn read(text: &str, what: What) -> Result<Self, Error> {
        let (connection, rest) = fragment(text, &format!("redshift://host:port#{}/database/prefix/name", what.word()))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parts: Vec<&str> = path.split('/').collect();
        let [kind, database, prefix, name] = parts[..] else {
            return Err(wrong(&format!(
                "After the # must stand {}/, the managed database, / the integration's prefix, / and the name of the registration.",
                what.word()
            )));
        };
        if kind != what.word() {
            return Err(wrong(&format!("It is of {kind}, and {} are meant.", what.word())));
        }
        let question = if query.is_empty() { "" } else { "?" };
        let uri = format!("{SCHEME}{database}/{prefix}{question}{query}").parse::<IntegrationUri>();
        let uri = uri.map_err(|error| wrong(&error.detail()))?;
        super::check_registration(name).map_err(|why| wrong(&why))?;
        Ok(RegistrationId { connection, uri, what, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_writes_and_what_a_person_writes() {
        let uri: IntegrationUri = "redshift-integration://governed/gov".parse().expect("reads");
        assert_eq!((uri.database.as_str(), uri.system_user.as_str()), ("governed", "gov_system_user"));
        let text = "redshift-integration://governed/gov?system_user=gov_system_user&type=Redshift";
        assert_eq!(uri.to_string(), text);
        assert_eq!(text.parse::<IntegrationUri>().expect("reads"), uri);
        let lake = "redshift-integration://dev/lake?system_user=lakes&type=RedshiftSpectrum";
        assert_eq!(lake.parse::<IntegrationUri>().expect("reads").to_string(), lake);
        let by_hand = "redshift-integration://governed/gov?mode=manual&system_user=gov_system_user&type=Redshift";
        let by_hand: IntegrationUri = by_hand.parse().expect("reads");
        assert!(by_hand.is_same(&uri) && by_hand != uri);
        assert_eq!(by_hand.to_string().parse::<IntegrationUri>().expect("reads"), by_hand);
    }

    #[test]
    fn an_id_reads_back() {
        for text in [
            "redshift://wh:5439#profiles/governed/gov/okta",
            "redshift://wh:5439#profiles/governed/gov/okta?system_user=gov_owner&type=RedshiftSpectrum",
        ] {
            assert_eq!(RegistrationId::read(text, What::Profiles).expect("reads").to_string(), text);
            assert!(RegistrationId::read(text, What::Tables).is_err());
        }
        for text in ["redshift://wh:5439", "redshift://wh:5439#profiles/gov/okta", "redshift://wh:5439#profiles/a/b/C"]
        {
            assert!(RegistrationId::read(text, What::Profiles).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, why) in [
            ("governed/gov", "does not begin"),
            ("redshift-integration://governed", "no prefix"),
            ("redshift-integration://Governed/gov", "In its database"),
            ("redshift-integration://governed/g-v", "In its prefix"),
            ("redshift-integration://governed/gov?system_user=x%22", "In its system_user"),
            ("redshift-integration://governed/gov?type=Snowflake", "no type"),
            ("redshift-integration://governed/gov?mood=good", "no parameter \"mood\""),
            ("redshift-integration://governed/gov?mode=fast", "no mode \"fast\""),
            ("redshift-integration://governed/gov?type", "no value"),
        ] {
            let error = text.parse::<IntegrationUri>().expect_err(text);
            assert!(error.detail().contains(why), "{text}: {}", error.detail());
            assert_eq!(error.setting_name(), Some("integration_uri"));
        }
    }
}
