//! The names that go into policies, each with the limits that AWS sets. None of them can hold a wildcard, so that nobody
//! is allowed more than is written.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::engine::error::Error;
use crate::engine::names::{check_name, is_plain_identifier};

/// An ARN by its parts: `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn {
    /// Such as `aws`.
    pub partition: String,
    /// Such as `iam`.
    pub service: String,
    /// Empty for what is in no region.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// The rest.
    pub resource: String,
}

impl Arn {
    /// Reads one of something that is in an account. None for anything else, and for one with a wildcard.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':').map(str::to_owned);
        let scheme = parts.next()?;
        let (partition, service) = (parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let good = scheme == "arn"
            && partition.starts_with("aws")
            && [&partition, &service, &region].iter().all(|part| only(part, b"-"))
            && is_account(&account)
            && (1..=2048).contains(&text.len())
            && only(&resource, b"_+=,.@!-/:");
        good.then_some(Self { partition, service, region, account, resource })
    }

    /// What follows `kind` in the resource of a service.
    fn named(&self, service: &str, kind: &str) -> Option<&str> {
        let rest = if self.service == service { self.resource.strip_prefix(kind) } else { None };
        rest.filter(|rest| !rest.is_empty())
    }
}

/// Whether all bytes are letters, digits or one of `others`.
fn only(text: &str, others: &[u8]) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// The name of a user or role, at most 64 characters (AWS: IAM quotas).
fn is_iam_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && only(text, b"_+=,.@-")
}

/// The last part of `path/to/NAME`, if the whole is one.
fn last_name(path_and_name: &str) -> Option<&str> {
    let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("p", path_and_name));
    (is_iam_name(name) && path.split('/').all(|part| only(part, b"_+=,.@-") && !part.is_empty())).then_some(name)
}

fn rule(setting: &'static str, good: bool, words: &str) -> Result<(), Error> {
    if good { Ok(()) } else { Err(Error::setting(setting, format!("{setting} must be {words}."))) }
}

/// A region such as `eu-west-1` or `us-gov-east-1`.
pub fn region(text: &str) -> Result<(), Error> {
    let (start, number) = text.rsplit_once('-').unwrap_or_default();
    let labels: Vec<&str> = start.split('-').collect();
    let good = labels.len() >= 2
        && labels.iter().all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit());
    rule("region", good, "a region's name such as \"eu-west-1\"")
}

/// An account.
pub fn account_id(text: &str) -> Result<(), Error> {
    rule("account_id", is_account(text), "an account's twelve digits, such as \"123456789012\"")
}

/// A workgroup's id, or `*`.
pub fn workgroup_id(text: &str) -> Result<(), Error> {
    let lengths = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let good = lengths && text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let words =
        "a workgroup's id, a UUID such as \"0123abcd-45ef-6789-abcd-0123456789ef\", or \"*\" for every workgroup";
    rule("workgroup_id", good || text == "*", words)
}

/// What AWS takes as DbUser and DbName, in words.
pub const DB_NAME_WORDS: &str = "1 to 64 letters, digits and characters of _+.@-, a letter first and no reserved word";

/// Whether a request for credentials can name such a user or database (AWS: GetClusterCredentials, DbUser and DbName).
pub fn is_db_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let reserved = lower == "public" || (only(&lower, b"_") && !is_plain_identifier(&lower));
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && only(name, b"_+.@-") && !reserved
}

/// A database user whom credentials can be asked for.
pub fn username(text: &str) -> Result<(), Error> {
    let words = format!("a name that credentials can be asked for: {DB_NAME_WORDS}");
    rule("username", is_db_name(text), &words)
}

/// Names of databases, `*` among them.
pub fn databases(all: &BTreeSet<String>) -> Result<(), Error> {
    if all.is_empty() {
        return Err(Error::setting(
            "databases",
            "Name at least one database, or \"*\" for every one; left out it is \"dev\".",
        ));
    }
    let wrong = |error| Error::setting("databases", format!("In databases: {error}."));
    all.iter().try_for_each(|name| check_name(name).map_err(wrong))
}

/// The ARN of a role, 20 to 2048 characters (AWS: AssumeRole).
pub fn role_arn(text: &str) -> Result<(), Error> {
    let arn = Arn::read(text).filter(|arn| arn.region.is_empty() && text.len() >= 20);
    let good = arn.as_ref().and_then(|arn| last_name(arn.named("iam", "role/")?)).is_some();
    rule("role_arn", good, "the ARN of a role, such as \"arn:aws:iam::123456789012:role/warehouse\"")
}

/// 2 to 1224 characters (AWS: AssumeRole).
pub fn external_id(text: &str) -> Result<(), Error> {
    let good = (2..=1224).contains(&text.len()) && only(text, b"_+=,.@:/-");
    rule("external_id", good, "2 to 1224 letters, digits and characters of _+=,.@:/-")
}

