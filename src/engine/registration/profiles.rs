//! Users and what is known of them, in the table `profile` of an integration.
//!
//! One row for each user. Rows are compared by digests, so that a warehouse with thousands of profiles answers one short
//! question, and only what differs is written, in one transaction with the registration's entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::by_hand::{ENTRY, Scripts, together};
use super::registry::{self, Entry, Registry, What};
use super::seat::{Seat, not_there};
use super::uri::IntegrationUri;
use crate::engine::catalog::At;
use crate::engine::cell::lock;
use crate::engine::datastore::missing::some_of;
use crate::engine::error::{Error, shown};
use crate::engine::governance::Profile;
use crate::engine::object;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, literal, sql};
use crate::engine::step::Step;

/// How many rows, and how many bytes of them, go into one statement. A statement may have 16 MB (AWS: Amazon Redshift SQL).
const MOST_ROWS: usize = 1000;
const MOST_BYTES: usize = 1 << 20;

/// Profiles as they are to be.
#[derive(Clone, Debug)]
pub struct ProfilesWanted {
    /// Where.
    pub uri: IntegrationUri,
    /// The registration's name.
    pub name: String,
    /// By user.
    pub users: BTreeMap<String, Profile>,
    /// Whether nobody else has a profile.
    pub exclusive: bool,
}

/// What is there.
#[derive(Clone, Debug)]
pub struct ProfilesFound {
    seat: Seat,
    /// The digest of each user's row; none where there is more than one.
    rows: Arc<Rows>,
    /// Which other registration a user belongs to.
    of_others: BTreeMap<String, String>,
    /// The users that the registration's own entry names; none: there is no entry.
    entered: Option<BTreeSet<String>>,
    /// Wanted users that the warehouse does not have.
    pub unknown_users: Vec<String>,
}

/// What an entry says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    users: BTreeSet<String>,
}

/// What differs between what is wanted and what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Users whose row is not there.
    pub gone: BTreeSet<String>,
    /// Users whose row says something else, or who have two.
    pub altered: BTreeSet<String>,
    /// Users who have a row that is to go.
    pub surplus: BTreeSet<String>,
    /// Whether the registry does not have it as it is.
    pub is_unentered: bool,
}

impl Differences {
    /// In words, what a plan restores.
    pub fn missing(&self) -> Vec<String> {
        let gone = self.gone.iter().map(|user| format!("profile of {}", shown(user)));
        let altered = self.altered.iter().map(|user| format!("profile of {}, as it is written", shown(user)));
        let entry = self.is_unentered.then(|| ENTRY.to_owned());
        gone.chain(altered).chain(entry).collect()
    }

    /// In words, what a plan takes away.
    pub fn surplus(&self) -> Vec<String> {
        self.surplus.iter().map(|user| format!("profile of {}, which is not declared here", shown(user))).collect()
    }

    fn is_empty(&self) -> bool {
        *self == Differences::default()
    }
}

/// Looks at the profiles of an integration. None: it is not there.
pub async fn find(at: At<'_>, wanted: &ProfilesWanted) -> Result<Option<ProfilesFound>, Error> {
    let Some(seat) = Seat::find(at, &wanted.uri).await? else { return Ok(None) };
    let catalog = at.warehouse.catalog();
    let (registry, rows) = match seat.reads_all {
        true => {
            let key = format!("profiles {}", wanted.uri.prefix);
            (Registry::shared(at, &seat).await?, catalog.shared(at, &key, || rows(at, &wanted.uri)).await?)
        }
        false => Default::default(),
    };
    let detail = |entry: &Entry| serde_json::from_str::<Detail>(&entry.detail).unwrap_or_default();
    let mut of_others = BTreeMap::new();
    for (name, entry) in registry.others(What::Profiles, &wanted.name) {
        of_others.extend(detail(entry).users.into_iter().map(|user| (user, name.to_owned())));
    }
    let principals = at.warehouse.catalog().principals(at).await?;
    let is_known = |user: &str| user.contains(':') || principals.user(user).is_some();
    Ok(Some(ProfilesFound {
        entered: registry.entry(What::Profiles, &wanted.name).map(|entry| detail(entry).users),
        seat,
        rows,
        of_others,
        unknown_users: wanted.users.keys().filter(|user| !is_known(user)).cloned().collect(),
    }))
}

/// The digest of each user's row; none where there is more than one.
type Rows = BTreeMap<String, Option<String>>;

