//! The parts of an integration as SQL for a person to run: plain statements for any client, without secrets.

use super::found::{DatabaseFound, Found, Inside, World};
use super::made::{Made, Owners};
use super::marker::{self, Seen};
use super::parts::{How, NewKey, Part, Place, parts};
use super::spec::{ActorKind, Spec};
use super::text::{self, of_lock, of_system};
use super::trust::Whose;
use super::work::{proof_by_hand, statements};
use crate::engine::catalog::acl::{Acl, Entry, Grantee};
use crate::engine::catalog::principals::{Group, Principals, User};
use crate::engine::catalog::roles::{RoleRights, Roles, UserScopes};
use crate::engine::catalog::snapshot::{ExternalSchemas, Login, Relation, RelationKind, Schema, Snapshot};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::script::{Script, Writer};
use crate::engine::sql::{Sql, bare, ident, sql};

/// The scripts of an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripts {
    /// Makes the database; none where it is there.
    pub initial_create: Option<Script>,
    pub create: Script,
    /// From the settings before to those now; none: nothing to change.
    pub edit: Option<Script>,
    pub delete: Script,
    /// The same for what was only half made.
    pub cleanup: Script,
    /// Makes new keys, and another password of the system user.
    pub rotate: Script,
}

/// All scripts. `before` is what the settings were, for `edit`.
pub fn scripts(spec: &Spec, home: &str, before: Option<&Spec>) -> Scripts {
    let initial = spec.initial_database.clone().unwrap_or_else(|| home.to_owned());
    Scripts {
        initial_create: spec.create_database.then(|| initial_create(spec, &initial)),
        create: create(spec),
        edit: before.filter(|before| !before.same_in_warehouse(spec)).map(|before| edit(spec, before)),
        delete: delete(spec, &initial, false),
        cleanup: delete(spec, &initial, true),
        rotate: rotate(spec),
    }
}

/// What a script makes.
pub(super) fn made_by_hand(spec: &Spec) -> Made {
    Made {
        database: spec.create_database,
        user: true,
        system_user: spec.system_user.clone(),
        actors: spec.impersonation.clone(),
        temp_to_public: false,
        owners: Owners::System,
        external_schemas: spec.external_schemas.clone(),
    }
}

fn initial_create(spec: &Spec, initial: &str) -> Script {
    let mut out = Writer::new("Makes the managed database of an integration.", initial);
    out.statement(text::create_database(spec));
    out.done(initial)
}

fn create(spec: &Spec) -> Script {
    let mut out = Writer::new("Makes a governance integration.", &spec.database);
    let (found, made) = (nothing_yet(spec), made_by_hand(spec));
    let how = How {
        by_hand: true,
        made: Made { database: spec.create_database, ..Made::default() },
        key: new_key(spec, true),
        ..How::default()
    };
    let parts = parts(spec, &found, &how);
    out.remark("The marker, by which it is known again, and everything else: all or nothing.");
    out.statement(sql!("BEGIN"));
    out.statement(sql!("CREATE SCHEMA {}", bare(&spec.system())));
    out.statement(sql!("CREATE SCHEMA {}", bare(&spec.lock())));
    out.statement(text::lock_table(spec));
    out.statement(text::marker_table(spec));
    out.statement(marker::insert_by_hand(spec, &made));
    out.all(statements(spec, &parts, |part| !part.done));
    out.remark("View and procedure must work here, else nothing is kept.");
    out.all(proof_by_hand(spec));
    out.statement(sql!("COMMIT"));
    alone(&mut out, &parts);
    password(&mut out, spec);
    out.done(&spec.database)
}

/// The key is made in the warehouse, so that nobody has to know it.
fn new_key(spec: &Spec, is_wanted: bool) -> NewKey {
    if is_wanted && spec.impersonation.is_some() { NewKey::ByHand } else { NewKey::Keep }
}

fn alone(out: &mut Writer, parts: &[Part]) {
    for part in parts.iter().filter(|part| part.place == Place::Alone && !part.done) {
        out.remark(&format!("Cannot be in a transaction: {}.", one_line(&part.in_words())));
        out.all(part.statements.iter().cloned());
    }
}

/// Names are checked to hold no line breaks; this is for the eye of whoever reads this function alone.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What no script may hold, as a comment to fill in: without the dashes it is no SQL, so nothing in it becomes a password.
fn password(out: &mut Writer, spec: &Spec) {
    out.comment(&format!(
        "\n-- The system user cannot sign in yet. Complete this line with a password in single quotes, and run it:\n\
         --   ALTER USER {} PASSWORD\n",
        bare(&spec.system_user)
    ));
}

