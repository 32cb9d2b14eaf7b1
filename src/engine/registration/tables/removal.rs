//! A registration of tables that goes: what is taken away, what is left of it, and what stands against that.

use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

use super::super::by_hand::ENTRY;
use super::super::changes::{Stage, Way, undoing};
use super::super::found::{self, Given, Inside, TablesFound};
use super::super::kept::Kept;
use super::super::registry::{self, What};
use super::super::source::{self, SourceFound};
use super::super::wanted::TablesWanted;
use super::on_the_tables;
use crate::engine::catalog::At;
use crate::engine::cell::lock;
use crate::engine::error::{Error, shown};
use crate::engine::object;
use crate::engine::session::warehouse::Warehouse;

/// What is left of a registration that a person has to take away, in words.
pub async fn left(
    warehouse: &Warehouse,
    gone: &TablesWanted,
    kept: &Kept,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let (found, way) = look_to_remove(warehouse, gone, kept, cancel).await?;
    if !found.inside.seat.reads_all {
        // What others need as well is not seen, so that nothing but the views has to be gone.
        let views = kept.views.values().filter(|view| found.inside.text(&gone.offer.view_schema, &view.name).is_some());
        let schema = shown(&gone.offer.view_schema);
        let views = views.map(|view| format!("view {schema}.{}", shown(&view.name)));
        let copies = found.inside.copies(&gone.name).into_iter();
        return Ok(views
            .chain(copies.map(|copy| format!("materialized view {}", gone.uri.relation(&copy.name))))
            .collect());
    }
    let entry = found.inside.is_entered(&gone.name).then(|| ENTRY.to_owned());
    Ok(way.surplus().into_iter().chain(entry).collect())
}

/// What is still held of what was given for a registration whose views are gone, in words.
pub async fn remains(
    warehouse: &Warehouse,
    gone: &TablesWanted,
    kept: &Kept,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    if kept.made.is_empty() {
        return Ok(Vec::new());
    }
    let (_, way) = look_to_remove(warehouse, gone, kept, cancel).await?;
    Ok(way.surplus())
}

/// Takes the registration away. What is gone already is fine. The lines say what is left, and why.
pub async fn remove(
    warehouse: &Warehouse,
    gone: &TablesWanted,
    kept: &Kept,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let (managed, source) = (&gone.uri.database, &gone.offer.source.database);
    let left = Mutex::new(Vec::new());
    let inside = || async {
        let (found, way) = look_to_remove(warehouse, gone, kept, cancel).await?;
        let seat = &found.inside.seat;
        let mut statements = way.statements(Stage::Inside);
        if found.inside.entry(&gone.name).is_some() {
            statements.push(registry::delete(&gone.uri, What::Tables, &gone.name));
        }
        *lock(&left) = left_over(gone, kept, &found, &way);
        let mut steps = seat.steps(statements, "the views");
        if managed == source {
            steps.extend(on_the_tables(&found.source, source, way.statements(Stage::After)));
        }
        Ok(steps)
    };
    // With its database, everything in it went.
    let ran = object::in_turn(warehouse, managed, inside, cancel).await;
    gone_with_its_database(ran).map_err(|error| hung_on(gone, error))?;
    if managed != source {
        let outside = || async {
            let (found, way) = look_to_remove(warehouse, gone, kept, cancel).await?;
            Ok(on_the_tables(&found.source, source, way.statements(Stage::After)))
        };
        gone_with_its_database(object::in_turn(warehouse, source, outside, cancel).await)?;
    }
    Ok(left.into_inner().unwrap_or_default())
}

fn gone_with_its_database(ran: Result<(), Error>) -> Result<(), Error> {
    ran.or_else(|error| if error.sqlstate() == Some("3D000") { Ok(()) } else { Err(error) })
}

async fn look_to_remove(
    warehouse: &Warehouse,
    gone: &TablesWanted,
    kept: &Kept,
    cancel: &CancellationToken,
) -> Result<(TablesFound, Way), Error> {
    let at = At::new(warehouse, &gone.uri.database, cancel);
    let inside = found::inside(at, gone).await?;
    let inside = inside.unwrap_or_else(|| Inside::nothing(&gone.uri));
    let elsewhere = At { database: &gone.offer.source.database, ..at };
    let source = match source::look_at_rights(elsewhere, &gone.offer.source).await? {
        Some(source) => source,
        None => {
            let principals =
                warehouse.catalog().principals(At { database: &warehouse.access().database, ..at }).await?;
            SourceFound::nothing(&gone.offer.source.schema, principals)
        }
    };
    let found = TablesFound { inside, source };
    let way = undoing(gone, &found, kept);
    Ok((found, way))
}

fn left_over(gone: &TablesWanted, kept: &Kept, found: &TablesFound, way: &Way) -> Vec<String> {
    let schema = &gone.offer.view_schema;
    let stays = kept.made.contains(&Given::Schema)
        && found.inside.schema(schema).is_some()
        && !way.surplus().iter().any(|what| *what == format!("schema {}", shown(schema)))
        && !found.inside.others(&gone.name).iter().any(|(_, other)| other.offer.view_schema == *schema);
    if stays { vec![format!("schema {}, as others put something there", shown(schema))] } else { Vec::new() }
}

/// Something of others hangs on a view.
fn hung_on(gone: &TablesWanted, error: Error) -> Error {
    if error.sqlstate() != Some("2BP01") || gone.force {
        return error;
    }
    Error::refused(
        "Something hangs on a protected view",
        format!(
            "{} Nothing was changed. Drop it by hand, or write force_destroy = true and apply that first: then it goes too.",
            error.detail()
        ),
    )
    .about("force_destroy")
}