async fn rows(at: At<'_>, uri: &IntegrationUri) -> Result<Rows, Error> {
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let mut found = Rows::new();
    for row in session.query(&digests(uri)).await? {
        let digest = Some(row.text(1)?.to_owned());
        found.entry(row.text(0)?.to_owned()).and_modify(|seen| *seen = None).or_insert(digest);
    }
    Ok(found)
}

/// The digest of each row: of each of its columns, since all of them together may be longer than a varchar can be.
fn digests(uri: &IntegrationUri) -> Sql {
    let [user, groups, attributes, purposes, tables] = uri.profile_columns();
    let of = |column| sql!("pg_catalog.md5(coalesce({}, ''))", column);
    sql!(
        "SELECT {}, {} || {} || {} || {} FROM {}",
        user,
        of(groups),
        of(attributes),
        of(purposes),
        of(tables),
        uri.relation("profile")
    )
}

/// The same of a profile that is wanted. The last column is nobody's.
fn digest(profile: &Profile) -> String {
    let [groups, attributes, purposes] = profile.texts();
    let texts = [groups, attributes, purposes, None];
    texts.into_iter().map(|text| hex(&Md5::digest(text.unwrap_or_default().as_bytes()))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ProfilesFound {
    /// Whether the login can read them.
    pub fn is_read(&self) -> bool {
        self.seat.reads_all
    }

    /// Whether nothing of it is there: no entry, and no row of these users.
    pub fn is_gone(&self, users: &BTreeMap<String, Profile>) -> bool {
        self.entered.is_none() && !users.keys().any(|user| self.rows.contains_key(user))
    }
}

impl ProfilesWanted {
    /// What differs. `before` are the users that it had so far.
    pub fn differences(&self, found: &ProfilesFound, before: &BTreeSet<String>) -> Differences {
        let mut differences = Differences::default();
        for (user, profile) in &self.users {
            match found.rows.get(user) {
                None => differences.gone.insert(user.clone()),
                Some(seen) if *seen != Some(digest(profile)) => differences.altered.insert(user.clone()),
                Some(_) => false,
            };
        }
        let goes = |user: &String| {
            !self.users.contains_key(user)
                && !found.of_others.contains_key(user)
                && (self.exclusive || before.contains(user))
        };
        let users = self.users.keys();
        differences.is_unentered = found.entered.as_ref().is_none_or(|entered| !entered.iter().eq(users));
        differences.surplus = found.rows.keys().filter(|user| goes(user)).cloned().collect();
        differences
    }

    /// What stands against it: users that are another registration's, or somebody's whom no registration names.
    fn check(&self, found: &ProfilesFound, before: &BTreeSet<String>) -> Result<(), Error> {
        let of_others = |user: &&String| found.of_others.contains_key(user.as_str());
        if let Some(user) = self.users.keys().find(of_others) {
            let other = found.of_others.get(user).map_or("", String::as_str);
            return Err(Error::refused(
                format!("The profile of {} is another registration's", shown(user)),
                format!(
                    "The registration \"{}\" in this integration has {} too. A user has one profile: leave {} out in one of the two. \
                     Nothing was changed.",
                    shown(other),
                    shown(user),
                    shown(user)
                ),
            )
            .about("users"));
        }
        let ours =
            |user: &String| before.contains(user) || found.entered.as_ref().is_some_and(|all| all.contains(user));
        let is_strange = |(user, profile): &(&String, &Profile)| {
            !ours(user) && found.rows.get(*user).is_some_and(|seen| *seen != Some(digest(profile)))
        };
        let strange: Vec<&str> = self.users.iter().filter(is_strange).map(|(user, _)| user.as_str()).collect();
        if strange.is_empty() || self.exclusive {
            return Ok(());
        }
        Err(Error::refused(
            "There are profiles that nobody registered",
            format!(
                "The integration has a profile of {} already, which says something else. Nothing was changed. Take the rows out of \
                 {} by hand, write the same here, or set exclusive = true, with which they are replaced.",
                some_of(&strange),
                self.uri.relation("profile")
            ),
        )
        .about("users"))
    }

    /// The statements that write its entry.
    fn entering(&self) -> Vec<Sql> {
        let users = self.users.keys().cloned().collect();
        let detail = serde_json::to_string(&Detail { users }).unwrap_or_default();
        registry::write(&self.uri, What::Profiles, &self.name, &Entry { is_done: true, detail })
    }

    /// The statements that lead from what is there to what is wanted; none if it is so already.
    fn statements(&self, found: &ProfilesFound, before: &BTreeSet<String>) -> Vec<Sql> {
        let differences = self.differences(found, before);
        if differences.is_empty() {
            return Vec::new();
        }
        let mut statements = Vec::new();
        if !found.seat.has_registry {
            statements.push(registry::make(&self.uri));
        }
        if differences.is_unentered {
            statements.extend(self.entering());
        }
        let rows = differences.gone.iter().chain(&differences.altered).filter_map(|user| {
            let profile = self.users.get(user)?;
            Some(Profile { user: user.clone(), ..profile.clone() }.row())
        });
        statements.extend(deletes(&self.uri, differences.altered.iter().chain(&differences.surplus)));
        statements.extend(inserts(&self.uri, rows));
        statements
    }
}

/// Comparisons of varchar pass over blanks at the end (AWS: Character types), so that another user's row would go too; a
/// letter behind the name makes them count.
fn deletes<'u>(uri: &IntegrationUri, users: impl Iterator<Item = &'u String>) -> Vec<Sql> {
    let [user, ..] = uri.profile_columns();
    let names: Vec<Sql> = users.map(|user| sql!("{}", literal(&format!("{user}.")))).collect();
    let one = |names: &[Sql]| {
        let names = Sql::join(", ", names.iter());
        sql!("DELETE FROM {} WHERE {} || '.' IN ({})", uri.relation("profile"), user, names)
    };
    names.chunks(MOST_ROWS).map(one).collect()
}

fn inserts(uri: &IntegrationUri, rows: impl Iterator<Item = Sql>) -> Vec<Sql> {
    let columns = || Sql::join(", ", uri.profile_columns());
    let statement = |rows: &mut Vec<Sql>| {
        let rows = Sql::join(",\n  ", std::mem::take(rows));
        sql!("INSERT INTO {} ({}) VALUES\n  {}", uri.relation("profile"), columns(), rows)
    };
    let mut statements = Vec::new();
    let (mut some, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let length = row.length();
        if some.len() >= MOST_ROWS || (!some.is_empty() && bytes + length > MOST_BYTES) {
            statements.push(statement(&mut some));
            bytes = 0;
        }
        bytes += length;
        some.push(row);
    }
    if !some.is_empty() {
        statements.push(statement(&mut some));
    }
    statements
}

/// Makes the profiles what is wanted, and says which of the users the warehouse does not have. `before` are the users that the registration had, as state knows; none: it is new, and
/// one of its name that says something else is refused.
pub async fn apply(
    warehouse: &Warehouse,
    wanted: &ProfilesWanted,
    before: Option<&BTreeSet<String>>,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let at = At::new(warehouse, &wanted.uri.database, cancel);
    let nobody = BTreeSet::new();
    let had = before.unwrap_or(&nobody);
    let unknown = &Mutex::new(Vec::new());
    let steps = || async move {
        let found = find(at, wanted).await?.ok_or_else(|| not_there(&wanted.uri))?;
        lock(unknown).clone_from(&found.unknown_users);
        refuse(wanted, &found, before)?;
        Ok(found.seat.steps(wanted.statements(&found, had), "profiles"))
    };
    object::in_turn(warehouse, &wanted.uri.database, steps, cancel).await?;
    Ok(std::mem::take(&mut *lock(unknown)))
}

/// What stands against them: users of another registration, rows of nobody, a registration of the name. `before`: as in
/// [`apply`].
pub fn refuse(wanted: &ProfilesWanted, found: &ProfilesFound, before: Option<&BTreeSet<String>>) -> Result<(), Error> {
    let nobody = BTreeSet::new();
    let had = before.unwrap_or(&nobody);
    wanted.check(found, had)?;
    // Entry and rows are written together: of an apply that was killed after that, all is as it is wanted.
    if before.is_none() && found.entered.is_some() && !wanted.differences(found, had).is_empty() {
        return Err(super::exists("profiles", &wanted.name));
    }
    Ok(())
}

/// The scripts of profiles. What cannot be read is written anew. `found` is none where the integration is still to come.
pub fn scripts(wanted: &ProfilesWanted, found: Option<&ProfilesFound>, before: &BTreeSet<String>) -> Scripts {
    let uri = &wanted.uri;
    let to_come = Seat::to_come(uri);
    let seat = found.map_or(&to_come, |found| &found.seat);
    let statements = match found.filter(|found| found.is_read()) {
        Some(found) => wanted.statements(found, before),
        None => {
            let users: BTreeSet<&String> = wanted.users.keys().chain(before).collect();
            let rows =
                wanted.users.iter().map(|(user, profile)| Profile { user: user.clone(), ..profile.clone() }.row());
            let entry = [registry::make(uri)].into_iter().chain(wanted.entering());
            entry.chain(deletes(uri, users.into_iter())).chain(inserts(uri, rows)).collect()
        }
    };
    let of_others = |user: &&String| found.is_some_and(|found| found.of_others.contains_key(*user));
    let users: BTreeSet<&String> = wanted.users.keys().chain(before).filter(|user| !of_others(user)).collect();
    let mut gone = deletes(uri, users.into_iter());
    gone.extend([registry::make(uri), registry::delete(uri, What::Profiles, &wanted.name)]);
    let apply = together("Sets what is known of users.", &uri.database, seat.by_hand(statements));
    let remove = together("Takes away what is known of users.", &uri.database, seat.by_hand(gone));
    Scripts { apply: apply.into_iter().collect(), remove: remove.into_iter().collect() }
}

/// What is seen of profiles that a person writes.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What is not as it is wanted, in words; none: the login cannot read them.
    pub lacks: Option<Vec<String>>,
    /// Wanted users that the warehouse does not have.
    pub unknown_users: Vec<String>,
}