fn edit(spec: &Spec, before: &Spec) -> Script {
    let mut out = Writer::new("Changes a governance integration.", &spec.database);
    let (found, made) = (as_made(before), made_by_hand(spec));
    let is_new = before.impersonation.is_none() || before.key_version != spec.key_version;
    let how = How { by_hand: true, made: made_by_hand(before), key: new_key(spec, is_new), ..How::default() };
    let parts = parts(spec, &found, &how);
    out.remark("All or nothing.");
    out.statement(sql!("BEGIN"));
    out.all(statements(spec, &parts, |part| !part.done));
    out.all(proof_by_hand(spec));
    if parts.iter().any(|part| part.place == Place::Alone && !part.done) {
        out.statement(marker::editing_by_hand(spec));
        out.statement(sql!("COMMIT"));
        alone(&mut out, &parts);
        out.remark("Last: what was done, if the transaction took effect.");
        out.statement(marker::done_by_hand_if_begun(spec, &made));
    } else {
        out.statement(marker::done_by_hand(spec, &made));
        out.statement(sql!("COMMIT"));
    }
    out.done(&spec.database)
}

fn rotate(spec: &Spec) -> Script {
    let mut out = Writer::with_manner(
        "Makes new keys of a governance integration, and another password of its system user.",
        &spec.database,
        "Run what is to be another. Go on after a statement that says that its object does not exist.",
    );
    if spec.impersonation.is_some() {
        out.remark("Ends every impersonation that goes on.");
        out.statement(sql!("BEGIN"));
        out.all(text::new_key_by_hand(spec));
        out.statement(sql!("COMMIT"));
    }
    out.remark(
        "Changes every hash that protected tables show. There is no such table before one of them hashes something.",
    );
    out.statement(text::new_mask_key_by_hand(spec));
    out.comment(&format!(
        "\n-- Complete this line with a password in single quotes, and run it:\n--   ALTER USER {} PASSWORD\n",
        bare(&spec.system_user)
    ));
    out.done(&spec.database)
}

fn delete(spec: &Spec, initial: &str, half_made: bool) -> Script {
    let place = if spec.create_database { initial } else { &spec.database };
    let mut out = match half_made {
        false => Writer::new("Removes a governance integration.", place),
        // Redshift has no IF EXISTS for databases, groups, roles and procedures.
        true => Writer::with_manner(
            "Removes what a set-up made of a governance integration before it stopped.",
            place,
            "Leave out what was there before the set-up. Go on after a statement that says that its object does not exist.",
        ),
    };
    let if_exists = if half_made { sql!("IF EXISTS ") } else { sql!("") };
    let [system, functions, procedures] = spec.schemas();
    let (database, user) = (bare(&spec.database), bare(&spec.system_user));
    let drop_table = |name: Sql| sql!("DROP TABLE {}{}", if_exists, name);
    let drop_schema = |name: &str| sql!("DROP SCHEMA {}{}", if_exists, bare(name));
    if spec.create_database {
        out.remark("The database with all that is in it. Look into it first. Nobody may be connected to it.");
        out.statement(sql!("DROP DATABASE {}", database));
    } else {
        for name in spec.external_schemas.keys() {
            out.statement(sql!("DROP SCHEMA {}{}", if_exists, ident(name)));
        }
        out.remark("Without CASCADE: what others put there is not dropped.");
        if !half_made {
            out.statement(sql!("BEGIN"));
        }
        out.statement(sql!("DROP VIEW {}{}", if_exists, of_system(spec, text::VIEW)));
        if spec.impersonation.is_some() {
            out.statement(sql!("DROP PROCEDURE {}", spec.procedure()));
            out.statement(drop_table(of_system(spec, text::KEY)));
        }
        out.statement(drop_table(of_system(spec, text::PROFILE)));
        // Made by what is registered, if anything ever was.
        for name in [text::REGISTRATION, text::MASK_KEY] {
            out.statement(sql!("DROP TABLE IF EXISTS {}", of_system(spec, name)));
        }
        out.all([drop_schema(&functions), drop_schema(&procedures)]);
        out.statement(sql!("REVOKE ALL ON SCHEMA {} FROM {}", bare(&system), user));
        out.statement(sql!("REVOKE ALL ON DATABASE {} FROM {}", database, user));
    }
    out.statement(sql!("DROP USER {}{}", if_exists, user));
    if let Some(actors) = &spec.impersonation {
        out.statement(actors.drop_sql());
    }
    if !spec.create_database {
        out.statement(drop_table(of_lock(spec, text::LOCK)));
        out.statement(drop_table(of_system(spec, text::MARKER)));
        out.all([drop_schema(&spec.lock()), drop_schema(&system)]);
        if !half_made {
            out.statement(sql!("COMMIT"));
        }
    }
    out.done(place)
}

