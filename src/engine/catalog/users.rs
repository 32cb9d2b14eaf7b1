//! The users of a warehouse, without its own.

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::principals::SYSTEM_USER_ID;
use crate::engine::catalog::schemas::Names;
use crate::engine::error::Error;
use crate::engine::session::warehouse::Warehouse;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    pub name: String,
    pub superuser: bool,
    /// Whether databases may be created.
    pub createdb: bool,
    /// The groups that the user is in, by name.
    pub groups: Vec<String>,
}

/// The users that are asked for, by name: user names keep their case, and so do the patterns.
pub async fn users(warehouse: &Warehouse, names: &Names, cancel: &CancellationToken) -> Result<Vec<UserInfo>, Error> {
    let at = At::new(warehouse, &warehouse.access().database, cancel);
    let principals = warehouse.catalog().principals(at).await?;
    let info = |user: &super::principals::User| {
        let mut groups: Vec<String> = principals.groups_of(user.id).map(|group| group.name.clone()).collect();
        groups.sort();
        UserInfo { name: user.name.clone(), superuser: user.superuser, createdb: user.createdb, groups }
    };
    let people = principals.users.values().filter(|user| user.id != SYSTEM_USER_ID);
    let mut found: Vec<UserInfo> = people.filter(|user| names.include(&user.name, true)).map(info).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}