/// Compares them. The error: the integration is not there, or the profiles are not this registration's.
pub async fn verify(
    warehouse: &Warehouse,
    wanted: &ProfilesWanted,
    before: &BTreeSet<String>,
    cancel: &CancellationToken,
) -> Result<Seen, Error> {
    let found = find(At::new(warehouse, &wanted.uri.database, cancel), wanted).await?;
    let found = found.ok_or_else(|| not_there(&wanted.uri))?;
    wanted.check(&found, before)?;
    let differences = wanted.differences(&found, before);
    let surplus = differences.surplus().into_iter().map(|what| format!("{what} (which should not be there)"));
    let lacks = found.is_read().then(|| differences.missing().into_iter().chain(surplus).collect());
    Ok(Seen { lacks, unknown_users: found.unknown_users })
}

/// What is left of profiles that a person has to take away, in words; none, where the login cannot tell.
pub async fn left(
    warehouse: &Warehouse,
    gone: &ProfilesWanted,
    cancel: &CancellationToken,
) -> Result<Option<Vec<String>>, Error> {
    let found = match find(At::new(warehouse, &gone.uri.database, cancel), gone).await? {
        None => return Ok(Some(Vec::new())),
        Some(found) if !found.is_read() => return Ok(None),
        Some(found) => found,
    };
    let ours = |user: &&String| found.rows.contains_key(*user) && !found.of_others.contains_key(*user);
    let rows = gone.users.keys().filter(ours).map(|user| format!("profile of {}", shown(user)));
    Ok(Some(rows.chain(found.entered.is_some().then(|| ENTRY.to_owned())).collect()))
}

