//! Rules on tables: the golden texts, and what holds for all rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;

use super::decision::{Decision, decide, shows};
use super::mask::Shown;
use super::view::Barrier;
use super::*;
use crate::engine::sql::Sql;

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn mask(using: &str, columns: &[&str]) -> MaskRule {
    MaskRule { using: using.to_owned(), columns: set(columns), ..MaskRule::default() }
}

fn groups(names: &[&str]) -> Vec<Condition> {
    vec![Condition { groups: set(names), ..Condition::default() }]
}

fn table(columns: &[(&str, &str)]) -> Table {
    Table {
        database: None,
        schema: "sales".into(),
        name: "people".into(),
        columns: columns.iter().map(|(name, ty)| column(name, ty).expect("a column")).collect(),
    }
}

/// A column of each type.
fn every_type() -> Table {
    table(&[
        ("text", "varchar(20)"),
        ("code", "char(3)"),
        ("small", "smallint"),
        ("whole", "integer"),
        ("big", "bigint"),
        ("price", "decimal(18,2)"),
        ("ratio", "real"),
        ("weight", "double precision"),
        ("active", "boolean"),
        ("day", "date"),
        ("at", "timestamp"),
        ("at_zone", "timestamptz"),
        ("clock", "time"),
        ("document", "super"),
        ("bytes", "varbyte(10)"),
    ])
}

fn people() -> Table {
    table(&[
        ("id", "integer"),
        ("email", "varchar(100)"),
        ("tenant_id", "integer"),
        ("owner", "varchar(64)"),
        ("region", "char(2)"),
        ("born", "date"),
        ("sold_at", "timestamp"),
        ("amount", "decimal(12,2)"),
    ])
}

/// The statements of a policy on a table, as an apply would send them.
fn statements(policy: &Policy, table: &Table, barrier: &Barrier) -> (Vec<Sql>, Vec<String>) {
    assert_eq!(policy.problems(), [], "{}", policy.json());
    let rules = Rules::new(policy).expect("rules");
    let protected = rules.on(table).expect("they fit the table");
    let entitlements = Entitlements::new(&rules, "gov", "sales");
    let target = Target {
        schema: "gov_sales",
        name: &table.name,
        prefix: "gov",
        entitlements: entitlements.relation(),
        barrier,
        copy: None,
    };
    let view = rules.view(table, &protected, &target).expect("a view");
    (vec![entitlements.sql(), view], protected.warnings)
}

/// Compares a text with a golden file; with `UPDATE_GOLDEN=1` in the environment the file is written instead.
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the golden file is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}

/// One golden file of policies, each with its title.
fn golden_policies(name: &str, policies: Vec<(&str, Policy, Table, Barrier)>) {
    let mut text = String::new();
    let mut before = BTreeSet::new();
    for (title, policy, table, barrier) in policies {
        let (statements, warnings) = statements(&policy, &table, &barrier);
        let _ = writeln!(text, "-- {title}");
        for warning in warnings {
            let _ = writeln!(text, "-- warning: {warning}");
        }
        // Each text once: that it parses costs time.
        for statement in statements.iter().map(Sql::to_string).filter(|statement| before.insert(statement.clone())) {
            let _ = writeln!(text, "{statement};");
        }
        text.push('\n');
    }
    golden(name, &text);
}

