//! Tables as they are to be offered, and what that comes to once their columns are known: the text of every view.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::source::SourceFound;
use super::uri::IntegrationUri;
use crate::engine::error::{Error, shown};
use crate::engine::governance::{Barrier, Entitlements, Policy, Problem, Protected, Rules, Table, Target};
use crate::engine::names::{NAME_BYTES, check_name};
use crate::engine::sql::{Sql, ident, sql};

/// Where the tables are, and which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The database they are in.
    pub database: String,
    /// Their schema.
    pub schema: String,
    /// Patterns of their names.
    pub tables: BTreeSet<String>,
    /// Patterns of names that are left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub except_tables: BTreeSet<String>,
    /// Whether the system user may read what the owners of the tables will make in the schema: a table that is dropped and
    /// made again is then read as before.
    pub future_tables: bool,
}

/// Who may read the views.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// Everybody.
    Public,
    /// A user.
    User(String),
    /// The members of a group.
    Group(String),
    /// The holders of a role.
    Role(String),
}

impl Reader {
    /// As GRANT names it.
    pub fn sql(&self) -> Sql {
        match self {
            Reader::Public => sql!("PUBLIC"),
            Reader::User(name) => sql!("{}", ident(name)),
            Reader::Group(name) => sql!("GROUP {}", ident(name)),
            Reader::Role(name) => sql!("ROLE {}", ident(name)),
        }
    }
}

/// `user ann`, for people.
impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Reader::Public => return f.write_str("PUBLIC"),
            Reader::User(name) => ("user", name),
            Reader::Group(name) => ("group", name),
            Reader::Role(name) => ("role", name),
        };
        write!(f, "{kind} {}", shown(name))
    }
}

/// Tables as they are to be offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The tables.
    pub source: Source,
    /// The schema of the views.
    pub view_schema: String,
    /// The name of each view; `{table}` stands for the table's.
    pub view_name: String,
    /// All rules.
    pub policy: Policy,
    /// Whether hidden rows are NULL in whatever a reader writes.
    pub barrier: bool,
    /// The columns that are left out of that.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub barrier_except: BTreeSet<String>,
    /// Who may read the views.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub readers: BTreeSet<Reader>,
    /// How external tables are offered; none: as the default has it, or they are not external.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

/// How external tables are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum External {
    /// By views on them, whose readers may need a right with which they read the tables themselves.
    View,
    /// By views on copies.
    Materialized,
}

/// A registration of tables.
#[derive(Clone, Debug)]
pub struct TablesWanted {
    /// Where.
    pub uri: IntegrationUri,
    /// Its name.
    pub name: String,
    /// What is offered, and to whom.
    pub offer: Offer,
    /// Who may read the tables themselves: `user a`, `group b`, `role c`, `PUBLIC`. None: whoever does.
    pub allowed_readers: Option<BTreeSet<String>>,
    /// Whether it may drop what others hung on its views.
    pub force: bool,
}

/// The name of a view where none is written.
pub const VIEW_NAME: &str = "{table}";

/// How views are written. Another number makes all of them anew with the next apply: for a release whose views hide more.
const FORMAT: u32 = 1;

/// What stands for the table's name.
const TABLE: &str = "{table}";

/// What the tables come to: the texts of the views, and of the one that says who sees what.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// None if there is no rule.
    pub entitlements: Option<DesiredText>,
    /// By table.
    pub views: BTreeMap<String, DesiredView>,
    /// Whether something is hashed.
    pub hashes: bool,
    /// What is worth knowing, and stops nothing.
    pub warnings: Vec<String>,
}

