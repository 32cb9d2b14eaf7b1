//! The marker: the row in the managed database that says whose it is, what was made, and who is at it.

use super::made::Made;
use super::spec::{Kind, Spec};
use crate::engine::error::Error;
use crate::engine::session::Session;
use crate::engine::sql::{Sql, literal};

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
    /// There is no `<prefix>_system`, or it is empty.
    Absent,
    /// There is a `<prefix>_system` that this provider did not make.
    Foreign,
    /// The login may not read it.
    Unseen,
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

/// Reads the marker in `<prefix>_system` of the session's database.
pub(super) async fn read(session: &mut Session, system: &str) -> Result<Option<Marker>, Error> {
    let query = format!(
        "SELECT id, type, mode, status, format, generation, config_digest, made, message, run_id FROM {system}.integration"
    );
    let rows = session.query(&Sql::from(query)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let format: i64 = row.parse(4)?;
    if format != FORMAT {
        return Err(Error::refused(
            "The integration was made by another version",
            format!(
                "Its marker in {system} has format {format}, and this version of the provider knows {FORMAT}. Nothing was changed."
            ),
        ));
    }
    let unreadable = |what: &str| {
        Error::refused(
            "The marker of the integration cannot be read",
            format!("{what} in {system}.integration is not what this provider writes. Nothing was changed."),
        )
    };
    Ok(Some(Marker {
        id: row.text(0)?.to_owned(),
        kind: row.text(1)?.to_owned(),
        mode: row.text(2)?.to_owned(),
        status: Status::parse(row.text(3)?).ok_or_else(|| unreadable("status"))?,
        generation: row.parse(5)?,
        digest: row.text(6)?.to_owned(),
        made: serde_json::from_str(row.text(7)?).map_err(|_| unreadable("made"))?,
        message: row.get(8).map(str::to_owned),
        run: row.get(9).map(str::to_owned),
    }))
}

/// The row of a new integration.
pub(super) struct NewMarker<'a> {
    pub(super) id: &'a str,
    pub(super) mode: &'a str,
    pub(super) run: &'a str,
    pub(super) made: &'a Made,
}

pub(super) fn insert(spec: &Spec, new: &NewMarker<'_>) -> String {
    format!(
        "INSERT INTO {}.integration VALUES ({}, '{}', '{}', '{}', {FORMAT}, 1, {}, '{}', {}, NULL, getdate(), getdate())",
        spec.system(),
        literal(new.id),
        spec.kind.name(),
        new.mode,
        Status::Creating.name(),
        literal(new.run),
        spec.digest(),
        literal(&new.made.to_json()),
    )
}

/// The same for a script: the warehouse makes the id, and the integration is complete when the script is.
pub(super) fn insert_by_hand(spec: &Spec, made: &Made) -> String {
    format!(
        "INSERT INTO {}.integration SELECT md5('{}' || getdate()::varchar || pg_backend_pid()::varchar), '{}', 'manual', '{}', \
         {FORMAT}, 1, NULL, '{}', {}, NULL, getdate(), getdate()",
        spec.system(),
        spec.database,
        spec.kind.name(),
        Status::Enabled.name(),
        spec.digest(),
        literal(&made.to_json()),
    )
}

/// Takes the integration for a run: only whoever names the generation that was read gets it.
pub(super) fn claim(system: &str, status: Status, run: &str, generation: i64) -> String {
    format!(
        "UPDATE {system}.integration SET status = '{}', run_id = {}, generation = generation + 1, message = NULL, updated_at = getdate() \
         WHERE generation = {generation}",
        status.name(),
        literal(run)
    )
}

/// What the marker says once the work of a run is done, in the same transaction.
pub(super) fn done(spec: &Spec, made: &Made, run: &str) -> String {
    format!(
        "UPDATE {}.integration SET status = '{}', run_id = NULL, config_digest = '{}', made = {}, message = NULL, \
         generation = generation + 1, updated_at = getdate() WHERE run_id = {}",
        spec.system(),
        Status::Enabled.name(),
        spec.digest(),
        literal(&made.to_json()),
        literal(run)
    )
}

/// Notes what is being made, in the transaction before statements that stand alone.
pub(super) fn making(spec: &Spec, made: &Made, run: &str) -> String {
    format!(
        "UPDATE {}.integration SET made = {}, generation = generation + 1, updated_at = getdate() WHERE run_id = {}",
        spec.system(),
        literal(&made.to_json()),
        literal(run)
    )
}

/// The same by a script, which nobody claimed.
pub(super) fn done_by_hand(spec: &Spec, made: &Made) -> String {
    format!(
        "UPDATE {}.integration SET status = '{}', run_id = NULL, config_digest = '{}', made = {}, message = NULL, \
         generation = generation + 1, updated_at = getdate()",
        spec.system(),
        Status::Enabled.name(),
        spec.digest(),
        literal(&made.to_json()),
    )
}

/// Notes in the transaction of a script that it took effect, before statements that stand alone.
pub(super) fn editing_by_hand(spec: &Spec) -> String {
    format!(
        "UPDATE {}.integration SET status = '{}', config_digest = '{}', generation = generation + 1, updated_at = getdate()",
        spec.system(),
        Status::Editing.name(),
        spec.digest()
    )
}

/// Notes on the marker that a run failed.
pub(super) fn failed(system: &str, status: Status, run: &str, message: &str) -> String {
    let short: String = message.chars().filter(|c| !c.is_control()).take(900).collect();
    format!(
        "UPDATE {system}.integration SET status = '{}', run_id = NULL, generation = generation + 1, message = {}, \
         updated_at = getdate() WHERE run_id = {}",
        status.name(),
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
