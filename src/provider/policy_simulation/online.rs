//! What a user sees of protected tables as they are in the warehouse.

use super::super::configured::Configured;
use super::super::{errors, place, registered};
use super::show;
use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::governance::Problem;
use crate::engine::registration::reader::{self, NotSeen, Seen};
use crate::engine::registration::registry::What;
use crate::terraform::{Diagnostic, Diagnostics, Read};

/// Asks for it, and sets the results.
pub(super) async fn read(
    data: &Configured,
    id: &str,
    table: &str,
    user: &str,
    cx: &mut Read<'_>,
) -> Result<(), Diagnostics> {
    let id = registered::read_id(data, id, What::Tables)?;
    let asked = async {
        let (link, ..) = place::imported(data, &id.connection, cx.cancelled()).await?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await?;
        let at = At::new(&warehouse, &id.uri.database, cx.cancelled());
        reader::look(at, &id.uri, &id.name, table, user).await
    };
    let seen = asked.await.map_err(|error| explained(data, error, cx))?;
    let Seen { simulation, profile, may_select, view, warnings } = seen;
    if !warnings.is_empty() {
        cx.warn(Diagnostic::warning("The policy shows less than it says", warnings.join("\n")));
    }
    show(simulation, view, cx);
    cx.set("may_select", may_select);
    cx.set("has_profile", profile.is_some());
    Ok(())
}

fn explained(data: &Configured, error: NotSeen, cx: &Read<'_>) -> Diagnostics {
    let on_attribute = |error: &Error| errors::on_attribute(error, &data.hints(), cx.config());
    match error {
        NotSeen::Failed(error) => on_attribute(&error).into(),
        NotSeen::Rules(problems) => {
            let of_tables = |problem: Problem| {
                let problem = Problem { at: String::new(), ..problem };
                errors::of_rule(&problem, "protected_tables_id")
            };
            problems.into_iter().map(of_tables).collect()
        }
    }
}
