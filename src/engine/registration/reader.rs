//! What a registration shows somebody, by what the warehouse says now: the rules of its entry, the columns of the table, the
//! user's own profile, and whether the user may read the view at all.

use std::collections::BTreeSet;

use super::found::Inside;
use super::seat::{Seat, not_there};
use super::source::{self, SourceFound};
use super::tables;
use super::uri::IntegrationUri;
use super::wanted::{Desired, Offer, TablesWanted};
use crate::engine::catalog::At;
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::catalog::roles::RoleHeld;
use crate::engine::error::{Error, shown};
use crate::engine::governance::{Problem, Profile, Rules, Simulation, Table};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{literal, sql};

/// A table of a registration with somebody's eyes.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What the rules show.
    pub simulation: Simulation,
    /// The profile by which they decide; none: there is none, or more than one, and then all rules hold.
    pub profile: Option<Profile>,
    /// Whether the user may read the view, by a right of the own or of a group, a role or PUBLIC.
    pub may_select: bool,
    /// What makes the view.
    pub view: String,
    /// What is worth knowing of the rules.
    pub warnings: Vec<String>,
}

/// Why it cannot be told.
#[derive(Debug)]
pub enum NotSeen {
    /// The rules do not fit the table as it is.
    Rules(Vec<Problem>),
    /// Something else.
    Failed(Error),
}

impl From<Error> for NotSeen {
    fn from(error: Error) -> NotSeen {
        NotSeen::Failed(error)
    }
}

/// Looks at it. An error if there is no such registration, no such table in it, or if the login reads no profiles.
pub async fn look(at: At<'_>, uri: &IntegrationUri, name: &str, table: &str, user: &str) -> Result<Seen, NotSeen> {
    let seat = Seat::find(at, uri).await?.ok_or_else(|| not_there(uri))?;
    if !seat.reads_all {
        return Err(Error::refused(
            "The login may not read the profiles",
            format!(
                "What {} sees depends on the own profile, which only the system user {} and superusers read.",
                shown(user),
                uri.system_user
            ),
        )
        .into());
    }
    let (offer, _) = tables::entered(at, uri, name).await?.ok_or_else(|| no_registration(uri, name))?;
    let profile = profile(at, uri, user).await?;
    let found = source::look(At { database: &offer.source.database, ..at }, &offer.source).await?;
    let of = found.tables.get(table).ok_or_else(|| no_table(&found, table))?;
    let database = (offer.source.database != uri.database).then(|| offer.source.database.clone());
    let columns = of.columns.clone();
    let on = Table { database, schema: found.schema.clone(), name: table.to_owned(), columns };
    let rules = Rules::new(&offer.policy).map_err(|problem| NotSeen::Rules(vec![problem]))?;
    let protected = rules.on(&on).map_err(NotSeen::Rules)?;
    let desired = offer.desired(uri, name, &found, |_, _, _| false).map_err(NotSeen::Rules)?;
    let wanted = TablesWanted {
        uri: uri.clone(),
        name: name.to_owned(),
        offer: offer.clone(),
        allowed_readers: None,
        force: false,
    };
    let inside = super::found::inside(at, &wanted).await?.ok_or_else(|| not_there(uri))?;
    Ok(Seen {
        simulation: protected.seen_by(profile.as_ref()),
        profile,
        may_select: may_select(at, &inside, &found, &offer, view_of(&desired, table), user).await?,
        view: made_by(&desired, table),
        warnings: protected.warnings.clone(),
    })
}

fn view_of<'a>(desired: &'a Desired, table: &str) -> &'a str {
    desired.views.get(table).map(|view| view.name.as_str()).unwrap_or_default()
}

fn made_by(desired: &Desired, table: &str) -> String {
    let made = desired.views.get(table).and_then(|view| view.made_by.as_ref());
    made.map(|made| made.sql.to_string()).unwrap_or_default()
}

