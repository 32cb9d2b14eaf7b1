//! Each mask on each type, and which of two shows less.

use proptest::prelude::*;

use super::super::columns::column;
use super::*;

fn rule(using: &str) -> MaskRule {
    MaskRule { using: using.to_owned(), columns: ["*".to_owned()].into(), ..MaskRule::default() }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn each_setting_belongs_to_a_mask() {
    for (rule, at) in [
        (rule("encrypt"), "using"),
        (rule(""), "using"),
        (rule("constant"), "using"),
        (rule("regex"), "using"),
        (rule("round"), "using"),
        (rule("expression"), "using"),
        (MaskRule { salt: some("s"), ..rule("null") }, "salt"),
        (MaskRule { value: some("x"), ..rule("hash") }, "value"),
        (MaskRule { salt: some("a\u{1f}b"), ..rule("hash") }, "salt"),
        (MaskRule { pattern: some("(a"), ..rule("regex") }, "pattern"),
        (MaskRule { pattern: some("[z-a]"), ..rule("regex") }, "pattern"),
        (MaskRule { pattern: some("*"), ..rule("regex") }, "pattern"),
        (MaskRule { pattern: some(""), ..rule("regex") }, "pattern"),
        (MaskRule { pattern: some("(?<=a)b"), ..rule("regex") }, "pattern"),
        (MaskRule { pattern: some("a"), flags: some("x"), ..rule("regex") }, "flags"),
        (MaskRule { pattern: some("a"), flags: some("ii"), ..rule("regex") }, "flags"),
        (MaskRule { pattern: some("a"), flags: some("ci"), ..rule("regex") }, "flags"),
        (MaskRule { pattern: some("a"), unmatched: some("show"), ..rule("regex") }, "unmatched"),
        (MaskRule { to: some("0"), ..rule("round") }, "to"),
        (MaskRule { to: some("decade"), ..rule("round") }, "to"),
        (MaskRule { to: some("1e3"), ..rule("round") }, "to"),
        (MaskRule { to: some("-5"), ..rule("round") }, "to"),
        (MaskRule { expression: some("(SELECT 1)"), ..rule("expression") }, "expression"),
    ] {
        assert_eq!(Using::read(&rule).expect_err("it is wrong").at, at, "{rule:?}");
    }
}

#[test]
fn perls_form_of_a_pattern_is_let_pass_where_it_is_asked_for() {
    for pattern in [r"(?<=a)b", r"(a)\1", r"a(?!b)"] {
        let perl = MaskRule { pattern: some(pattern), flags: some("p"), ..rule("regex") };
        assert!(Using::read(&perl).is_ok(), "{pattern}");
    }
    for pattern in [r"^[^@]+", r"[[:digit:]]{4}", r"\d+-\w*", "ä|ö"] {
        assert!(Using::read(&MaskRule { pattern: some(pattern), ..rule("regex") }).is_ok(), "{pattern}");
    }
}

#[test]
fn a_constant_fits_its_type_or_is_refused() {
    for (text, ty, fits) in [
        ("x", "varchar(1)", true),
        ("longer than the column", "varchar(3)", true),
        ("", "varchar(3)", true),
        ("32767", "smallint", true),
        ("32768", "smallint", false),
        ("-2147483648", "integer", true),
        ("1.5", "integer", false),
        ("", "integer", false),
        ("9223372036854775807", "bigint", true),
        ("12.34", "decimal(4,2)", true),
        ("123.4", "decimal(4,2)", false),
        ("1.234", "decimal(4,2)", false),
        (".5", "decimal(4,2)", false),
        ("1e3", "double precision", true),
        ("inf", "double precision", false),
        ("NaN", "real", false),
        ("true", "boolean", true),
        ("yes", "boolean", false),
        ("2024-02-29", "date", true),
        ("2023-02-29", "date", false),
        ("24-02-29", "date", false),
        ("2024-01-01 23:59:59", "timestamp", true),
        ("2024-01-01 24:00:00", "timestamp", false),
        ("2024-01-01 00:00:00+00", "timestamptz", true),
        ("2024-01-01 00:00:00+99", "timestamptz", false),
        ("12:00:00", "time", true),
        ("12", "time", false),
    ] {
        let ty = ColumnType::read(ty).expect("a type");
        assert_eq!(constant::on(text, ty).is_ok_and(|sql| sql.is_some()), fits, "{text} as {ty:?}");
    }
    assert!(constant::on("{}", ColumnType::Super).is_ok_and(|sql| sql.is_none()), "no constant is of this type");
}

#[test]
fn the_coarser_of_two_roundings_is_the_one_that_follows_from_the_other() {
    let to = |text: &str| To::read(text).expect("it reads");
    for (one, two, coarser) in [
        ("10", "1000", Some("1000")),
        ("1000", "10", Some("1000")),
        ("6", "4", None),
        ("0.5", "2", Some("2")),
        ("0.05", "0.15", Some("0.15")),
        ("day", "week", Some("week")),
        ("week", "month", None),
        ("week", "year", None),
        ("month", "year", Some("year")),
        ("month", "month", Some("month")),
        ("10", "month", None),
    ] {
        assert_eq!(to(one).coarser(to(two)), coarser.map(to), "{one} {two}");
        assert_eq!(to(two).coarser(to(one)), coarser.map(to), "{two} {one}");
    }
}

#[test]
fn what_a_type_cannot_take_is_null_and_says_why() {
    let value = sql!("t.\"c\"");
    for (using, ty) in [
        ("hash", "date"),
        ("hash", "decimal(5,1)"),
        ("regex", "integer"),
        ("constant", "super"),
        ("round", "varchar(5)"),
    ] {
        let rule = match using {
            "regex" => MaskRule { pattern: some("a"), ..rule(using) },
            "constant" => MaskRule { value: some("1"), ..rule(using) },
            "round" => MaskRule { to: some("10"), ..rule(using) },
            _ => rule(using),
        };
        let using = Using::read(&rule).expect("it reads");
        let applied = using.on(&column("c", ty).expect("a column"), &value, "s.t.c", None).expect("it is one");
        assert_eq!(applied.shown, Shown::Null, "{using:?} on {ty}");
        assert!(
            applied.fallback.is_some() && applied.sql.to_string().starts_with("CAST(NULL AS "),
            "{using:?} on {ty}"
        );
    }
}

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![
        Just(Shown::Null),
        "[ab]".prop_map(Shown::Constant),
        prop::sample::select(vec!["1", "2", "4", "6", "12", "day", "week", "month", "year"])
            .prop_map(|to| Shown::Round(To::read(to).expect("it reads"))),
        "[ab]".prop_map(Shown::Hash),
        "[ab]".prop_map(Shown::Expression),
    ]
}

proptest! {
    #[test]
    fn of_two_masks_the_order_does_not_count(one in shown(), two in shown()) {
        prop_assert_eq!(one.meet(&two), two.meet(&one));
        prop_assert_eq!(one.meet(&one), one.clone());
        let met = one.meet(&two);
        prop_assert!(met == Shown::Null || met == one || met == two);
        prop_assert!(met == Shown::Null || met.meet(&one) == met);
    }
}