/// Takes the profiles away, and the registration's entry. What is gone already is fine.
pub async fn remove(warehouse: &Warehouse, gone: &ProfilesWanted, cancel: &CancellationToken) -> Result<(), Error> {
    let at = At::new(warehouse, &gone.uri.database, cancel);
    let steps = || async move {
        let Some(found) = find(at, gone).await? else { return Ok(Vec::new()) };
        let ours = |user: &&String| found.rows.contains_key(*user) && !found.of_others.contains_key(*user);
        let mut statements = deletes(&gone.uri, gone.users.keys().filter(ours));
        if found.entered.is_some() {
            statements.push(registry::delete(&gone.uri, What::Profiles, &gone.name));
        }
        Ok(found.seat.steps(statements, "profiles")) as Result<Vec<Step>, Error>
    };
    object::in_turn(warehouse, &gone.uri.database, steps, cancel).await
}

/// Reads the profiles that the registration of this name has, as its entry says, or None if there is no such registration.
pub async fn read_back(
    at: At<'_>,
    uri: &IntegrationUri,
    name: &str,
) -> Result<Option<BTreeMap<String, Profile>>, Error> {
    let Some(seat) = Seat::find(at, uri).await? else { return Ok(None) };
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let registry = Registry::read(&mut session, &seat).await?;
    let Some(entry) = registry.entry(What::Profiles, name) else { return Ok(None) };
    let entered = serde_json::from_str::<Detail>(&entry.detail).unwrap_or_default().users;
    let [user, groups, attributes, purposes, _] = uri.profile_columns();
    let query = sql!("SELECT {}, {}, {}, {} FROM {}", user, groups, attributes, purposes, uri.relation("profile"));
    let mut users = BTreeMap::new();
    for row in session.query(&query).await? {
        let user = row.text(0)?;
        if entered.contains(user) {
            users.insert(user.to_owned(), Profile::read([row.get(1), row.get(2), row.get(3)]));
        }
    }
    Ok(Some(users))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri() -> IntegrationUri {
        "redshift-integration://governed/gov".parse().expect("a uri")
    }

    fn of(groups: &[&str]) -> Profile {
        Profile { groups: groups.iter().map(|&group| group.to_owned()).collect(), ..Profile::default() }
    }

    fn wanted(users: &[(&str, Profile)], exclusive: bool) -> ProfilesWanted {
        let users = users.iter().map(|(user, profile)| ((*user).to_owned(), profile.clone())).collect();
        ProfilesWanted { uri: uri(), name: "okta".into(), users, exclusive }
    }

    fn found(rows: &[(&str, Profile)], of_others: &[(&str, &str)], entered: Option<&[&str]>) -> ProfilesFound {
        let owned = |text: &&str| (*text).to_owned();
        ProfilesFound {
            seat: Seat::of_test(&uri()),
            rows: Arc::new(rows.iter().map(|(user, profile)| ((*user).to_owned(), Some(digest(profile)))).collect()),
            of_others: of_others.iter().map(|(user, name)| ((*user).to_owned(), (*name).to_owned())).collect(),
            entered: entered.map(|users| users.iter().map(owned).collect()),
            unknown_users: Vec::new(),
        }
    }

    fn set(users: &[&str]) -> BTreeSet<String> {
        users.iter().map(|&user| user.to_owned()).collect()
    }

    #[test]
    fn only_what_differs_is_written() {
        let wanted = wanted(&[("ann", of(&["pii"])), ("bob", of(&["hr"])), ("cyd", of(&[]))], false);
        let before = set(&["ann", "bob", "cyd", "dan"]);
        let rows = [("ann", of(&["pii"])), ("bob", of(&["x"])), ("dan", of(&["y"])), ("eve", of(&["z"]))];
        let found = found(&rows, &[], Some(&["ann", "bob", "cyd"]));
        let differences = wanted.differences(&found, &before);
        assert_eq!(differences.missing(), ["profile of cyd", "profile of bob, as it is written"]);
        assert_eq!(differences.surplus(), ["profile of dan, which is not declared here"]);
        let sent: Vec<String> = wanted.statements(&found, &before).iter().map(ToString::to_string).collect();
        assert_eq!(
            sent,
            [
                "DELETE FROM gov_system.profile WHERE gov__userid || '.' IN ('bob.', 'dan.')",
                "INSERT INTO gov_system.profile (gov__userid, gov__groups, gov__attributes, gov__projects, gov__tables) VALUES\n  \
                 ('cyd', NULL, NULL, NULL, NULL),\n  \
                 ('bob', pg_catalog.replace('~hr~', '~', pg_catalog.chr(31)), NULL, NULL, NULL)",
            ]
        );
        let exclusive = ProfilesWanted { exclusive: true, ..wanted };
        assert_eq!(exclusive.differences(&found, &before).surplus, set(&["dan", "eve"]));
    }

    #[test]
    fn a_row_of_another_registration_is_never_touched_and_one_of_nobody_only_if_it_is_the_same() {
        let wanted_ann = wanted(&[("ann", of(&["pii"]))], false);
        let nobody = BTreeSet::new();
        let of_other = found(&[("ann", of(&["pii"]))], &[("ann", "ldap")], None);
        assert!(wanted_ann.check(&of_other, &nobody).is_err_and(|error| error.detail().contains("\"ldap\"")));
        let exclusive = wanted(&[], true);
        assert!(exclusive.differences(&of_other, &nobody).surplus.is_empty());
        assert!(wanted_ann.check(&found(&[("ann", of(&["pii"]))], &[], None), &nobody).is_ok(), "a killed apply's");
        let strange = found(&[("ann", of(&["other"]))], &[], None);
        assert!(wanted_ann.check(&strange, &nobody).is_err());
        assert!(wanted_ann.check(&strange, &set(&["ann"])).is_ok(), "altered by hand");
        assert!(ProfilesWanted { exclusive: true, ..wanted_ann }.check(&strange, &nobody).is_ok());
    }

    #[test]
    fn many_rows_go_in_statements_of_bounded_length() {
        let small = (0..2_401).map(|_| sql!("('x', NULL, NULL, NULL, NULL)"));
        assert_eq!(inserts(&uri(), small).len(), 3);
        let long = of(&[&"g".repeat(50_000)]).row();
        assert_eq!(inserts(&uri(), (0..50).map(|_| long.clone())).len(), 3);
        assert_eq!(deletes(&uri(), [].iter()).len(), 0);
    }
}