/// The warehouse right after `initial_create`, or with a database that was there.
fn nothing_yet(spec: &Spec) -> Found {
    // A database that was there lets everybody make temporary tables, as long as nobody changed that.
    let acl = Acl(vec![Entry {
        grantee: Grantee::Public,
        rights: [Privilege::Temp].into_iter().collect(),
        grant_options: Rights::NONE,
        grantor: None,
    }]);
    let database = DatabaseFound { owner: 0, acl: (!spec.create_database).then_some(acl) };
    let relation = Relation { oid: 0, name: text::LOCK.to_owned(), kind: RelationKind::Table, owner: 0, acl: None };
    let lock = Schema { oid: 0, name: spec.lock(), owner: 0, acl: None, relations: vec![relation] };
    Found {
        world: World::default(),
        whose: Whose::default(),
        database: Some(database),
        inside: Some(inside_of(vec![lock])),
    }
}

/// A database with these schemas and nothing else.
fn inside_of(schemas: Vec<Schema>) -> Inside {
    Inside {
        snapshot: Snapshot { login: Login::default(), schemas },
        routines: Vec::new(),
        external: ExternalSchemas::default(),
        role_rights: RoleRights::default(),
        user_scopes: UserScopes::default(),
        narrow: Vec::new(),
        exposures: Vec::new(),
        marker: Seen::Absent,
        system_oid: None,
        schema_oids: Default::default(),
        view: None,
    }
}