#[test]
fn each_mask_on_each_type() {
    let all = ["*"];
    let masks = vec![
        ("null", mask("null", &all)),
        // A constant has to fit where its type has constants at all.
        (
            "constant",
            MaskRule {
                value: some("0"),
                ..mask("constant", &["text", "code", "small", "whole", "big", "price", "ratio", "weight", "document"])
            },
        ),
        ("constant, longer than the column", MaskRule { value: some("it's \\ hidden"), ..mask("constant", &["code"]) }),
        ("constant, of time", MaskRule { value: some("2000-01-01"), ..mask("constant", &["day", "at", "at_zone"]) }),
        ("constant, true or false", MaskRule { value: some("false"), ..mask("constant", &["active"]) }),
        ("hash, of this column alone", mask("hash", &all)),
        ("hash, with a salt", MaskRule { salt: some("customer's"), ..mask("hash", &all) }),
        ("regex", MaskRule { pattern: some(r"^(\w).*@"), replacement: some("x@"), ..mask("regex", &all) }),
        (
            "regex, what does not match kept, in any case",
            MaskRule {
                pattern: some("[0-9]"),
                replacement: some("#"),
                flags: some("pi"),
                unmatched: some("keep"),
                ..mask("regex", &all)
            },
        ),
        ("round to a whole number", MaskRule { to: some("1000"), ..mask("round", &all) }),
        ("round to a fraction", MaskRule { to: some("0.05"), ..mask("round", &all) }),
        ("round to a unit of time", MaskRule { to: some("month"), ..mask("round", &all) }),
        (
            "expression",
            MaskRule { expression: some("substring(@column, 1, 3) || '…'"), ..mask("expression", &["text", "code"]) },
        ),
    ];
    let policies = masks
        .into_iter()
        .map(|(title, rule)| (title, Policy::new(None, [rule], []), every_type(), Barrier::default()))
        .collect();
    golden_policies("policy_masks.sql", policies);
}

#[test]
fn each_form_of_a_condition() {
    let on = |unless: Vec<Condition>, only_for: Vec<Condition>| {
        Policy::new(None, [MaskRule { unless, only_for, ..mask("null", &["email"]) }], [])
    };
    let block = Condition::default;
    let attributes: BTreeMap<_, _> =
        [("tenant".to_owned(), set(&["7", "9"])), ("region".to_owned(), set(&["eu"]))].into();
    let every = Condition {
        groups: set(&["a", "b"]),
        users: set(&["ann"]),
        purposes: set(&["Research"]),
        attributes: attributes.clone(),
    };
    let conditions = vec![
        ("unless, a group", on(groups(&["pii"]), vec![])),
        ("unless, one of several groups", on(groups(&["pii", "it's"]), vec![])),
        ("unless, a user", on(vec![Condition { users: set(&["ann"]), ..block() }], vec![])),
        ("unless, a purpose", on(vec![Condition { purposes: set(&["Research"]), ..block() }], vec![])),
        ("unless, attributes", on(vec![Condition { attributes, ..block() }], vec![])),
        ("unless, all kinds", on(vec![every.clone()], vec![])),
        ("unless, one of two blocks", on(vec![every, groups(&["ops"]).remove(0)], vec![])),
        ("only for a group", on(vec![], groups(&["support"]))),
    ];
    let policies = conditions
        .into_iter()
        .map(|(title, policy)| (title, policy, table(&[("email", "varchar(100)")]), Barrier::default()))
        .collect();
    golden_policies("policy_conditions.sql", policies);
}

fn filters() -> Vec<(&'static str, FilterRule)> {
    let rule = FilterRule::default;
    let on = |column: &str| FilterRule { column: some(column), ..FilterRule::default() };
    vec![
        ("the whole table, but for the exempt", FilterRule { unless: groups(&["ops"]), ..rule() }),
        ("in groups", FilterRule { list: some("groups"), ..on("region") }),
        ("in the purpose that was chosen", FilterRule { list: some("purposes"), ..on("owner") }),
        ("in an attribute, of a whole number", FilterRule { list: some("attribute.tenant"), ..on("tenant_id") }),
        ("in an attribute, of a date", FilterRule { list: some("attribute.born"), ..on("born") }),
        ("the reader's own", FilterRule { list: some("user"), ..on("owner") }),
        (
            "where, unless",
            FilterRule {
                condition: some("region = 'eu' OR @groupsContains('region')"),
                unless: groups(&["ops"]),
                ..rule()
            },
        ),
        ("newest, only for", FilterRule { newest: some("90 days"), only_for: groups(&["support"]), ..on("sold_at") }),
        ("a share of the rows", FilterRule { sample_percent: Some(10), ..on("id") }),
        ("by the column's tag", FilterRule { list: some("attribute.tenant"), column_tag: some("tenant"), ..rule() }),
        (
            "passed over, as the column is missing",
            FilterRule { list: some("groups"), missing_column: some("skip"), ..on("nothing") },
        ),
    ]
}