/// The name of a secret, or its ARN (AWS: GetSecretValue).
pub fn secret_id(text: &str) -> Result<(), Error> {
    let is_name = |name: &str| (1..=512).contains(&name.len()) && only(name, b"/_+=.@!-");
    let good = match Arn::read(text) {
        Some(arn) => arn.named("secretsmanager", "secret:").is_some_and(is_name),
        None => is_name(text),
    };
    rule("secret_id", good, "the name of a secret in Secrets Manager, or its ARN")
}

/// The secret's ARN in a policy: as it is written, or made by `own` of its name. Secrets Manager puts a hyphen and six
/// characters behind the name, which are not told by it.
pub fn secret_resource(id: &str, own: impl Fn(String) -> String) -> String {
    let whole = if id.starts_with("arn:") { id.to_owned() } else { own(format!("secret:{id}")) };
    let suffix = id.rsplit_once('-').map(|(_, suffix)| suffix);
    let complete = id.starts_with("arn:") && suffix.is_some_and(|suffix| suffix.len() == 6 && only(suffix, b""));
    if complete { whole } else { format!("{whole}-??????") }
}

/// The name of an SSM parameter, or its ARN (AWS: GetParameter). A version or label may follow a colon.
pub fn parameter(text: &str) -> Result<(), Error> {
    let is_name = |text: &str| {
        let (name, selector) = text.split_once(':').unwrap_or((text, "1"));
        let parts = name.strip_prefix('/').unwrap_or(name);
        let good = parts.split('/').all(|part| !part.is_empty() && only(part, b"_.-"));
        good && name.len() <= 1011 && !selector.is_empty() && only(selector, b"_.-")
    };
    let good = match Arn::read(text) {
        Some(arn) => arn.named("ssm", "parameter/").is_some_and(is_name),
        None => is_name(text),
    };
    rule("password_ssm_parameter", good, "the name of an SSM parameter, such as \"/warehouse/password\", or its ARN")
}

/// The parameter's ARN in a policy, where one slash is before the name and no version behind it.
pub fn parameter_resource(name: &str, own: impl Fn(String) -> String) -> String {
    match Arn::read(name) {
        Some(arn) => {
            let end = arn.resource.split(':').next().map_or(0, |kept| arn.resource.len() - kept.len());
            name[..name.len() - end].to_owned()
        }
        None => {
            let name = name.split(':').next().unwrap_or_default();
            own(format!("parameter/{}", name.strip_prefix('/').unwrap_or(name)))
        }
    }
}

/// The ARN of a key. IAM does not take an alias as the resource of a key's actions.
pub fn kms_key_arn(text: &str) -> Result<(), Error> {
    let arn = Arn::read(text);
    if arn.as_ref().is_some_and(|arn| arn.named("kms", "alias/").is_some()) {
        let message = "A policy cannot name a key by its alias: write the key's own ARN, …:key/ID.";
        return Err(Error::setting("kms_key_arn", message));
    }
    let good = arn.as_ref().and_then(|arn| arn.named("kms", "key/")).is_some_and(|id| only(id, b"-"));
    rule("kms_key_arn", good, "the ARN of a key, such as \"arn:aws:kms:eu-west-1:123456789012:key/ID\"")
}

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever an account allows to.
    Account(String),
    /// An IAM user.
    User {
        /// The user's account.
        account: String,
        /// `path/to/NAME`.
        path_and_name: String,
    },
    /// The sessions of a role.
    Role {
        /// The role's account.
        account: String,
        /// Its name, without its path.
        name: String,
    },
}

impl Principal {
    /// The account.
    pub fn account(&self) -> &str {
        match self {
            Self::Account(account) | Self::User { account, .. } | Self::Role { account, .. } => account,
        }
    }
}

/// Reads a principal: an account's digits, or the ARN of an account, a user, a role or a role's session, as
/// GetCallerIdentity tells it.
pub fn principal(text: &str) -> Result<Principal, Error> {
    if is_account(text) {
        return Ok(Principal::Account(text.to_owned()));
    }
    let wrong = || {
        let words = "an account's twelve digits, or the ARN of a user, a role, a role's session (arn:aws:sts::123456789012:assumed-role/ROLE/SESSION) or an account (…:root)";
        Error::setting("principal_arn", format!("principal_arn must be {words}."))
    };
    let arn = Arn::read(text).filter(|arn| arn.region.is_empty()).ok_or_else(wrong)?;
    let account = arn.account.clone();
    if let Some(path_and_name) = arn.named("iam", "user/") {
        last_name(path_and_name).ok_or_else(wrong)?;
        return Ok(Principal::User { account, path_and_name: path_and_name.to_owned() });
    }
    if let Some(name) = arn.named("iam", "role/").and_then(last_name) {
        return Ok(Principal::Role { account, name: name.to_owned() });
    }
    if let Some((name, session)) = arn.named("sts", "assumed-role/").and_then(|rest| rest.split_once('/')) {
        return match is_iam_name(name) && is_iam_name(session) {
            true => Ok(Principal::Role { account, name: name.to_owned() }),
            false => Err(wrong()),
        };
    }
    if arn.service == "iam" && arn.resource == "root" { Ok(Principal::Account(account)) } else { Err(wrong()) }
}