/// The warehouse as the script for these settings leaves it.
fn as_made(spec: &Spec) -> Found {
    const SYSTEM: i64 = 100;
    const LOGIN: i64 = 101;
    const MEMBERS: i64 = 102;
    let user = |id: i64, name: &str| {
        let name = name.to_owned();
        (id, User { name, id, superuser: false, createdb: false, valid_until: None })
    };
    let to = |grantee: Grantee, rights: Rights| Entry { grantee, rights, grant_options: Rights::NONE, grantor: None };
    let rights = |all: &[Privilege]| -> Rights { all.iter().copied().collect() };
    let system_user = || Grantee::User(spec.system_user.clone());
    let relation = |name: &str, kind, owner, acl: Vec<Entry>| Relation {
        oid: 0,
        name: name.to_owned(),
        kind,
        owner,
        acl: Some(Acl(acl)),
    };
    let usage = rights(&[Privilege::Usage]);
    let schema = |name: String, owner, acl: Vec<Entry>, relations| Schema {
        oid: 0,
        name,
        owner,
        acl: Some(Acl(acl)),
        relations,
    };
    let marker_owner = if spec.marker_owner.is_some() { LOGIN } else { 0 };
    let mut relations = vec![
        relation("integration", RelationKind::Table, marker_owner, vec![]),
        relation("profile", RelationKind::Table, SYSTEM, vec![]),
        relation("user_profile", RelationKind::View, SYSTEM, vec![to(Grantee::Public, Rights::READ)]),
    ];
    let mut routines = Vec::new();
    if let Some(actors) = &spec.impersonation {
        relations.push(relation("impersonation", RelationKind::Table, SYSTEM, vec![]));
        let group = to(Grantee::Group(actors.name.clone()), rights(&[Privilege::Execute]));
        routines.push(super::found::Routine {
            schema: spec.procedures(),
            name: "impersonate_user".to_owned(),
            signature: spec.procedure().to_string(),
            is_procedure: true,
            owner: SYSTEM,
            acl: Some(Acl(if actors.kind == ActorKind::Group { vec![group] } else { vec![] })),
            source: text::procedure_body(spec).to_string(),
            definer: true,
            search_path: Some(Some(text::SEARCH_PATH.to_owned())),
        });
    }
    let [system, functions, procedures] = spec.schemas();
    let all_on_schema = to(system_user(), rights(&[Privilege::Usage, Privilege::Create]));
    let mut schemas = vec![
        schema(system, marker_owner, vec![all_on_schema, to(Grantee::Public, usage)], relations),
        schema(functions, SYSTEM, vec![to(Grantee::Public, usage)], vec![]),
        schema(procedures, SYSTEM, vec![to(Grantee::Public, usage)], vec![]),
        schema(
            spec.lock(),
            marker_owner,
            vec![],
            vec![relation(text::LOCK, RelationKind::Table, marker_owner, vec![])],
        ),
        schema("public".to_owned(), 1, vec![], vec![]),
    ];
    schemas.extend(
        spec.external_schemas.keys().map(|name| schema(name.clone(), 0, vec![to(system_user(), usage)], vec![])),
    );
    let mut users = vec![user(SYSTEM, &spec.system_user)];
    users.extend(spec.marker_owner.iter().map(|name| user(LOGIN, name)));
    let members = || (MEMBERS..).zip(spec.members.iter().flatten());
    users.extend(members().map(|(id, name)| user(id, name)));
    let is_group = |kind: ActorKind| spec.impersonation.iter().filter(move |actors| actors.kind == kind);
    let groups = is_group(ActorKind::Group)
        .map(|it| Group { name: it.name.clone(), id: 0, members: members().map(|(id, _)| id).collect() })
        .collect();
    let role = is_group(ActorKind::Role).map(|it| it.name.clone());
    let holds = role.clone().flat_map(|role| members().map(move |(_, name)| (name.clone(), role.clone())));
    let roles = Roles { of_users: holds.collect(), names: role.collect(), ..Roles::default() };
    let database = vec![
        to(system_user(), rights(&[Privilege::Create, Privilege::Temp])),
        to(Grantee::Public, rights(&[Privilege::Temp])),
    ];
    let owner = if spec.create_database { SYSTEM } else { 0 };
    Found {
        world: World {
            principals: Principals { users: users.into_iter().collect(), groups },
            roles,
            ..World::default()
        },
        whose: Whose::of(spec, None),
        database: Some(DatabaseFound { owner, acl: Some(Acl(database)) }),
        inside: Some(Inside {
            routines,
            external: ExternalSchemas::named(spec.external_schemas.keys().cloned()),
            view: text::view(spec)
                .to_string()
                .split_once(" AS ")
                .map(|(_, query)| format!("{query} {}", text::profile_columns(spec).join(", "))),
            ..inside_of(schemas)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bootstrap::spec::{Impersonation, Kind};

    fn spec() -> Spec {
        Spec {
            kind: Kind::Redshift,
            database: "governed".into(),
            initial_database: None,
            create_database: true,
            prefix: "p".into(),
            system_user: "p_system_user".into(),
            impersonation: Some(Impersonation { name: "actors".into(), kind: ActorKind::Group }),
            marker_owner: None,
            external_schemas: Default::default(),
            members: None,
            key_version: None,
            allowed_readers: Default::default(),
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_missing_and_a_number_of_somebody_who_is_gone_is_nobody() {
        let spec = spec();
        let missing = |change: &dyn Fn(&mut Inside)| {
            let mut found = as_made(&spec);
            change(found.inside.as_mut().expect("it is there"));
            let parts = parts(&spec, &found, &How::default());
            parts.iter().filter(|part| !part.done).map(Part::in_words).collect::<Vec<_>>()
        };
        let as_it_is = missing(&|_| {});
        let more = |change: &dyn Fn(&mut Inside)| -> Vec<String> {
            missing(change).into_iter().filter(|what| !as_it_is.contains(what)).collect()
        };
        let profile = |inside: &mut Inside, acl: Option<Acl>| {
            let schema = inside.snapshot.schemas.iter_mut().find(|schema| schema.name == "p_system").expect("a schema");
            let profile = schema.relations.iter_mut().find(|relation| relation.name == "profile").expect("a table");
            profile.acl = acl;
        };
        let list = |text: &str| Some(Acl::parse(text).expect("a list"));
        assert_eq!(
            more(&|inside| profile(inside, None)),
            ["a list of rights on table p_system.profile that can be read"]
        );
        assert_eq!(more(&|inside| profile(inside, list("155=r/p_system_user"))), [] as [&str; 0]);
        assert_eq!(
            more(&|inside| profile(inside, list("=r/p_system_user"))),
            ["no SELECT on p_system.profile for PUBLIC"]
        );
        assert_eq!(
            more(&|inside| inside.routines[0].acl = None),
            [
                "EXECUTE on procedure p_procedures.impersonate_user(varchar) for group actors",
                "a list of rights on procedure p_procedures.impersonate_user(varchar) that can be read",
            ]
        );
        assert_eq!(
            more(&|inside| inside.snapshot.schemas[1].acl = None).last().map(String::as_str),
            Some("a list of rights on schema p_functions that can be read")
        );
    }
}