/// The user's one profile. Comparisons of varchar pass over blanks at the end (AWS: Character types): a letter behind the name
/// makes them count.
async fn profile(at: At<'_>, uri: &IntegrationUri, user: &str) -> Result<Option<Profile>, Error> {
    let [of, groups, attributes, purposes, _] = uri.profile_columns();
    let query = sql!(
        "SELECT {}, {}, {} FROM {} WHERE {} || '.' = {}",
        groups,
        attributes,
        purposes,
        uri.relation("profile"),
        of,
        literal(&format!("{user}."))
    );
    let rows = at.warehouse.session(at.database, at.cancel).await?.query(&query).await?;
    let [row] = rows.as_slice() else { return Ok(None) };
    Ok(Some(Profile { user: user.to_owned(), ..Profile::read([row.get(0), row.get(1), row.get(2)]) }))
}

/// Whether the user may read the view: USAGE on its schema, SELECT on it and, as a view that binds late asks it, USAGE on the
/// schema of tables beside it.
async fn may_select(
    at: At<'_>,
    inside: &Inside,
    source: &SourceFound,
    offer: &Offer,
    view: &str,
    user: &str,
) -> Result<bool, Error> {
    let catalog = at.warehouse.catalog();
    let principals = catalog.principals(at).await?;
    let Some(known) = principals.user(user) else { return Ok(false) };
    if known.superuser {
        return Ok(true);
    }
    let groups: BTreeSet<&str> = principals.groups_of(known.id).map(|group| group.name.as_str()).collect();
    let roles = catalog.roles(at, None).await?;
    let case_sensitive = inside.snapshot.login.case_sensitive;
    let held: Vec<&RoleHeld> =
        roles.held_by(user).into_iter().filter_map(|role| inside.role_rights.of(role, case_sensitive)).collect();
    let of_list = |acl: Option<&Acl>| {
        let concerns = |grantee: &Grantee| match grantee {
            Grantee::Public => true,
            Grantee::User(name) => name == user,
            Grantee::Group(name) => groups.contains(name.as_str()),
        };
        let entries = acl.into_iter().flat_map(|acl| &acl.0).filter(|entry| concerns(&entry.grantee));
        entries.fold(Rights::NONE, |all, entry| all.and(entry.rights))
    };
    let uses = |owner: i64, acl: Option<&Acl>, name: &str| {
        let by_role = held.iter().any(|role| role.schemas.get(name).is_some_and(|it| it.has(Privilege::Usage)));
        owner == known.id || by_role || of_list(acl).has(Privilege::Usage)
    };
    let Some(schema) = inside.schema(&offer.view_schema) else { return Ok(false) };
    let Some(relation) = inside.relation(&schema.name, view) else { return Ok(false) };
    let key = (schema.name.clone(), relation.name.clone());
    let by_role = held.iter().any(|role| {
        let on = role.relations.get(&key).copied().unwrap_or_default();
        let on_all = role.scoped.get(&schema.name).copied().unwrap_or_default();
        on.and(on_all).has(Privilege::Select)
    });
    let scopes = catalog.user_scopes(at, None).await?;
    let by_scope =
        scopes.0.get(&(user.to_owned(), schema.name.clone())).is_some_and(|rights| rights.has(Privilege::Select));
    let reads =
        relation.owner == known.id || by_role || by_scope || of_list(relation.acl.as_ref()).has(Privilege::Select);
    let is_beside = offer.source.database == at.database && source.external.is_none();
    Ok(reads
        && uses(schema.owner, schema.acl.as_ref(), &schema.name)
        && (!is_beside || uses(source.owner, source.acl.as_ref(), &source.schema)))
}

fn no_registration(uri: &IntegrationUri, name: &str) -> Error {
    let detail = format!("The integration in database {} has no registration of tables of this name.", uri.database);
    Error::refused(format!("No tables \"{name}\""), detail)
}

fn no_table(found: &SourceFound, table: &str) -> Error {
    let names: Vec<&str> = found.tables.keys().map(String::as_str).collect();
    let names = crate::engine::datastore::missing::some_of(&names);
    let detail = format!("The registration offers no table \"{}\". Among those that it offers: {names}.", shown(table));
    Error::setting("table", detail)
}
