//! The marker: the row in the managed database that says whose it is, what was made, and who is at it.

use super::made::Made;
use super::spec::{Kind, Spec};
use super::text::{MARKER, of_system};
use crate::engine::error::Error;
use crate::engine::session::Session;
use crate::engine::sql::{Quoted, Sql, bare, literal, sql};

/// The form of the marker that this version writes and reads.
pub const FORMAT: i64 = 1;

/// Where an integration is in its life, in the documents' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Creating,
    CreateError,
    Enabled,
    Editing,
    EditError,
    Deleting,
    DeleteError,
}

impl Status {
    const ALL: [Status; 7] = [
        Status::Creating,
        Status::CreateError,
        Status::Enabled,
        Status::Editing,
        Status::EditError,
        Status::Deleting,
        Status::DeleteError,
    ];

    /// The documents' word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::CreateError => "createError",
            Status::Enabled => "enabled",
            Status::Editing => "editing",
            Status::EditError => "editError",
            Status::Deleting => "deleting",
            Status::DeleteError => "deleteError",
        }
    }

    fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// The status of an integration that somebody altered, in the documents' words.
pub const ALTERED: &str = "recurringValidationError";

/// The marker as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub id: String,
    pub kind: String,
    pub mode: String,
    pub status: Status,
    /// The run that is at it, or was when it died.
    pub run: Option<String>,
    pub generation: i64,
    pub digest: String,
    pub made: Made,
    pub message: Option<String>,
}

/// What is known of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There is no `<prefix>_system`.
    Absent,
    /// There is a `<prefix>_system` of an owner who is trusted, without a marker.
    Foreign,
    /// There is a `<prefix>_system` of an owner who is not: nothing in it was looked at. The owner's name.
    Theirs(String),
    /// The login may not read it.
    Unseen,
    /// It is in its place, and is not what this provider writes. What is wrong with it.
    Broken(String),
    Here(Box<Marker>),
}

impl Seen {
    /// The marker, if it could be read.
    pub fn here(&self) -> Option<&Marker> {
        match self {
            Seen::Here(marker) => Some(marker),
            _ => None,
        }
    }
}

/// Reads the marker in `<prefix>_system` of the session's database. The caller has seen that a table of that name is
/// there, and who owns it.
pub(super) async fn read(session: &mut Session, prefix: &str) -> Result<Seen, Error> {
    let system = format!("{prefix}_system");
    let query = sql!(
        "SELECT id, type, mode, status, format, generation, config_digest, made, message, run_id FROM {}.integration LIMIT 2",
        bare(&system)
    );
    let rows = match session.query(&query).await {
        Ok(rows) => rows,
        Err(error) if error.sqlstate() == Some("42501") => return Ok(Seen::Unseen),
        // A table of that name that is another's.
        Err(error) if error.sqlstate() == Some("42703") => return Ok(Seen::Foreign),
        Err(error) => return Err(error),
    };
    let row = match rows.as_slice() {
        [] => return Ok(Seen::Foreign),
        [row] => row,
        _ => return Ok(Seen::Broken("it has several rows instead of one".into())),
    };
    // Another type of column says the same: somebody made the table anew.
    let Ok(format) = row.parse::<i64>(4) else { return Ok(Seen::Broken("its format is no number".into())) };
    if format != FORMAT {
        let what = format!("it has format {format}, and this version of the provider knows {FORMAT}");
        return Ok(Seen::Broken(what));
    }
    let parsed = || {
        Some(Marker {
            id: row.text(0).ok()?.to_owned(),
            kind: row.text(1).ok()?.to_owned(),
            mode: row.text(2).ok()?.to_owned(),
            status: Status::parse(row.text(3).ok()?)?,
            generation: row.parse(5).ok()?,
            digest: row.text(6).ok()?.to_owned(),
            made: serde_json::from_str(row.text(7).ok()?).ok()?,
            message: row.get(8).map(str::to_owned),
            run: row.get(9).map(str::to_owned),
        })
    };
    Ok(match parsed() {
        Some(marker) => Seen::Here(Box::new(marker)),
        None => Seen::Broken("its status or its list of what was made is not what this provider writes".into()),
    })
}

