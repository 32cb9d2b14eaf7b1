//! What one user owns and holds in one database, and in the warehouse as a whole.

use crate::engine::catalog::acl::{Acl, Entry, Grantee};
use crate::engine::error::Error;
use crate::engine::rights::Rights;
use crate::engine::session::{Row, Session};
use crate::engine::sql::{Sql, literal, sql};
use crate::engine::user::routine::Routine;

/// Everything about a user in one database that a DROP USER there would stumble over, or leave dangling elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub database: String,
    pub owns: Vec<Owned>,
    pub holds: Vec<Hold>,
    /// Default privileges of his own making.
    pub defaults_by: Vec<DefaultBy>,
    /// Default privileges of others that name him.
    pub defaults_to: Vec<DefaultTo>,
    /// Rights on columns: schema, table, column, privilege.
    pub columns: Vec<(String, String, String, String)>,
    /// Scoped rights on the tables of a schema.
    pub scoped: Vec<(String, Rights)>,
}

/// An object that he owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// `database`, `schema`, `table`, `view`, `mview`, `function`, `procedure`, `definer` (a routine that runs with its
    /// owner's rights), `library`.
    pub kind: String,
    pub schema: String,
    /// Of a routine: with its argument types, as the server writes it.
    pub name: String,
    /// What a statement can name it by. None: it is no routine, or one with arguments of types that are not known.
    pub routine: Option<Routine>,
}

/// A right on an object that is not his: given to him, or by him to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// `database`, `schema`, `relation`, `function`, `procedure`, `language`.
    pub kind: String,
    pub schema: String,
    pub name: String,
    pub to: Grantee,
    pub rights: Rights,
    pub grantor: Option<String>,
}

impl Hold {
    /// Whether this was given to the user; else it was given by him to somebody else.
    pub fn is_to(&self, name: &str) -> bool {
        matches!(&self.to, Grantee::User(user) if user == name)
    }
}

/// What a user holds outside of single databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// ARN and command.
    pub iam: Vec<(String, String)>,
    /// Rights on other databases than the local ones, and scoped ones.
    pub databases: Vec<OnDatabase>,
    /// Datashare and privilege.
    pub datashares: Vec<(String, String)>,
    /// Policies that are attached to him, in words. They are for a security administrator to detach.
    pub policies: Vec<String>,
    pub roles: Vec<String>,
    pub groups: Vec<String>,
}

/// A right on a database, or on all objects of a kind in it, in the warehouse's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDatabase {
    pub database: String,
    pub privilege: String,
    /// Empty or `DATABASE`: of the database itself.
    pub scope: String,
    /// Whether it is the warehouse's own database, not a shared one.
    pub is_local: bool,
}

impl OnDatabase {
    /// Whether it is a right on the objects in it.
    pub fn is_scoped(&self) -> bool {
        !matches!(self.scope.to_ascii_uppercase().as_str(), "" | "DATABASE")
    }
}

/// Default privileges that he set for what he makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultBy {
    pub objects: Objects,
    /// Empty: in every schema.
    pub schema: String,
    /// To others. None: the row is empty, and blocks a drop all the same.
    pub to: Vec<Grantee>,
}

/// Default privileges that give him rights on what somebody else makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultTo {
    pub objects: Objects,
    pub schema: String,
    pub owner: String,
    pub rights: Rights,
}

/// `defaclobjtype`, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    Tables,
    Functions,
    Procedures,
}

impl Objects {
    /// The word in ALTER DEFAULT PRIVILEGES.
    pub fn sql(self) -> Sql {
        match self {
            Objects::Tables => sql!("TABLES"),
            Objects::Functions => sql!("FUNCTIONS"),
            Objects::Procedures => sql!("PROCEDURES"),
        }
    }

    fn parse(text: &str) -> Objects {
        match text.trim() {
            "f" => Objects::Functions,
            "p" => Objects::Procedures,
            _ => Objects::Tables,
        }
    }
}

impl Inventory {
    /// Whether nothing is there that anybody would miss; an empty row of default privileges is nothing.
    pub fn is_empty(&self) -> bool {
        self.owns.is_empty()
            && self.holds.is_empty()
            && self.defaults_by.iter().all(|row| row.to.is_empty())
            && self.defaults_to.is_empty()
            && self.columns.is_empty()
            && self.scoped.is_empty()
    }
}

/// Looks at one database.
pub async fn look(session: &mut Session, name: &str, id: i64) -> Result<Inventory, Error> {
    let rows = session.query(&query(name, id)).await?;
    let mut inventory = read(&session.facts().database, name, &rows)?;
    inventory.owns.extend(libraries(session, id).await?);
    let columns = sql!(
        "SELECT namespace_name, relation_name, column_name, privilege_type, identity_type FROM svv_column_privileges WHERE identity_name = {}",
        literal(name)
    );
    for row in session.query(&columns).await?.iter().filter(|row| is_user(row, 4)) {
        let text = |column: usize| row.text(column).map(|text| text.trim_end().to_owned());
        inventory.columns.push((text(0)?, text(1)?, text(2)?, text(3)?));
    }
    Ok(inventory)
}