#[test]
fn each_kind_of_row_filter() {
    let tags: BTreeMap<_, _> = [("tenant".to_owned(), set(&["people.tenant*"]))].into();
    let policies = filters()
        .into_iter()
        .map(|(title, rule)| {
            let mut table = people();
            let looked_at = rule.column.clone().unwrap_or_default();
            table.columns.retain(|column| ["region", "tenant_id", &looked_at].contains(&column.name.as_str()));
            (title, Policy::new(None, [], [rule]).tagged(tags.clone()), table, Barrier::default())
        })
        .collect();
    golden_policies("policy_row_filters.sql", policies);
}

/// What the example of the documentation comes to, and what stands out in it.
#[test]
fn rules_together() {
    let masks = || {
        [
            MaskRule {
                salt: some("customer"),
                unless: vec![Condition { purposes: set(&["Fraud"]), ..Condition::default() }],
                tags: set(&["direct_id"]),
                ..mask("hash", &[])
            },
            MaskRule { unless: groups(&["privacy"]), tags: set(&["pii"]), ..mask("null", &[]) },
            MaskRule { to: some("100"), ..mask("round", &["amount"]) },
            MaskRule { to: some("1000"), unless: groups(&["finance"]), ..mask("round", &["amount"]) },
            MaskRule { value: some("vip"), condition: some("amount > 10000"), ..mask("constant", &["owner"]) },
            MaskRule { expression: some("lower(@column)"), ..mask("expression", &["owner"]) },
        ]
    };
    let filters = || {
        [
            FilterRule {
                column: some("tenant_id"),
                list: some("attribute.tenant"),
                unless: groups(&["operators"]),
                ..FilterRule::default()
            },
            FilterRule { column: some("sold_at"), newest: some("2 weeks"), ..FilterRule::default() },
        ]
    };
    let tags: BTreeMap<_, _> = [("pii".to_owned(), set(&["*mail*"])), ("direct_id".to_owned(), set(&["*.id"]))].into();
    let policy = || Policy::new(None, masks(), filters()).tagged(tags.clone());
    let elsewhere = Table { database: Some("prod".into()), ..people() };
    let except = Barrier::new(true, &set(&["sold_at"])).expect("patterns");
    let without = Barrier::new(false, &BTreeSet::new()).expect("patterns");
    golden_policies(
        "policy_together.sql",
        vec![
            ("with a barrier, of another database", policy(), elsewhere, Barrier::default()),
            ("a column left out of the barrier", policy(), people(), except),
            ("without a barrier", policy(), people(), without),
            (
                "nothing is asked of a reader",
                Policy::new(None, [MaskRule { to: some("100"), ..mask("round", &["amount"]) }], []),
                people(),
                Barrier::default(),
            ),
            (
                "what alone is shown in clear",
                Policy::new(None, [mask("hash", &["email"])], []).clear(Some(set(&["id", "sold_*"]))),
                people(),
                Barrier::default(),
            ),
        ],
    );
}

/// Names and values that try to end what they stand in.
#[test]
fn hostile_names_and_values_stay_inside_their_quotes() {
    let mut table = table(&[("a\"; DROP TABLE x; --", "varchar(10)"), ("b'\\", "integer")]);
    table.name = "t\" CROSS JOIN y --".into();
    let evil = "'; DROP TABLE x; --\\";
    let masks = [
        MaskRule { salt: some(evil), unless: groups(&[evil]), ..mask("hash", &["*"]) },
        MaskRule { value: some(evil), condition: some("\"b'\\\" = 1"), ..mask("constant", &["a*"]) },
    ];
    let filter =
        FilterRule { column: some("b'\\"), list: some("attribute.' || chr(31) || '\\"), ..FilterRule::default() };
    golden_policies(
        "policy_hostile.sql",
        vec![("hostile", Policy::new(None, masks, [filter]), table, Barrier::default())],
    );
}