/// The row of a new integration.
pub(super) struct NewMarker<'a> {
    pub(super) id: &'a str,
    pub(super) mode: &'a str,
    pub(super) run: &'a str,
    pub(super) status: Status,
    pub(super) made: &'a Made,
}

fn table(spec: &Spec) -> Sql {
    of_system(spec, MARKER)
}

/// A text as the marker keeps it.
fn json(made: &Made) -> Quoted {
    literal(&made.to_json())
}

pub(super) fn insert(spec: &Spec, new: &NewMarker<'_>) -> Sql {
    sql!(
        "INSERT INTO {} VALUES ({}, {}, {}, {}, {}, 1, {}, {}, {}, NULL, getdate(), getdate())",
        table(spec),
        literal(new.id),
        literal(spec.kind.name()),
        literal(new.mode),
        literal(new.status.name()),
        FORMAT,
        literal(new.run),
        literal(&spec.digest()),
        json(new.made)
    )
}

/// The same for a script: the warehouse makes the id, and the integration is complete when the script is.
pub(super) fn insert_by_hand(spec: &Spec, made: &Made) -> Sql {
    sql!(
        "INSERT INTO {} SELECT md5({} || getdate()::varchar || (random() * 1000000000)::bigint::varchar), {}, 'manual', {}, {}, 1, NULL, {}, {}, NULL, getdate(), getdate()",
        table(spec),
        literal(&spec.database),
        literal(spec.kind.name()),
        literal(Status::Enabled.name()),
        FORMAT,
        literal(&spec.digest()),
        json(made)
    )
}

/// Takes the integration for a run: only whoever names the generation that was read gets it.
pub(super) fn claim(spec: &Spec, status: Status, run: &str, generation: i64) -> Sql {
    sql!(
        "UPDATE {} SET status = {}, run_id = {}, generation = generation + 1, message = NULL, updated_at = getdate() WHERE generation = {}",
        table(spec),
        literal(status.name()),
        literal(run),
        generation
    )
}

/// What the marker says once the work of a run is done, in the same transaction.
pub(super) fn done(spec: &Spec, made: &Made, run: &str) -> Sql {
    sql!("{} WHERE run_id = {}", done_by_hand(spec, made), literal(run))
}

/// Notes what is being made, in the transaction before statements that stand alone.
pub(super) fn making(spec: &Spec, made: &Made, run: &str) -> Sql {
    sql!(
        "UPDATE {} SET made = {}, generation = generation + 1, updated_at = getdate() WHERE run_id = {}",
        table(spec),
        json(made),
        literal(run)
    )
}

/// The same by a script, which nobody claimed.
pub(super) fn done_by_hand(spec: &Spec, made: &Made) -> Sql {
    sql!(
        "UPDATE {} SET status = {}, run_id = NULL, config_digest = {}, made = {}, message = NULL, generation = generation + 1, updated_at = getdate()",
        table(spec),
        literal(Status::Enabled.name()),
        literal(&spec.digest()),
        json(made)
    )
}

/// The last statement of a script whose transaction may not have taken effect.
pub(super) fn done_by_hand_if_begun(spec: &Spec, made: &Made) -> Sql {
    sql!("{} WHERE config_digest = {}", done_by_hand(spec, made), literal(&spec.digest()))
}

/// Notes in the transaction of a script that it took effect, before statements that stand alone.
pub(super) fn editing_by_hand(spec: &Spec) -> Sql {
    sql!(
        "UPDATE {} SET status = {}, config_digest = {}, generation = generation + 1, updated_at = getdate()",
        table(spec),
        literal(Status::Editing.name()),
        literal(&spec.digest())
    )
}

/// Notes on the marker that a run failed.
pub(super) fn failed(spec: &Spec, status: Status, run: &str, message: &str) -> Sql {
    let short: String = message.chars().filter(|c| !c.is_control()).take(900).collect();
    sql!(
        "UPDATE {} SET status = {}, run_id = NULL, generation = generation + 1, message = {}, updated_at = getdate() WHERE run_id = {}",
        table(spec),
        literal(status.name()),
        literal(&short),
        literal(run)
    )
}

impl Marker {
    /// Whether it is about the kind that is wanted.
    pub fn is_kind(&self, kind: Kind) -> bool {
        self.kind == kind.name()
    }
}
