//! Whether the findings about a source can go where its link leads: the store is there, and who reads the source may
//! write to it.

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::datastore::declared::{Before, same_grantee};
use crate::engine::datastore::found::found;
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::import::import_lookup;
use crate::engine::datastore::is_gone;
use crate::engine::datastore::missing::missing;
use crate::engine::datastore::owners::Warning;
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::error::{Error, shown};
use crate::engine::rights::Rights;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::ident;

/// An enrichment store, as its id says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub database: String,
    pub schema: String,
    /// Who has its rights.
    pub grantee: Option<Grantee>,
}

/// What keeps `writer`, who reads the source, from writing findings to the store; `None` if nothing is seen to. Errors:
/// what could not be read.
pub async fn obstacle(
    warehouse: &Warehouse,
    store: &Store,
    writer: Option<&Grantee>,
    cancel: &CancellationToken,
) -> Result<Option<Warning>, Error> {
    let mut wanted = Wanted {
        database: store.database.clone(),
        schema: store.schema.clone(),
        write: true,
        grantee: store.grantee.clone(),
        through: Through::Direct,
        future: FutureTables::None,
        extra: Rights::NONE,
        tables: None,
    };
    wanted.check()?;
    let there = match found(warehouse, &wanted, &Before::default(), cancel).await {
        Err(error) if is_gone(&error, warehouse, &wanted, cancel).await => {
            return Ok(Some(absent(&format!("database {}", ident(&store.database)))));
        }
        there => there?,
    };
    if there.schema.is_none() {
        let what = format!("schema {} of database {}", ident(&store.schema), ident(&store.database));
        return Ok(Some(absent(&what)));
    }
    let (Some(writer), Some(has)) = (writer, &store.grantee) else { return Ok(None) };
    if !stands_for(warehouse, has, writer, cancel).await? {
        return Ok(Some(another(store, has, writer)));
    }
    let mut lacks = missing(&there, &wanted);
    if !lacks.is_empty() && has.kind != GranteeKind::Group {
        let known = Some((has.name.as_str(), Some(has.kind)));
        let by_role = import_lookup(warehouse, &store.database, &store.schema, known, None, cancel).await;
        // Several roles with rights there: which is the store's only its state knows.
        let Ok(by_role) = by_role else { return Ok(None) };
        if let Through::Role(_) = by_role.through {
            wanted.through = by_role.through;
            lacks = missing(&found(warehouse, &wanted, &Before::default(), cancel).await?, &wanted);
        }
    }
    Ok((!lacks.is_empty()).then(|| {
        Warning::new(
            format!("{has} cannot write findings to schema {}", ident(&store.schema)),
            format!(
                "The enrichment store that this source is linked to gives it too little. It lacks:\n- {}\nApply the store's \
                 datastore, or let an administrator grant it.",
                lacks.join("\n- ")
            ),
        )
    }))
}

fn absent(what: &str) -> Warning {
    Warning::new(
        "The linked enrichment store does not exist",
        format!(
            "There is no {what} in this warehouse, so findings about this source have nowhere to go. Make the store first, or take `enrichment_datastore_id` out."
        ),
    )
}

fn another(store: &Store, has: &Grantee, writer: &Grantee) -> Warning {
    Warning::new(
        format!("{writer} may not write to the linked enrichment store"),
        format!(
            "This source is read by {writer}, and the store {} gives its rights to {has}. A tool that signs in as one user writes \
             its findings as that user: name it in the store's service_user too:\n  service_user {{\n    name = \"{}\"\n  }}",
            ident(&store.schema),
            shown(&writer.name)
        ),
    )
}

/// Whether what one was given reaches the other: the same, a group that he is in, or a role that he holds.
async fn stands_for(
    warehouse: &Warehouse,
    has: &Grantee,
    writer: &Grantee,
    cancel: &CancellationToken,
) -> Result<bool, Error> {
    let case_sensitive = warehouse.facts(cancel).await?.case_sensitive;
    if same_grantee(has, writer, case_sensitive) {
        return Ok(true);
    }
    if writer.kind != GranteeKind::User {
        return Ok(false);
    }
    let at = At::new(warehouse, &warehouse.access().database, cancel);
    match has.kind {
        GranteeKind::User => Ok(false),
        GranteeKind::Group => {
            let principals = warehouse.catalog().principals(at).await?;
            let Some(user) = principals.user(&writer.name) else { return Ok(false) };
            let in_group = principals
                .groups_of(user.id)
                .any(|group| same_grantee(&Grantee::group(&group.name), has, case_sensitive));
            Ok(in_group)
        }
        GranteeKind::Role => {
            let roles = warehouse.catalog().roles(at, Some("")).await?;
            let held = roles.held_by(&writer.name);
            Ok(held.into_iter().any(|role| same_grantee(&Grantee::role(role), has, case_sensitive)))
        }
    }
}