#[test]
fn what_does_not_fit_a_table_is_told_on_its_setting() {
    let told = |policy: Policy| {
        let rules = Rules::new(&policy).expect("rules");
        let problems = rules.on(&people()).expect_err("it does not fit");
        problems.into_iter().map(|problem| problem.at).collect::<Vec<_>>()
    };
    let masks = |rule: MaskRule| told(Policy::new(None, [rule], []));
    let filters = |rule: FilterRule| told(Policy::new(None, [], [rule]));
    assert_eq!(masks(MaskRule { value: some("x"), ..mask("constant", &["id"]) }), ["mask[0].value"]);
    assert_eq!(masks(MaskRule { condition: some("nobody = 1"), ..mask("null", &["id"]) }), ["mask[0].where"]);
    assert_eq!(masks(MaskRule { expression: some("nobody"), ..mask("expression", &["id"]) }), ["mask[0].expression"]);
    let on = |column: &str| FilterRule { column: some(column), ..FilterRule::default() };
    assert_eq!(filters(FilterRule { list: some("groups"), ..on("nobody") }), ["row_filter[0].column"]);
    assert_eq!(filters(FilterRule { list: some("groups"), ..on("amount") }), ["row_filter[0].column"]);
    assert_eq!(filters(FilterRule { list: some("user"), ..on("id") }), ["row_filter[0].column"]);
    assert_eq!(filters(FilterRule { newest: some("1 day"), ..on("id") }), ["row_filter[0].column"]);
    assert_eq!(filters(FilterRule { condition: some("nobody = 1"), ..FilterRule::default() }), ["row_filter[0].where"]);
    let four = ["1", "2", "3", "5"].map(|salt| MaskRule { salt: some(salt), ..mask("hash", &["id"]) });
    assert_eq!(told(Policy::new(None, four, [])), [""], "too many partial masks");
}

#[test]
fn a_table_that_no_view_can_show_is_told() {
    let policy =
        Policy::new(None, [], [FilterRule { column: some("id"), sample_percent: Some(1), ..FilterRule::default() }]);
    let rules = Rules::new(&policy).expect("rules");
    let names: Vec<String> = (0..1_600).map(|number| format!("c{number}")).collect();
    let wide: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "integer")).chain([("id", "integer")]).collect();
    let problems = rules.on(&table(&wide)).expect_err("a column too many");
    assert!(problems[0].detail.contains("1601 columns"), "{problems:?}");
    let told = |table: &Table| {
        let protected = rules.on(table).expect("it fits");
        let entitlements = Entitlements::new(&rules, "gov", "sales").relation();
        let barrier = Barrier::default();
        rules.view(
            table,
            &protected,
            &Target { schema: "v", name: "t", prefix: "gov", entitlements, barrier: &barrier, copy: None },
        )
    };
    assert!(told(&table(&wide[1..])).is_ok(), "just as many as there may be");
    let taken = told(&table(&[("id", "integer"), ("GOV__visible", "integer")])).expect_err("the name is taken");
    assert_eq!(taken.summary, "A column's name is taken");
}

#[test]
fn another_group_in_a_rule_changes_the_entitlements_alone() {
    let of = |names: &[&str], columns: &[&str]| {
        Policy::new(
            None,
            [
                MaskRule { unless: groups(names), ..mask("null", columns) },
                MaskRule { unless: groups(&["m"]), ..mask("hash", &["id"]) },
            ],
            [FilterRule {
                column: some("region"),
                list: some("groups"),
                only_for: groups(names),
                ..FilterRule::default()
            }],
        )
    };
    let texts = |policy: Policy| statements(&policy, &people(), &Barrier::default()).0;
    let (before, after) = (texts(of(&["a"], &["email"])), texts(of(&["z"], &["email"])));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1], "the views stay as they are");
    let other = texts(of(&["a"], &["owner"]));
    let name = |sql: &Sql| sql.to_string().lines().next().map(str::to_owned);
    assert_ne!(name(&before[0]), name(&other[0]), "another shape is another view");
}

