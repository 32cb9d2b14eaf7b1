//! Who holds a right, as statements and as people name him.

use crate::engine::catalog::acl;
use crate::engine::catalog::principals::{Principals, User};
use crate::engine::error::shown;
use crate::engine::sql::{Sql, ident, sql};

/// Who holds a right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    Public,
    User(String),
    Group(String),
    Role(String),
    /// Somebody who was dropped while this database still knew him: a list of rights keeps his number, or a word for
    /// it. No statement can name him.
    Gone(String),
}

impl Holder {
    /// Whom an entry of a list means: only a user or group who is there is meant by a name.
    pub fn of(grantee: &acl::Grantee, principals: &Principals) -> Holder {
        match grantee {
            acl::Grantee::Public => Holder::Public,
            acl::Grantee::User(name) if is_user(name, principals) => Holder::User(name.clone()),
            acl::Grantee::Group(name) if principals.groups.iter().any(|group| group.name == *name) => {
                Holder::Group(name.clone())
            }
            acl::Grantee::User(name) | acl::Grantee::Group(name) => Holder::Gone(name.clone()),
        }
    }

    /// As a column `identity_type` or `grantee_type` and a name beside it say it.
    pub fn of_type(kind: &str, name: &str) -> Holder {
        match kind.trim().to_ascii_lowercase().as_str() {
            "role" => Holder::Role(name.to_owned()),
            "group" => Holder::Group(name.to_owned()),
            "public" => Holder::Public,
            _ => Holder::User(name.to_owned()),
        }
    }

    /// As GRANT and REVOKE name him; none of whom there is no name.
    pub fn sql(&self) -> Option<Sql> {
        Some(match self {
            Holder::Public => sql!("PUBLIC"),
            Holder::User(name) => sql!("{}", ident(name)),
            Holder::Group(name) => sql!("GROUP {}", ident(name)),
            Holder::Role(name) => sql!("ROLE {}", ident(name)),
            Holder::Gone(_) => return None,
        })
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Holder::Public => "PUBLIC".to_owned(),
            Holder::User(name) => format!("user {}", shown(name)),
            Holder::Group(name) => format!("group {}", shown(name)),
            Holder::Role(name) => format!("role {}", shown(name)),
            Holder::Gone(name) => format!("a user who no longer exists ({})", shown(name)),
        }
    }
}

/// Whether there is a user of this name; `rdsdb` always is.
pub fn is_user(name: &str, principals: &Principals) -> bool {
    name == "rdsdb" || principals.users.values().any(|User { name: other, .. }| other == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_nobodys_name_is_somebody_who_is_gone() {
        let user = |id: i64, name: &str| {
            (id, User { name: name.into(), id, superuser: false, createdb: false, valid_until: None })
        };
        let principals = Principals { users: [user(101, "bob"), user(102, "155")].into(), groups: Vec::new() };
        let of = |name: &str| Holder::of(&acl::Grantee::User(name.into()), &principals);
        assert_eq!(of("bob"), Holder::User("bob".into()));
        assert_eq!(of("155"), Holder::User("155".into()), "a user who is really called so");
        for gone in ["157", "unknown (UID=9999)"] {
            assert_eq!(of(gone), Holder::Gone(gone.into()));
            assert!(of(gone).sql().is_none() && of(gone).words().contains(gone));
        }
        assert_eq!(Holder::of(&acl::Grantee::Group("107".into()), &principals), Holder::Gone("107".into()));
    }
}