/// Libraries are of Python functions, which AWS takes out of service: a release may come without their catalogue, or close
/// it, and then there are none to look for.
async fn libraries(session: &mut Session, id: i64) -> Result<Vec<Owned>, Error> {
    let query = sql!("SELECT l.name::varchar FROM pg_library l WHERE l.owner = {}", id);
    let rows = match session.query(&query).await {
        Err(error) if matches!(error.sqlstate(), Some("42501" | "42P01")) => return Ok(Vec::new()),
        rows => rows?,
    };
    let library = |row: &Row| {
        let name = row.text(0)?.trim_end().to_owned();
        Ok(Owned { kind: "library".into(), schema: String::new(), name, routine: None })
    };
    rows.iter().map(library).collect()
}

fn is_user(row: &Row, column: usize) -> bool {
    row.get(column).is_none_or(|kind| kind.trim().eq_ignore_ascii_case("user"))
}

/// One query over the leader's catalogues. Names in access control lists are looked for by LIKE first; the lists that
/// come back are read here.
pub fn query(name: &str, id: i64) -> Sql {
    let like = literal(&format!("%{}%", like_escape(&name.replace('"', "\"\""))));
    let (defaults, databases) =
        (sql!("array_to_string(d.defaclacl, chr(9))"), sql!("array_to_string(d.datacl, chr(9))"));
    let (schemas, relations) = (sql!("array_to_string(n.nspacl, chr(9))"), sql!("array_to_string(c.relacl, chr(9))"));
    let (routines, languages) = (sql!("array_to_string(p.proacl, chr(9))"), sql!("array_to_string(l.lanacl, chr(9))"));
    let routine = sql!("textin(regprocedureout(p.oid::regprocedure))::varchar");
    let kind = sql!("CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END");
    let no_temporary = sql!(r"n.nspname NOT LIKE 'pg\\_temp\\_%'");
    let all = [
        sql!(
            "SELECT 'owns' AS what, 'database' AS kind, '' AS nsp, d.datname::varchar AS obj, '' AS acl, '' AS routine FROM pg_database d WHERE d.datdba = {}",
            id
        ),
        sql!(
            "SELECT 'owns','schema','', n.nspname::varchar, '', '' FROM pg_namespace n WHERE n.nspowner = {} AND {}",
            id,
            no_temporary
        ),
        sql!(
            "SELECT 'owns', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'mview' ELSE 'table' END, n.nspname::varchar, c.relname::varchar, '', '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relowner = {} AND c.relkind IN ('r','v','m') AND {}",
            id,
            no_temporary
        ),
        sql!(
            "SELECT 'owns', CASE WHEN p.prosecdef THEN 'definer' ELSE {} END, n.nspname::varchar, {}, '', p.proname::varchar FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proowner = {}",
            kind,
            routine,
            id
        ),
        sql!(
            "SELECT 'default by', d.defaclobjtype::varchar, coalesce(n.nspname::varchar,''), '', {}, '' FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE d.defacluser = {}",
            defaults,
            id
        ),
        sql!(
            "SELECT 'default to', d.defaclobjtype::varchar, coalesce(n.nspname::varchar,''), pg_get_userbyid(d.defacluser)::varchar, {0}, '' FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE {0} LIKE {1}",
            defaults,
            like
        ),
        sql!(
            "SELECT 'acl','database','', d.datname::varchar, {0}, '' FROM pg_database d WHERE {0} LIKE {1}",
            databases,
            like
        ),
        sql!(
            "SELECT 'acl','schema','', n.nspname::varchar, {0}, '' FROM pg_namespace n WHERE {0} LIKE {1}",
            schemas,
            like
        ),
        sql!(
            "SELECT 'acl','relation', n.nspname::varchar, c.relname::varchar, {0}, '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {0} LIKE {1}",
            relations,
            like
        ),
        sql!(
            "SELECT 'acl', {0}, n.nspname::varchar, {1}, {2}, p.proname::varchar FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {2} LIKE {3}",
            kind,
            routine,
            routines,
            like
        ),
        sql!(
            "SELECT 'acl','language','', l.lanname::varchar, {0}, '' FROM pg_language l WHERE {0} LIKE {1}",
            languages,
            like
        ),
    ];
    Sql::join(" UNION ALL ", all)
}

