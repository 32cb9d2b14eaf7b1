//! Who gets rights, and how a statement names him.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::error::shown;
use crate::engine::sql::{Sql, ident, sql};

/// What kind of name a grantee is: Redshift keeps the three apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GranteeKind {
    User,
    Group,
    Role,
}

impl GranteeKind {
    /// The word as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            GranteeKind::User => "user",
            GranteeKind::Group => "group",
            GranteeKind::Role => "role",
        }
    }
}

impl fmt::Display for GranteeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A user, group or role that is to have, or has, rights.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grantee {
    pub name: String,
    pub kind: GranteeKind,
}

impl Grantee {
    pub fn user(name: impl Into<String>) -> Grantee {
        Grantee { name: name.into(), kind: GranteeKind::User }
    }

    pub fn group(name: impl Into<String>) -> Grantee {
        Grantee { name: name.into(), kind: GranteeKind::Group }
    }

    pub fn role(name: impl Into<String>) -> Grantee {
        Grantee { name: name.into(), kind: GranteeKind::Role }
    }

    /// How GRANT and REVOKE name him: `"u"`, `GROUP "g"`, `ROLE "r"`.
    pub fn sql(&self) -> Sql {
        let name = ident(&self.name);
        match self.kind {
            GranteeKind::User => sql!("{}", name),
            GranteeKind::Group => sql!("GROUP {}", name),
            GranteeKind::Role => sql!("ROLE {}", name),
        }
    }
}

/// `user svc`, for people.
impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, shown(&self.name))
    }
}