/// A view in `<prefix>_system`.
#[derive(Clone, Debug)]
pub struct DesiredText {
    /// Its name.
    pub name: String,
    /// What makes it.
    pub sql: Sql,
    /// The digest of that.
    pub text: String,
    /// The digest of what it is made from.
    pub of: String,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct MadeBy {
    /// Itself.
    pub sql: Sql,
    /// Its digest.
    pub text: String,
}

/// A view on a table.
#[derive(Clone, Debug)]
pub struct DesiredView {
    /// Its name.
    pub name: String,
    /// What makes it; none, where it is there as it was made from the same.
    pub made_by: Option<MadeBy>,
    /// The digest of what it is made from. Another release may write the same rules otherwise: that alone changes nothing.
    pub of: String,
    /// The columns of the table, each with its type.
    pub columns: Vec<(String, String)>,
    /// What the columns of the view are: a view of another form is made anew, as none can be put in its place.
    pub form: String,
    /// The columns that a mask is on.
    pub masked: BTreeSet<String>,
    /// Whether rows are filtered.
    pub is_filtered: bool,
    /// The copy that it reads, of an external table.
    pub copy: Option<DesiredCopy>,
}

/// A materialized view that holds the rows of an external table.
#[derive(Clone, Debug)]
pub struct DesiredCopy {
    /// Its name, in `<prefix>_system`, which tells of what columns it is: one that is there is right.
    pub name: String,
    /// What makes it.
    pub sql: Sql,
}

impl TablesWanted {
    /// What stands against reading the tables from the managed database, where EXPLAIN of a view has told it.
    pub(super) fn explained(&self, error: Error) -> Error {
        let source = &self.offer.source;
        if source.database == self.uri.database || error.sqlstate() != Some("0A000") {
            return error;
        }
        let detail = format!(
            "A view in database {} cannot read the tables of database {}: {}. No view was changed. Nodes of the families DC2 and DS2 read \
             no other database: there, register the tables with an integration of the type RedshiftSpectrum in their own database. RA3 \
             nodes and workgroups read none that is itself a view on another database, has rights on single columns or interleaved \
             sort keys, or row-level security: leave such a table out (except_tables).",
            shown(&self.uri.database),
            shown(&source.database),
            error.detail().trim_end_matches('.')
        );
        Error::refused("The tables cannot be read from another database", detail).about("source.database")
    }

    /// Refuses external tables of another database, and what is said of external tables where these are none.
    pub(super) fn refuse_another_kind(&self, found: &SourceFound) -> Result<(), Error> {
        let source = &self.offer.source;
        if found.external.is_some() && source.database != self.uri.database {
            let why = format!(
                "Schema \"{}\" is external, and its tables are read only from its own database. Register them with an integration in \
                 database \"{}\": one of the type RedshiftSpectrum.",
                source.schema, source.database
            );
            return Err(Error::setting("source.database", why));
        }
        if found.external.is_none() && self.offer.external.is_some() {
            let why = format!("Schema \"{}\" is not external: leave external_tables out.", source.schema);
            return Err(Error::setting("external_tables", why));
        }
        Ok(())
    }
}

/// What the names of a registration's copies begin with, before 32 hexadecimal digits.
pub(super) fn copies_begin_with(registration: &str) -> String {
    format!("copy_{registration}_")
}

impl Offer {
    /// What is wrong with it before anybody is asked.
    pub fn check(&self) -> Result<(), Error> {
        let names = [
            ("source.database", &self.source.database),
            ("source.schema", &self.source.schema),
            ("view_schema", &self.view_schema),
        ];
        for (setting, name) in names {
            check_name(name).map_err(|problem| Error::setting(setting, format!("In {setting}: {problem}.")))?;
        }
        if !self.view_name.contains(TABLE) && !self.is_of_one_table() {
            let why = format!(
                "It has to hold {TABLE}, which stands for the table's name: otherwise all views have one name."
            );
            return Err(Error::setting("view_name", why));
        }
        Ok(())
    }

    /// The digest of the rules, to which what else a text is made from is to be added.
    fn made_from(&self) -> Sha256 {
        let rules = (FORMAT, self.policy.json(), self.barrier, &self.barrier_except, &self.view_schema);
        let rules = format!("{rules:?}");
        Sha256::new().chain_update(rules.strip_suffix(')').unwrap_or(&rules))
    }

