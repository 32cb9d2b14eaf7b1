//! What is looked at before an integration is removed, and the proof that it can be.

use tokio_util::sync::CancellationToken;

use super::few;
use super::found::{Found, Inside};
use super::life::system_rights;
use super::made::Made;
use super::owned::KINDS;
use super::registered::{Registered, Views};
use super::removal::{Removal, is_managed_relation, ownership, statements};
use super::spec::Spec;
use crate::engine::catalog::snapshot::Login;
use crate::engine::error::Error;
use crate::engine::run;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::ident;
use crate::engine::step::Step;
use crate::engine::user::dropping::{self, Beside, Dropping};
use crate::engine::user::inventory::Inventory;

/// Everything that could refuse is asked before anything is changed anywhere; with `proves`, all that goes is taken away
/// and put back, so that the warehouse itself says whether something stands against it.
pub(super) async fn look_before(
    warehouse: &Warehouse,
    removal: &Removal,
    made: &Made,
    found: &Found,
    proves: bool,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let spec = &removal.spec;
    let registered = Registered::read(warehouse, spec, found, cancel).await?;
    if !removal.force {
        registered.refuse()?;
    }
    if let Some(inside) = &found.inside {
        refuse_others(inside, spec, made, removal.force)?;
    }
    let views = registered.views(removal, made, found);
    let user = found.world.principals.user(&spec.system_user).filter(|_| made.user);
    let inside = found.inside.as_ref().filter(|inside| is_managed(removal, made, inside));
    let here = match inside {
        Some(inside) => statements(removal, made, found, inside, &views, warehouse, cancel).await?,
        None => Vec::new(),
    };
    if proves && inside.is_some() {
        let all: Vec<Step> = here.iter().map(|sql| Step::new(&spec.database, sql.clone(), "")).collect();
        let tried = run::rehearse(warehouse, &spec.database, &all, cancel).await;
        tried.map_err(|error| cannot_take_apart(spec, error))?;
    }
    let Some(id) = user.map(|user| user.id) else { return Ok(()) };
    may_drop_users(warehouse, found, cancel).await?;
    let skipped = skipped(spec, made);
    let elsewhere = ownership(spec, made, found, warehouse, cancel).await?;
    let before = |database: &str| if database == spec.database { here.clone() } else { elsewhere.clone() };
    let home = warehouse.access().database.clone();
    let actors = made.actors.as_ref().filter(|actors| found.world.has_actors(actors));
    // Redshift looks in one database for what a group has.
    let after = |database: &str| match actors {
        Some(actors) if database == home => vec![actors.drop_sql()],
        _ => Vec::new(),
    };
    // External schemas are dropped alone, and the system user may use them until then.
    let alone_in = |database: &str| database == spec.database && !made.external_schemas.is_empty();
    let beside = Beside { before: &before, alone_in: &alone_in, after: &after };
    let beside = proves.then_some(&beside);
    let spares = |inventory: &mut Inventory| spare(inventory, removal, made, &views);
    dropping::may_drop(warehouse, dropping(removal, &skipped), id, beside, &spares, cancel).await
}

/// Whether what has the names of managed objects is this integration's: without the marker it may be somebody else's.
pub(super) fn is_managed(removal: &Removal, made: &Made, inside: &Inside) -> bool {
    removal.force || made.database || inside.marker.here().is_some()
}

/// Something of others hangs on what goes. What ends by itself is left as it is, so that it is tried again.
fn cannot_take_apart(spec: &Spec, error: Error) -> Error {
    if !matches!(error, Error::Server(_)) || error.is_retryable() {
        return error;
    }
    Error::refused(
        format!("The integration in database {} cannot be taken apart", spec.database),
        format!(
            "All that goes was taken away and put back: nothing was changed. {}: {}",
            error.summary(),
            error.detail()
        ),
    )
}

/// What is in a database that is dropped goes with it.
pub(super) fn skipped(spec: &Spec, made: &Made) -> Vec<String> {
    if made.database { vec![spec.database.clone()] } else { Vec::new() }
}