fn like_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '%' | '_') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn read(database: &str, name: &str, rows: &[Row]) -> Result<Inventory, Error> {
    let mut inventory = Inventory { database: database.to_owned(), ..Inventory::default() };
    for row in rows {
        let (kind, schema, object) = (row.text(1)?.trim_end(), row.text(2)?, row.text(3)?);
        let acl = || {
            Acl::parse(row.get(4).unwrap_or(""))
                .map_err(|error| Error::refused("Unexpected answer from the warehouse", error.to_string()))
        };
        match row.text(0)?.trim_end() {
            "owns" => {
                let routine = row.get(5).and_then(|name| Routine::parse(schema, name, object));
                inventory.owns.push(Owned { kind: kind.into(), schema: schema.into(), name: object.into(), routine });
            }
            "default by" => inventory.defaults_by.push(default_by(kind, schema, name, &acl()?)),
            "default to" => {
                let rights = acl()?.of(&Grantee::User(name.to_owned()));
                // His own rows come as "default by".
                if !rights.is_empty() && object != name {
                    let objects = Objects::parse(kind);
                    inventory.defaults_to.push(DefaultTo {
                        objects,
                        schema: schema.into(),
                        owner: object.into(),
                        rights,
                    });
                }
            }
            _ => inventory.holds.extend(acl()?.0.into_iter().filter(|entry| concerns(entry, name)).map(|entry| Hold {
                kind: kind.into(),
                schema: schema.into(),
                name: object.into(),
                to: entry.grantee,
                rights: entry.rights,
                grantor: entry.grantor,
            })),
        }
    }
    let owns = std::mem::take(&mut inventory.owns);
    // What he has on his own objects goes with them; backing tables go with their view.
    inventory.holds.retain(|hold| {
        !owns.iter().any(|owned| {
            let kind = if matches!(owned.kind.as_str(), "table" | "view" | "mview") { "relation" } else { &owned.kind };
            kind == hold.kind && owned.schema == hold.schema && owned.name == hold.name
        })
    });
    inventory.owns = owns.into_iter().filter(|owned| !owned.name.starts_with("mv_tbl__")).collect();
    Ok(inventory)
}

fn concerns(entry: &Entry, name: &str) -> bool {
    let is_to_him = matches!(&entry.grantee, Grantee::User(user) if user == name);
    is_to_him || entry.grantor.as_deref() == Some(name)
}

fn default_by(kind: &str, schema: &str, name: &str, acl: &Acl) -> DefaultBy {
    let mut to: Vec<Grantee> = Vec::new();
    for entry in &acl.0 {
        let is_himself = matches!(&entry.grantee, Grantee::User(user) if user == name);
        if !is_himself && !entry.rights.is_empty() && !to.contains(&entry.grantee) {
            to.push(entry.grantee.clone());
        }
    }
    DefaultBy { objects: Objects::parse(kind), schema: schema.to_owned(), to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_quotes_the_name_for_lists_and_for_like() {
        let sql = query(r#"o_d%d "x\'"#, 101).to_string();
        // In a list `"` is doubled; LIKE's own signs are escaped; the literal doubles `\` and `'`.
        assert!(sql.contains(r#"LIKE '%o\\_d\\%d ""x\\\\''%'"#), "{sql}");
        assert_eq!(sql.matches("101").count(), 5);
        assert_eq!(sql.matches("UNION ALL").count(), 10);
    }

    #[test]
    fn rows_become_an_inventory() {
        let row = |cells: [&str; 5]| Row::new(cells.into_iter().chain(["f"]).map(Some));
        let rows = [
            row(["owns", "table", "s", "t", ""]),
            row(["owns", "table", "s", "mv_tbl__m__0", ""]),
            row(["owns", "function", "s", "s.f(integer)", ""]),
            row(["acl", "relation", "s", "t", "bob=arwd/bob\teve=r/bob"]),
            row(["acl", "relation", "s", "other", "bobby=r/o\tbob=r*/o\teve=r/bob\tann=r/o"]),
            row(["acl", "schema", "", "s", "\"bob\"=U/o"]),
            row(["acl", "schema", "", "looks_like_bob", "bobby=U/o"]),
            row(["default by", "r", "s", "", "eve=r/bob\tbob=r/bob\tgroup g=r/bob"]),
            row(["default by", "f", "", "", ""]),
            row(["default to", "r", "s", "o", "bob=r/o"]),
            row(["default to", "r", "s", "bob", "bob=r/bob"]),
            row(["default to", "r", "s", "o", "bobby=r/o"]),
        ];
        let found = read("dev", "bob", &rows).expect("reads");
        let owned: Vec<&str> = found.owns.iter().map(|owned| owned.name.as_str()).collect();
        assert_eq!(owned, ["t", "s.f(integer)"]);
        let holds: Vec<String> = found
            .holds
            .iter()
            .map(|hold| format!("{} {} {:?} {}", hold.kind, hold.name, hold.to, hold.rights))
            .collect();
        assert_eq!(
            holds,
            [
                "relation other User(\"bob\") SELECT",
                "relation other User(\"eve\") SELECT",
                "schema s User(\"bob\") USAGE"
            ]
        );
        assert_eq!(found.defaults_by[0].to, [Grantee::User("eve".into()), Grantee::Group("g".into())]);
        assert_eq!((found.defaults_by[1].objects, found.defaults_by[1].to.len()), (Objects::Functions, 0));
        assert_eq!(found.defaults_to.len(), 1);
        assert!(!found.is_empty());
        let harmless = read("dev", "bob", &rows[8..9]).expect("reads");
        assert!(harmless.is_empty() && harmless.defaults_by.len() == 1);
        assert!(read("dev", "bob", &[row(["acl", "schema", "", "s", "bob"])]).is_err());
    }
}