    fn is_of_one_table(&self) -> bool {
        self.source.tables.len() == 1 && self.source.tables.iter().all(|table| !is_pattern(table))
    }

    /// What the tables come to. The errors are on settings, as rules are written. No statement is written for a view that is
    /// settled, which is asked by its table, its name and the digest of what it is made from.
    pub fn desired(
        &self,
        uri: &IntegrationUri,
        registration: &str,
        found: &SourceFound,
        is_settled: impl Fn(&str, &str, &str) -> bool,
    ) -> Result<Desired, Vec<Problem>> {
        let rules = Rules::new(&self.policy).map_err(|problem| vec![problem])?;
        let barrier = Barrier::new(self.barrier, &self.barrier_except)
            .map_err(|problem| vec![problem.below("security_barrier")])?;
        let entitlements = Entitlements::new(&rules, &uri.prefix, registration);
        let mut desired = Desired { hashes: rules.is_hashing(), ..Desired::default() };
        let mut problems = Vec::new();
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        let mut on_tables = Vec::new();
        let made_from = self.made_from();
        let digest_with = |rest: &str| hex(&made_from.clone().chain_update(format!(", {rest:?})")).finalize());
        for (name, of) in &found.tables {
            let database = (self.source.database != uri.database).then(|| self.source.database.clone());
            let table =
                Table { database, schema: found.schema.clone(), name: name.clone(), columns: of.columns.clone() };
            let view = self.view_name.replace(TABLE, name);
            if let Some(other) = names.insert(view.to_ascii_lowercase(), name) {
                problems.push(one_name(&view, other, name));
            }
            if view.len() > NAME_BYTES {
                problems.push(Problem::of("view_name", "A view's name is too long", too_long(&view)));
            }
            let copy = self.copies(found).then(|| copy(uri, registration, &table));
            let target = Target {
                schema: &self.view_schema,
                name: &view,
                prefix: &uri.prefix,
                entitlements: entitlements.relation(),
                barrier: &barrier,
                copy: copy.as_ref().map(|copy| uri.relation(&copy.name)),
            };
            let of = match &copy {
                Some(copy) => digest_with(&format!("{view}\n{table:?}\n{}", copy.name)),
                None => digest_with(&format!("{view}\n{table:?}")),
            };
            match rules.on(&table).and_then(|protected| {
                let settled = is_settled(name, &view, &of);
                let made = (!settled).then(|| rules.view(&table, &protected, &target)).transpose();
                Ok((protected, made.map_err(|problem| vec![problem])?))
            }) {
                Ok((protected, sql)) => {
                    desired.warnings.extend(protected.warnings.iter().cloned());
                    let view = DesiredView { copy, ..view_of(view, sql, of, &table, &protected) };
                    desired.views.insert(name.clone(), view);
                }
                Err(wrong) => problems.extend(wrong),
            }
            on_tables.push(table);
        }
        problems.extend(rules.without_effect(&on_tables).into_iter().filter(|_| !on_tables.is_empty()));
        if !self.policy.is_empty() {
            let sql = entitlements.sql();
            let (name, text, of) = (entitlements.name(), digest(&sql), digest_with(registration));
            desired.entitlements = Some(DesiredText { name, sql, text, of });
        }
        if problems.is_empty() { Ok(desired) } else { Err(problems) }
    }

    /// Whether the views read copies of the tables.
    fn copies(&self, found: &SourceFound) -> bool {
        found.external.is_some() && self.external == Some(External::Materialized)
    }
}

/// A materialized view of an external table cannot be refreshed by the warehouse (AWS: CREATE MATERIALIZED VIEW).
fn copy(uri: &IntegrationUri, registration: &str, table: &Table) -> DesiredCopy {
    let columns = Sql::join(", ", table.columns.iter().map(|column| sql!("t.{}", ident(&column.name))));
    let of = sql!("SELECT {}\nFROM {}.{} t", columns, ident(&table.schema), ident(&table.name));
    // Whoever makes tables must not find one whose copy has the name of another's: it is long enough.
    let digest = Sha256::digest(format!("{of}\n{:?}", table.columns).as_bytes());
    let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}{digest}", copies_begin_with(registration));
    let sql = sql!("CREATE MATERIALIZED VIEW {} AUTO REFRESH NO AS\n{}", uri.relation(&name), of);
    DesiredCopy { name, sql }
}