pub(super) fn dropping<'a>(removal: &'a Removal, skip_databases: &'a [String]) -> Dropping<'a> {
    Dropping {
        name: &removal.spec.system_user,
        force: removal.force,
        skip_databases,
        held: Some(&removal.spec.database),
    }
}

/// Takes out of what the system user has what is taken away before he is dropped.
fn spare(inventory: &mut Inventory, removal: &Removal, made: &Made, views: &Views<'_>) {
    let spec = &removal.spec;
    // Databases are listed in all of them.
    inventory.owns.retain(|owned| owned.kind != "database" || owned.name != spec.database);
    inventory.objects.retain(|object| object.kind != "database" || object.name != spec.database);
    if inventory.database != spec.database {
        return;
    }
    // What the statements take, and no more: marker and lock, and what else is in their schemas, go after the user.
    let (system, whole) = (spec.system(), [spec.functions(), spec.procedures()]);
    let is_whole = |schema: &String| whole.contains(schema);
    let taken = |kind: &str, schema: &String, name: &String| {
        let is_relation = matches!(kind, "table" | "view" | "mview" | "relation");
        let is_dropped = || removal.force && is_relation && !is_managed_relation(name);
        let is_view = || is_relation && views.has(schema, name);
        is_whole(schema)
            || is_view()
            || *schema == system && (KINDS.iter().any(|(relation, _)| relation == name) || is_dropped())
    };
    let revoked = |name: &String| is_whole(name) || *name == system || made.external_schemas.contains_key(name);
    inventory.owns.retain(|owned| {
        let is_dropped = || owned.kind == "schema" && (is_whole(&owned.name) || views.has_schema(&owned.name));
        !(taken(&owned.kind, &owned.schema, &owned.name) || is_dropped())
    });
    inventory.objects.retain(|on| !(taken(&on.kind, &on.schema, &on.name) || on.kind == "schema" && revoked(&on.name)));
    inventory.defaults_by.retain(|row| !is_whole(&row.schema));
    inventory.defaults_to.retain(|row| !is_whole(&row.schema));
    inventory.columns.retain(|right| !taken("relation", &right.schema, &right.relation));
    inventory.scoped.retain(|right| right.schema.as_ref().is_none_or(|schema| !is_whole(schema)));
}

/// A login that could not drop the system user in the end must not begin.
async fn may_drop_users(warehouse: &Warehouse, found: &Found, cancel: &CancellationToken) -> Result<(), Error> {
    let facts = warehouse.facts(cancel).await?;
    if facts.superuser {
        return Ok(());
    }
    let login = Login { name: facts.user.clone(), superuser: facts.superuser, case_sensitive: facts.case_sensitive };
    let rights = system_rights(warehouse, cancel).await?;
    if !found.world.roles.may_not(&login, &rights, "DROP USER") {
        return Ok(());
    }
    let user = ident(&facts.user);
    Err(Error::refused(
        "The login may not drop users",
        format!(
            "User {user} lacks the system permission DROP USER. Nothing was changed. A superuser must run: CREATE ROLE installers; GRANT DROP USER TO ROLE installers; GRANT ROLE installers TO {user};"
        ),
    ))
}

/// Refuses to drop what others put there.
fn refuse_others(inside: &Inside, spec: &Spec, made: &Made, force: bool) -> Result<(), Error> {
    let mut others = inside.others(spec);
    if !made.database {
        // Only the managed schemas are dropped.
        others.retain(|what| what.schema.as_ref().is_some_and(|schema| spec.all_schemas().contains(schema)));
    }
    if others.is_empty() || force {
        return Ok(());
    }
    let place = if made.database { format!("Database {}", spec.database) } else { "A managed schema".to_owned() };
    Err(Error::refused(
        "Others put something there",
        format!(
            "{place} holds what this integration did not make: {}. Nothing was dropped. Move it elsewhere, or set force_destroy = true to drop it too: apply that first, without any change that replaces the integration.",
            few(&others.iter().map(ToString::to_string).collect::<Vec<_>>())
        ),
    ))
}
