//! Users and groups of the warehouse. Any login sees them all.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::session::{Row, Session};
use crate::engine::sql::sql;

/// The id of `rdsdb`, the warehouse's own user, who owns `public`.
pub const SYSTEM_USER_ID: i64 = 1;

/// A database user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub id: i64,
    pub superuser: bool,
    pub createdb: bool,
    /// Until when his password is good, as the server writes it; `None` where nothing was set.
    pub valid_until: Option<String>,
}

/// A group, with the ids of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub id: i64,
    pub members: Vec<i64>,
}

/// Users by id, and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principals {
    pub users: BTreeMap<i64, User>,
    pub groups: Vec<Group>,
}

impl Principals {
    /// The user of exactly this name: user names keep their case.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.values().find(|user| user.name == name)
    }

    /// The group of that name.
    pub fn group(&self, name: &str, case_sensitive: bool) -> Option<&Group> {
        self.groups.iter().find(|group| same_name(&group.name, name, case_sensitive))
    }

    /// The name of an id; `unknown` is what Redshift says of an owner who was dropped.
    pub fn name_of(&self, id: i64) -> String {
        match self.users.get(&id) {
            Some(user) => user.name.clone(),
            None if id == SYSTEM_USER_ID => "rdsdb".to_owned(),
            None => format!("unknown (user id {id})"),
        }
    }

    /// The groups a user is in.
    pub fn groups_of(&self, id: i64) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.members.contains(&id))
    }
}

/// Reads users and groups.
pub fn load(session: &mut Session) -> BoxFuture<'_, Result<Principals, Error>> {
    Box::pin(async move {
        let users =
            session.query(&sql!("SELECT usename, usesysid, usesuper, usecreatedb, valuntil FROM pg_user")).await?;
        let users = users.iter().map(user).collect::<Result<Vec<User>, Error>>()?;
        let groups = session
            .query(&sql!("SELECT groname, grosysid, array_to_string(grolist, chr(9)) AS members FROM pg_group"))
            .await?;
        let groups = groups.iter().map(group).collect::<Result<Vec<Group>, Error>>()?;
        Ok(Principals { users: users.into_iter().map(|user| (user.id, user)).collect(), groups })
    })
}

pub(super) fn user(row: &Row) -> Result<User, Error> {
    Ok(User {
        name: row.text(0)?.to_owned(),
        id: row.parse(1)?,
        superuser: is_true(row.get(2)),
        createdb: is_true(row.get(3)),
        valid_until: row.get(4).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
    })
}

fn group(row: &Row) -> Result<Group, Error> {
    let members = row.get(2).unwrap_or("").split('\t').filter_map(|id| id.trim().parse().ok()).collect();
    let id = row.get(1).and_then(|id| id.trim().parse().ok()).unwrap_or_default();
    Ok(Group { name: row.text(0)?.to_owned(), id, members })
}

/// Whether a boolean column says yes: `t` on the leader, `true`, `True` or `1` from a view of the compute nodes.
pub fn is_true(text: Option<&str>) -> bool {
    matches!(text.map(|text| text.trim().to_ascii_lowercase()).as_deref(), Some("t" | "true" | "1" | "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_users_and_groups() {
        let row = |cells: &[Option<&str>]| Row::new(cells.iter().copied());
        let found = user(&row(&[Some("Alice"), Some("101"), Some("t"), Some("false"), Some("  ")])).expect("reads");
        let alice = User { name: "Alice".into(), id: 101, superuser: true, createdb: false, valid_until: None };
        assert_eq!(found, alice);
        assert!(user(&row(&[Some("x"), Some("no number"), None, None, None])).is_err());
        let readers = group(&row(&[Some("readers"), Some("7"), Some("101\t102")])).expect("reads");
        assert_eq!(readers.members, [101, 102]);
        assert_eq!(group(&row(&[Some("empty"), Some("8"), None])).expect("reads").members, [] as [i64; 0]);

        let all = Principals { users: [(101, alice)].into(), groups: vec![readers] };
        assert!(all.user("Alice").is_some() && all.user("alice").is_none());
        assert!(all.group("READERS", false).is_some() && all.group("READERS", true).is_none());
        assert_eq!(all.groups_of(102).count(), 1);
        assert_eq!(all.groups_of(103).count(), 0);
        assert_eq!((all.name_of(101).as_str(), all.name_of(1).as_str()), ("Alice", "rdsdb"));
        assert!(all.name_of(9).contains("unknown"));
    }
}