fn view_of(name: String, sql: Option<Sql>, of: String, table: &Table, protected: &Protected<'_>) -> DesiredView {
    DesiredView {
        name,
        made_by: sql.map(|sql| MadeBy { text: digest(&sql), sql }),
        of,
        columns: table.columns.iter().map(|column| (column.name.clone(), column.ty.to_string())).collect(),
        form: digest_of(&protected.form()),
        masked: protected.masked(),
        is_filtered: protected.is_filtered(),
        copy: None,
    }
}

/// Whether a text is a pattern, and not a name.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

fn one_name(view: &str, one: &str, other: &str) -> Problem {
    let detail = format!(
        "The views of `{one}` and `{other}` would both be called `{view}`, as names are the same in any case of letters. Leave one \
         out by `except_tables`, or register it under another `view_name`."
    );
    Problem::of("view_name", "Two views of one name", detail)
}

fn too_long(view: &str) -> String {
    format!("`{view}` has {} bytes, and a name may have {NAME_BYTES}.", view.len())
}

fn digest(sql: &Sql) -> String {
    digest_of(&sql.to_string())
}

/// 16 hexadecimal digits, which are kept in states: how they are made must not change.
fn digest_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::governance::column;

    #[test]
    fn two_views_of_one_name_are_refused_whatever_the_case() {
        let uri: IntegrationUri = "redshift-integration://governed/gov".parse().expect("a uri");
        let offer = Offer {
            source: Source {
                database: "prod".into(),
                schema: "sales".into(),
                tables: BTreeSet::from(["*".to_owned()]),
                except_tables: BTreeSet::new(),
                future_tables: true,
            },
            view_schema: "sales".into(),
            view_name: VIEW_NAME.into(),
            policy: Policy::default(),
            barrier: true,
            barrier_except: BTreeSet::new(),
            readers: BTreeSet::new(),
            external: None,
        };
        let mut found = SourceFound::nothing("sales", std::sync::Arc::default());
        for name in ["People", "people"] {
            let columns = vec![column("id", "integer").expect("a column")];
            found.tables.insert(name.into(), crate::engine::registration::source::SourceTable { owner: 100, columns });
        }
        let problems = offer.desired(&uri, "sales", &found, |_, _, _| false).expect_err("one name");
        assert_eq!((problems[0].at.as_str(), problems[0].summary.as_str()), ("view_name", "Two views of one name"));
        found.tables.remove("people");
        assert!(offer.desired(&uri, "sales", &found, |_, _, _| false).is_ok());
    }

    #[test]
    fn a_copy_is_named_by_its_columns_and_leaves_its_refreshes_to_people() {
        let uri: IntegrationUri = "redshift-integration://prod/gov?type=RedshiftSpectrum".parse().expect("a uri");
        let table = |name: &str, ty: &str| Table {
            database: None,
            schema: "lake".into(),
            name: name.into(),
            columns: vec![column("id", ty).expect("a column"), column("a\"b", "date").expect("a column")],
        };
        let people = copy(&uri, "sales", &table("people", "integer"));
        assert_eq!(people.name, "copy_sales_63e2babdd80017e7674c89cb527cf36f");
        assert_eq!(
            people.sql.to_string(),
            format!(
                "CREATE MATERIALIZED VIEW gov_system.{} AUTO REFRESH NO AS\n\
                 SELECT t.\"id\", t.\"a\"\"b\"\nFROM \"lake\".\"people\" t",
                people.name
            )
        );
        for other in [table("people", "bigint"), table("persons", "integer")] {
            assert_ne!(copy(&uri, "sales", &other).name, people.name);
        }
    }
}
