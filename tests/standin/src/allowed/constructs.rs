//! Constructs of PL/pgSQL that a procedure's body may hold, beside its one block; each is read in `plpgsql.rs`.

/// A construct.
#[derive(Debug)]
pub struct Construct {
    /// Its name, for tests that take it out.
    pub id: &'static str,
    /// How it is written.
    pub form: &'static str,
    /// What shows it on Redshift.
    pub evidence: &'static str,
}

const fn construct(id: &'static str, form: &'static str, evidence: &'static str) -> Construct {
    Construct { id, form, evidence }
}

/// Constructs.
pub const CONSTRUCTS: &[Construct] = &[
    construct("declare", "DECLARE name type [:= value];", "c_PLpgSQL-structure (variable declaration)"),
    construct("assignment", "name := value;", "c_PLpgSQL-statements (assignment)"),
    construct("select-into", "SELECT INTO name value [FROM ...];", "c_PLpgSQL-statements (SELECT INTO)"),
    construct("if", "IF condition THEN ... [ELSE ...] END IF;", "c_PLpgSQL-statements (conditions: IF)"),
    construct("call", "CALL name(value, ...);", "r_CALL_procedure, stored-procedure-constraints (nested calls)"),
    construct("null", "NULL;", "c_PLpgSQL-statements (no-op)"),
    construct("return", "RETURN;", "c_PLpgSQL-statements (RETURN)"),
    construct("raise-exception", "RAISE EXCEPTION 'format' [, name ...];", "c_PLpgSQL-statements (RAISE)"),
];