#[test]
fn a_policy_reads_back_from_its_json_and_says_what_is_wrong() {
    let policy = Policy::new(Some("pii"), [mask("null", &["a"])], []);
    assert_eq!(policy.json(), r#"{"version":1,"name":"pii","mask":[{"columns":["a"],"using":"null"}]}"#);
    for (json, part) in [
        ("", "does not read"),
        ("{}", "missing field `version`"),
        (r#"{"version":2}"#, "version 2"),
        (r#"{"version":1,"masks":[]}"#, "unknown field `masks`"),
        (r#"{"version":1,"mask":[{"column":["a"],"using":"null"}]}"#, "unknown field `column`"),
        (r#"{"version":1,"mask":[{"using":"null"}]}"#, "which columns it masks"),
        (r#"{"version":1,"mask":[{"columns":["a"],"using":"x"}]}"#, "There is no mask `x`"),
        (r#"{"version":1,"row_filter":[{}]}"#, "nobody would see a row"),
        (r#"{"version":1,"tags":{"a":["["]}}"#, "no pattern"),
    ] {
        let problem = Policy::read(json).expect_err(json);
        assert!(problem.to_string().contains(part), "{json}: {problem}");
    }
}

fn reader(user: &str, groups: &[&str]) -> Profile {
    Profile { user: user.into(), groups: set(groups), ..Profile::default() }
}

#[test]
fn what_somebody_sees() {
    let policy = Policy::together([
        Policy::new(
            Some("pii"),
            [MaskRule { unless: groups(&["privacy"]), ..mask("null", &["email"]) }],
            [FilterRule {
                column: some("tenant_id"),
                list: some("attribute.tenant"),
                unless: groups(&["ops"]),
                ..FilterRule::default()
            }],
        ),
        Policy::new(
            None,
            [MaskRule { value: some("vip"), condition: some("amount > 10"), ..mask("constant", &["owner"]) }],
            [],
        ),
    ]);
    let rules = Rules::new(&policy).expect("rules");
    let protected = rules.on(&people()).expect("it fits");
    let nobody = protected.seen_by(None);
    assert_eq!((nobody.rows, nobody.row_filter.as_deref()), (SeenRows::None, None));
    let ann = Profile { attributes: [("tenant".to_owned(), set(&["7", "9"]))].into(), ..reader("ann", &["privacy"]) };
    let seen = protected.seen_by(Some(&ann));
    assert_eq!(seen.rows, SeenRows::Some);
    assert_eq!(seen.row_filter.as_deref(), Some("\"tenant_id\" IN ('7', '9')"));
    assert_eq!(seen.filters, ["pii: row_filter in attribute.tenant"]);
    let of =
        |name: &str, seen: &Simulation| seen.columns.iter().find(|column| column.name == name).cloned().expect(name);
    assert_eq!(
        of("email", &seen),
        SeenColumn { name: "email".into(), shown: "clear", rule: None, condition: None, otherwise: None }
    );
    assert_eq!(of("email", &nobody).shown, "null");
    assert_eq!(of("email", &nobody).rule.as_deref(), Some("pii: mask using null"));
    let owner = of("owner", &seen);
    assert_eq!(
        (owner.shown, owner.condition.as_deref(), owner.otherwise),
        ("constant", Some("amount > 10"), Some("clear"))
    );
    let ops = protected.seen_by(Some(&reader("bob", &["ops"])));
    assert_eq!((ops.rows, ops.row_filter), (SeenRows::All, None));
    let none = protected.seen_by(Some(&reader("eve", &[])));
    assert_eq!(none.rows, SeenRows::None, "no tenant is hers");
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("CAMPAIGN_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(64))
}

const GROUPS: [&str; 3] = ["a", "b", "c"];

fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    let one = prop::sample::subsequence(GROUPS.to_vec(), 1..3).prop_map(|names| groups(&names).remove(0));
    let acting = Just(Condition { purposes: set(&["P"]), ..Condition::default() });
    let tenant = Just(Condition { attributes: [("k".to_owned(), set(&["1"]))].into(), ..Condition::default() });
    prop::collection::vec(prop_oneof![3 => one, 1 => acting, 1 => tenant], 0..3)
}

fn mask_rules() -> impl Strategy<Value = MaskRule> {
    let using = prop_oneof![
        Just(mask("null", &[])),
        "[xy]".prop_map(|value| MaskRule { value: Some(value), ..mask("constant", &[]) }),
        Just(mask("hash", &[])),
        prop::sample::select(vec!["10", "100"]).prop_map(|to| MaskRule { to: some(to), ..mask("round", &[]) }),
        Just(MaskRule { expression: some("lower(@column)"), ..mask("expression", &[]) }),
    ];
    let columns = prop::sample::subsequence(vec!["email", "owner", "amount"], 1..3);
    let predicate = prop::option::of(prop::sample::select(vec!["id = 1", "region = 'eu'"]));
    (using, columns, predicate, conditions(), any::<bool>()).prop_map(
        |(rule, columns, predicate, conditions, unless)| {
            let (unless, only_for) = if unless { (conditions, Vec::new()) } else { (Vec::new(), conditions) };
            // A constant fits text alone, and so does this expression.
            let text_only = ["constant", "expression"].contains(&rule.using.as_str());
            let columns: Vec<&str> = if text_only { vec!["email"] } else { columns };
            MaskRule { columns: set(&columns), condition: predicate.map(str::to_owned), unless, only_for, ..rule }
        },
    )
}

fn filter_rules() -> impl Strategy<Value = FilterRule> {
    let kinds: Vec<FilterRule> =
        filters().into_iter().map(|(_, rule)| rule).filter(|rule| rule.column_tag.is_none()).collect();
    (prop::sample::select(kinds), conditions(), any::<bool>()).prop_map(|(rule, conditions, unless)| {
        let hides = rule.column.is_none() && rule.condition.is_none();
        if conditions.is_empty() && hides {
            return rule;
        }
        let (unless, only_for) = if unless { (conditions, Vec::new()) } else { (Vec::new(), conditions) };
        FilterRule { unless, only_for, ..rule }
    })
}

fn readers() -> impl Strategy<Value = Option<Profile>> {
    let profile = (prop::sample::subsequence(GROUPS.to_vec(), 0..3), any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(groups, holds, acts, tenant)| Profile {
            user: "ann".into(),
            groups: set(&groups),
            purposes: if holds { set(&["P"]) } else { BTreeSet::new() },
            acting_under: acts.then(|| "P".to_owned()),
            attributes: if tenant { [("k".to_owned(), set(&["1"]))].into() } else { BTreeMap::new() },
        });
    prop::option::weighted(0.8, profile)
}

/// Whether the second tells no more of a value than the first.
fn tells_no_more(before: &Option<Shown>, after: &Option<Shown>) -> bool {
    match (before, after) {
        (None, _) | (_, Some(Shown::Null)) => true,
        (Some(before), Some(after)) => before.meet(after) == *after,
        (Some(_), None) => false,
    }
}

/// Follows a decision as the warehouse would.
fn followed(decision: &Decision, passes: &dyn Fn(&str) -> bool) -> Option<Shown> {
    match decision {
        Decision::Shows(shown, _) => shown.clone(),
        Decision::Passes(condition, unmasked, masked) => {
            followed(if passes(&condition.to_string()) { unmasked } else { masked }, passes)
        }
    }
}

/// True, false or NULL of `p.e1 = 1`, `NOT (x)` and their combinations, as SQL has it.
fn holds_sql(text: &str, flags: &[bool], predicate: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
    let one = |part: &str| -> Option<bool> {
        let of = |text: &str| match text.strip_prefix("p.e") {
            Some(flag) => {
                let number = flag.strip_suffix(" = 1").and_then(|number| number.parse::<usize>().ok()).expect("a flag");
                Some(flags[number - 1])
            }
            None => predicate(text.strip_prefix("NOT (").and_then(|text| text.strip_suffix(')')).expect("NOT"))
                .map(|holds| !holds),
        };
        let inner = part.strip_prefix('(').and_then(|part| part.strip_suffix(')')).filter(|_| part.starts_with("(p.e"));
        match inner.and_then(|inner| inner.split_once(" OR ")) {
            Some((flag, not)) => match (of(flag), of(not)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            None => of(part),
        }
    };
    let parts: Vec<Option<bool>> = text.split(" AND ").map(one).collect();
    match () {
        () if parts.contains(&Some(false)) => Some(false),
        () if parts.contains(&None) => None,
        () => Some(true),
    }
}

proptest! {
    #![proptest_config(cases())]

    /// One rule more never shows more: neither rows nor values, whoever reads and whatever a row holds.
    ///
    /// Proves: G8
    #[test]
    fn a_rule_more_never_shows_more(
        masks in prop::collection::vec(mask_rules(), 0..4),
        filters in prop::collection::vec(filter_rules(), 0..3),
        more_mask in mask_rules(),
        more_filter in prop::option::of(filter_rules()),
        reader in readers(),
        truths in prop::array::uniform2(prop::option::of(any::<bool>())),
    ) {
        let before = Policy::new(None, masks.clone(), filters.clone());
        let after = Policy::new(None, masks.into_iter().chain([more_mask]), filters.into_iter().chain(more_filter));
        let (before, after) = (Rules::new(&before).expect("rules"), Rules::new(&after).expect("rules"));
        let (Ok(before), Ok(after)) = (before.on(&people()), after.on(&people())) else { return Ok(()) };
        let truth = |text: &str| if text.starts_with("id") { truths[0] } else { truths[1] };
        for (one, two) in before.columns.iter().zip(&after.columns) {
            let (one, two) = (shows(&one.masks, reader.as_ref(), &truth), shows(&two.masks, reader.as_ref(), &truth));
            prop_assert!(tells_no_more(&one, &two), "{:?} -> {:?}", one, two);
        }
        let (one, two) = (before.seen_by(reader.as_ref()), after.seen_by(reader.as_ref()));
        prop_assert!(two.rows <= one.rows, "{:?} -> {:?}", one.rows, two.rows);
        prop_assert!(one.filters.iter().all(|filter| two.filters.contains(filter)));
        for (one, two) in one.columns.iter().zip(&two.columns) {
            prop_assert!(two.shown != "clear" || one.shown == "clear", "{:?} -> {:?}", one, two);
        }
    }

    /// A change of which a plan says that it hides more shows nobody more, and the other way round.
    #[test]
    fn a_change_does_what_its_plan_says(
        shared in prop::collection::vec(mask_rules(), 0..3),
        masks in prop::array::uniform2(prop::collection::vec(mask_rules(), 0..2)),
        filter in prop::option::of(filter_rules()),
        filters in prop::array::uniform2(prop::collection::vec(filter_rules(), 0..2)),
        reader in readers(),
        truths in prop::array::uniform2(prop::option::of(any::<bool>())),
    ) {
        let policy = |of: usize| {
            let masks = shared.iter().chain(&masks[of]).cloned();
            Policy::new(None, masks, filter.iter().chain(&filters[of]).cloned())
        };
        let (before, after) = (policy(0), policy(1));
        let (before, after) = (Rules::new(&before).expect("rules"), Rules::new(&after).expect("rules"));
        let lines = effects(&before, &after, &[people()]);
        let (Ok(before), Ok(after)) = (before.on(&people()), after.on(&people())) else { return Ok(()) };
        // Whether it is said that less may be seen, and that more may be.
        let told = |what: &str| {
            let line = lines.iter().find(|line| line.contains(&format!(": {what} of people")));
            let begins = |start: &str| line.is_some_and(|line| line.starts_with(start));
            (begins("hides more") || begins("shows otherwise"), begins("shows more") || begins("shows otherwise"))
        };
        let truth = |text: &str| if text.starts_with("id") { truths[0] } else { truths[1] };
        for (one, two) in before.columns.iter().zip(&after.columns) {
            let (may_hide, may_show) = told(&one.column.name);
            let (one, two) = (shows(&one.masks, reader.as_ref(), &truth), shows(&two.masks, reader.as_ref(), &truth));
            prop_assert!(may_show || tells_no_more(&one, &two), "{:?} -> {:?}: {:?}", one, two, lines);
            prop_assert!(may_hide || tells_no_more(&two, &one), "{:?} -> {:?}: {:?}", one, two, lines);
        }
        let (may_hide, may_show) = told("rows");
        let (one, two) = (before.seen_by(reader.as_ref()), after.seen_by(reader.as_ref()));
        prop_assert!(may_show || two.rows <= one.rows, "{:?} -> {:?}: {:?}", one, two, lines);
        prop_assert!(may_hide || one.rows <= two.rows, "{:?} -> {:?}: {:?}", one, two, lines);
        prop_assert!(may_show || one.filters.iter().all(|filter| two.filters.contains(filter)), "{:?}", lines);
        prop_assert!(may_hide || two.filters.iter().all(|filter| one.filters.contains(filter)), "{:?}", lines);
    }

    /// The text of a view decides as the rules are defined.
    #[test]
    fn a_view_shows_what_is_simulated(
        masks in prop::collection::vec(mask_rules(), 0..6),
        reader in readers(),
        truths in prop::array::uniform2(prop::option::of(any::<bool>())),
    ) {
        let policy = Policy::new(None, masks, []);
        let rules = Rules::new(&policy).expect("rules");
        let Ok(protected) = rules.on(&people()) else { return Ok(()) };
        let flags: Vec<bool> = rules.flags().iter().map(|concerns| concerns.exempts(reader.as_ref())).collect();
        let of_text = |text: &str| if text.starts_with("id") { truths[0] } else { truths[1] };
        let of_sql = |text: &str| if text.starts_with("t.\"id\"") { truths[0] } else { truths[1] };
        for column in &protected.columns {
            let followed = followed(&decide(column), &|text| holds_sql(text, &flags, &of_sql) == Some(true));
            prop_assert_eq!(followed, shows(&column.masks, reader.as_ref(), &of_text));
        }
    }

    /// The order in which rules are written means nothing, byte for byte.
    ///
    /// Proves: G8
    #[test]
    fn the_order_of_rules_means_nothing(
        (masks, shuffled) in prop::collection::vec(mask_rules(), 0..5).prop_flat_map(|masks| {
            (Just(masks.clone()), Just(masks).prop_shuffle())
        }),
        (filters, turned) in prop::collection::vec(filter_rules(), 0..4).prop_flat_map(|filters| {
            (Just(filters.clone()), Just(filters).prop_shuffle())
        }),
        reader in readers(),
    ) {
        let (one, two) = (Policy::new(None, masks, filters), Policy::new(None, shuffled, turned));
        prop_assert_eq!(one.json(), two.json());
        let (of_one, of_two) = (Rules::new(&one).expect("rules"), Rules::new(&two).expect("rules"));
        let (Ok(seen_one), Ok(seen_two)) = (of_one.on(&people()), of_two.on(&people())) else { return Ok(()) };
        prop_assert_eq!(seen_one.seen_by(reader.as_ref()), seen_two.seen_by(reader.as_ref()));
        let texts = |policy: &Policy| statements(policy, &people(), &Barrier::default()).0;
        prop_assert_eq!(texts(&one), texts(&two));
    }

    /// What is written as JSON reads back as the same policy, and as the same JSON.
    #[test]
    fn a_policy_reads_back(
        masks in prop::collection::vec(mask_rules(), 0..4),
        filters in prop::collection::vec(filter_rules(), 0..3),
        tags in prop::collection::btree_map("[a-z]{1,3}", prop::collection::btree_set("[a-z*.]{1,4}", 1..3), 0..3),
        clear in prop::option::of(prop::collection::btree_set("[a-z*]{1,4}", 0..3)),
    ) {
        let policy = Policy::together([Policy::new(Some("one"), masks, filters).tagged(tags).clear(clear)]);
        let read = Policy::read(&policy.json());
        prop_assert_eq!(read.as_ref().map(Policy::json), Ok(policy.json()));
        prop_assert_eq!(read, Ok(policy));
    }
}
