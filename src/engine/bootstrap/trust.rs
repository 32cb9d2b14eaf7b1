//! Who is believed. What a warehouse holds was made by somebody, and what bears a managed name is this integration's only
//! if its owner can have made it on our behalf.

use super::found::World;
use super::spec::Spec;

/// Whose objects are this integration's, beside the login's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// As the configuration names him.
    pub marker_owner: Option<String>,
    /// The user id of who owned the marker when an apply last looked, as private state has it.
    pub kept: Option<i64>,
}

impl Whose {
    pub(super) fn of(spec: &Spec, kept: Option<i64>) -> Whose {
        Whose { marker_owner: spec.marker_owner.clone(), kept }
    }
}

impl World {
    /// Whether what this user owns is believed: he is the login, the marker's owner by configuration or private state,
    /// or, where the login is a superuser, another one.
    pub(super) fn trusts(&self, owner: i64, whose: &Whose) -> bool {
        owner == self.login
            || whose.kept == Some(owner)
            || whose
                .marker_owner
                .as_ref()
                .is_some_and(|name| self.principals.user(name).is_some_and(|it| it.id == owner))
            || (self.superuser && self.principals.users.get(&owner).is_some_and(|user| user.superuser))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalog::principals::{Principals, User};

    #[test]
    fn an_owner_is_believed_by_what_he_is_and_never_by_what_he_says() {
        let user = |id: i64, name: &str, superuser| {
            (id, User { name: name.into(), id, superuser, createdb: false, valid_until: None })
        };
        let users =
            [user(100, "admin", true), user(101, "second", true), user(102, "mallory", false), user(103, "gov", false)];
        let principals = Principals { users: users.into_iter().collect(), groups: Vec::new() };
        let world =
            |login: i64, superuser| World { principals: principals.clone(), login, superuser, ..World::default() };
        let nobody = Whose::default();
        let gov = Whose { marker_owner: Some("gov".into()), kept: None };
        let kept = Whose { marker_owner: None, kept: Some(102) };
        for (login, superuser, owner, whose, trusted) in [
            (100, true, 100, &nobody, true),
            (100, true, 101, &nobody, true),
            (100, true, 102, &nobody, false),
            (100, true, 103, &nobody, false),
            (100, true, 103, &gov, true),
            (100, true, 102, &kept, true),
            (100, true, 999, &nobody, false),
            (103, false, 103, &nobody, true),
            (103, false, 100, &nobody, false),
            (103, false, 102, &nobody, false),
        ] {
            assert_eq!(world(login, superuser).trusts(owner, whose), trusted, "{login} {owner} {whose:?}");
        }
    }
}
