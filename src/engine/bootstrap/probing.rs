//! The statements by which a probe tries what impersonation rests on: the tables, the procedure and the view of an
//! integration whose prefix is nobody's, in a transaction that is taken back.

use super::spec::{ActorKind, Impersonation, Kind, Spec};
use super::text;
use crate::engine::sql::{Sql, bare, literal, sql};

/// Makes all of it, lets the user act for `other`, and asks the view whose row it shows.
pub(in crate::engine) fn impersonation(prefix: &str, user: &str, other: &str) -> Vec<Sql> {
    let spec = &Spec {
        kind: Kind::Redshift,
        database: String::new(),
        initial_database: None,
        create_database: false,
        prefix: prefix.to_owned(),
        system_user: user.to_owned(),
        // Of a role without declared members everybody may act who may call: nobody has to be made for it.
        impersonation: Some(Impersonation { name: format!("{prefix}_actors"), kind: ActorKind::Role }),
        marker_owner: None,
        external_schemas: Default::default(),
        members: None,
        key_version: None,
        allowed_readers: Default::default(),
    };
    let profile = text::of_system(spec, text::PROFILE);
    let row = |name: &str| sql!("INSERT INTO {} VALUES ({}, NULL, NULL, NULL, NULL)", profile, literal(name));
    let mut all = vec![
        sql!("CREATE SCHEMA {}", bare(&spec.system())),
        sql!("CREATE SCHEMA {}", bare(&spec.procedures())),
        text::profile_table(spec),
        text::key_table(spec),
        row(user),
        row(other),
    ];
    all.extend(text::new_key_by_hand(spec));
    all.push(text::procedure(spec));
    all.push(text::view(spec));
    all.push(sql!("CALL {}.impersonate_user({})", bare(&spec.procedures()), literal(other)));
    let [userid, ..] = text::profile_columns(spec);
    all.push(sql!("SELECT {} FROM {}", bare(&userid), text::of_system(spec, text::VIEW)));
    all
}
