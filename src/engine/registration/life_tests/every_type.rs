//! Each mask on each type of column: every cell that a reader without profile sees, against what the rule says of the
//! value.

use super::{READERS, Where, integration, set, trial, wanted};
use crate::engine::governance::{MaskRule, Policy, Rules, SeenRows, Table, column};
use crate::engine::registration::tables;
use crate::engine::trial::PASSWORD;

/// Each type, and what two rows hold of it; a third one holds NULL.
const TYPES: [(&str, &str, [&str; 2]); 13] = [
    ("small", "smallint", ["-1987", "32767"]),
    ("whole", "integer", ["123456789", "-2147483648"]),
    ("big", "bigint", ["1234567890123456789", "-9223372036854775808"]),
    ("price", "decimal(10, 2)", ["12345.67", "-99999999.99"]),
    ("ratio", "real", ["1234.5", "-98765.5"]),
    ("weight", "double precision", ["98765.4321", "-1234567.875"]),
    ("active", "boolean", ["true", "false"]),
    ("code", "char(5)", ["ab", "x y"]),
    ("line", "varchar(40)", ["Ann.Lee@Example.org", "7 o'clock \\ 8"]),
    ("day", "date", ["2024-05-17", "1969-12-31"]),
    ("moment", "timestamp", ["2024-05-17 13:14:15", "1969-12-31 23:59:59.5"]),
    ("zoned", "timestamptz", ["2024-05-17 13:14:15+00", "1969-12-31 23:59:59.5+00"]),
    ("clock", "time", ["13:14:15", "00:00:00"]),
];

/// A mask on a column of a type.
struct Case {
    of: &'static str,
    rule: MaskRule,
    /// How the simulation calls what shows.
    shown: String,
    /// What shows: SQL over the row `t` and the key `k`, where `$v` is the value and `$c` the column's name.
    cell: String,
}

fn case(of: &'static str, rule: MaskRule, cell: impl Into<String>) -> Case {
    Case { of, shown: rule.using.clone(), rule, cell: cell.into() }
}

/// A mask that leaves nothing of this type.
fn hidden(of: &'static str, rule: MaskRule) -> Case {
    Case { of, rule, shown: "null".into(), cell: "NULL".into() }
}

fn using(mask: &str) -> MaskRule {
    MaskRule { using: mask.into(), ..MaskRule::default() }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A text for each row.
fn each(texts: [Option<&str>; 3]) -> String {
    let [first, second, third] = texts.map(|text| text.map_or_else(|| "NULL".to_owned(), quoted));
    format!("CASE t.id WHEN 1 THEN {first} WHEN 2 THEN {second} ELSE {third} END")
}

fn constants() -> Vec<Case> {
    let of =
        |of, value: &str, shows: &str| case(of, MaskRule { value: some(value), ..using("constant") }, quoted(shows));
    vec![
        of("small", "7", "7"),
        of("whole", "-2147483648", "-2147483648"),
        of("big", "9223372036854775807", "9223372036854775807"),
        of("price", "7.5", "7.50"),
        of("ratio", "0.5", "0.5"),
        of("weight", "1e3", "1000"),
        of("active", "false", "f"),
        of("code", "longer than it", "longer than it"),
        of("line", "it's \\ hidden", "it's \\ hidden"),
        of("day", "2024-02-29", "2024-02-29"),
        of("moment", "2000-01-01 12:30:00", "2000-01-01 12:30:00"),
        of("zoned", "2000-01-01 00:00:00+00", "2000-01-01 00:00:00+00"),
        of("clock", "12:00:00", "12:00:00"),
    ]
}

fn hashes() -> Vec<Case> {
    let digest = |salt: &str, value: &str| format!("sha2(k.mask_key || {} || chr(31) || {value}, 256)", quoted(salt));
    let number = |salt: &str| format!("strtol(substring({}, 1, 15), 16)", digest(salt, "CAST($v AS varchar)"));
    let salted = |salt: &str| MaskRule { salt: some(salt), ..using("hash") };
    let hashed = [
        case("line", using("hash"), digest("sales.every_type.$c", "$v")),
        case("line", salted("it's salt"), digest("it's salt", "$v")),
        case("code", salted("codes"), digest("codes", "rtrim($v)")),
        case("small", salted("numbers"), number("numbers")),
        case("whole", salted("numbers"), number("numbers")),
        case("big", using("hash"), number("sales.every_type.$c")),
    ];
    let others = ["price", "ratio", "weight", "active", "day", "moment", "zoned", "clock"];
    hashed.into_iter().chain(others.map(|of| hidden(of, using("hash")))).collect()
}

fn roundings() -> Vec<Case> {
    let round = |to: &str| MaskRule { to: some(to), ..using("round") };
    let mut cases = Vec::new();
    // Floating point by way of decimals, which hold these values exactly.
    let exact = "CAST($v AS decimal(20, 4))";
    for (of, value, ty) in [
        ("small", "$v", "smallint"),
        ("whole", "$v", "integer"),
        ("big", "$v", "bigint"),
        ("price", "$v", "decimal(10, 2)"),
        ("ratio", exact, "real"),
        ("weight", exact, "double precision"),
    ] {
        for step in ["10", "1000"] {
            cases.push(case(of, round(step), format!("CAST(trunc({value} / {step}.0) * {step} AS {ty})")));
        }
    }
    cases.push(case("price", round("0.1"), "CAST(trunc($v * 10) / 10 AS decimal(10, 2))"));
    for (unit, begin) in [("year", "YYYY-01-01"), ("month", "YYYY-MM-01"), ("day", "YYYY-MM-DD")] {
        for (of, midnight) in [("day", ""), ("moment", " 00:00:00"), ("zoned", " 00:00:00+00")] {
            cases.push(case(of, round(unit), format!("to_char($v, '{begin}{midnight}')")));
        }
    }
    // A step below 1 is for decimals alone, and units of time are for what has them.
    let never = [("small", "0.1"), ("whole", "0.1"), ("big", "0.1"), ("ratio", "0.1"), ("weight", "0.1")];
    let never = never.into_iter().chain([("price", "month"), ("line", "10"), ("code", "10"), ("active", "10")]);
    let never = never.chain([("day", "10"), ("moment", "10"), ("zoned", "10"), ("clock", "hour")]);
    cases.extend(never.map(|(of, to)| hidden(of, round(to))));
    cases
}

fn patterns() -> Vec<Case> {
    let replace = |pattern: &str, replacement: &str| MaskRule {
        pattern: some(pattern),
        replacement: some(replacement),
        ..using("regex")
    };
    let flagged = |flags: &str, rule: MaskRule| MaskRule { flags: some(flags), ..rule };
    let keeping = |rule: MaskRule| MaskRule { unmatched: some("keep"), ..rule };
    let whole = Some("Ann.Lee@Example.org");
    let replaced = [
        case("line", replace("@.*$", "@hidden"), each([Some("Ann.Lee@hidden"), None, None])),
        case("line", flagged("i", replace("EXAMPLE", "x")), each([Some("Ann.Lee@x.org"), None, None])),
        case("line", keeping(replace(r"\d", "#")), each([whole, Some("# o'clock \\ #"), None])),
        case("line", flagged("pi", keeping(replace(r"\d+(?= O)", "#"))), each([whole, Some("# o'clock \\ 8"), None])),
        case("code", replace("b", "B"), each([Some("aB"), None, None])),
        case("code", keeping(replace("b", "B")), each([Some("aB"), Some("x y"), None])),
    ];
    let of_text = ["code", "line"];
    let others = TYPES.iter().map(|&(of, ..)| of).filter(|of| !of_text.contains(of));
    replaced.into_iter().chain(others.map(|of| hidden(of, replace("1", "2")))).collect()
}

fn expressions() -> Vec<Case> {
    let of = |of, text: &str, shows| case(of, MaskRule { expression: some(text), ..using("expression") }, each(shows));
    let later = "CASE WHEN @column < CAST('12:00:00' AS time) THEN 'morning' ELSE 'later' END";
    let hour = "date_trunc('hour', @column)";
    vec![
        of("small", "mod(@column, 2)", [Some("-1"), Some("1"), None]),
        of("whole", "@column / 1000 * 2", [Some("246912"), Some("-4294966"), None]),
        of("big", "mod(@column, 10)", [Some("9"), Some("-8"), None]),
        of("price", "round(@column, 0)", [Some("12346"), Some("-100000000"), None]),
        of("ratio", "abs(@column)", [Some("1234.5"), Some("98765.5"), None]),
        of("weight", "abs(@column)", [Some("98765.4321"), Some("1234567.875"), None]),
        of("active", "coalesce(@column, FALSE)", [Some("t"), Some("f"), Some("f")]),
        of("code", "upper(@column) || '.'", [Some("AB."), Some("X Y."), None]),
        of("line", "upper(substring(@column, 1, 3)) || '…'", [Some("ANN…"), Some("7 O…"), None]),
        of("day", "to_char(@column, 'YYYY')", [Some("2024"), Some("1969"), None]),
        of("moment", "to_char(@column, 'HH24')", [Some("13"), Some("23"), None]),
        of("zoned", hour, [Some("2024-05-17 13:00:00+00"), Some("1969-12-31 23:00:00+00"), None]),
        of("clock", later, [Some("later"), Some("morning"), Some("later")]),
    ]
}

/// Proves: G3, G17
#[tokio::test(flavor = "multi_thread")]
async fn each_mask_on_each_type_shows_what_its_rule_says() {
    let trial = trial(Where::Beside).await;
    integration(&trial, Where::Beside).await;
    let nulls = TYPES.iter().map(|&(of, ..)| hidden(of, using("null")));
    let masked = [constants(), hashes(), roundings(), patterns(), expressions()].into_iter().flatten();
    // Each in a column of its own.
    let cases: Vec<(String, Case)> =
        nulls.chain(masked).enumerate().map(|(number, case)| (format!("{}_{number}", case.of), case)).collect();
    let of_type = |case: &Case| TYPES.iter().find(|(of, ..)| *of == case.of).expect("a type");
    let columns: Vec<String> = cases.iter().map(|(name, case)| format!("{name} {}", of_type(case).1)).collect();
    trial.admin("prod", &format!("CREATE TABLE sales.every_type (id integer, {})", columns.join(", "))).await;
    for row in 0..2 {
        let values: Vec<String> = cases.iter().map(|(_, case)| quoted(of_type(case).2[row])).collect();
        let insert = format!("INSERT INTO sales.every_type VALUES ({}, {})", row + 1, values.join(", "));
        trial.admin("prod", &insert).await;
    }
    trial.admin("prod", "INSERT INTO sales.every_type (id) VALUES (3)").await;

    let masks = cases.iter().map(|(name, case)| MaskRule { columns: set(&[name.as_str()]), ..case.rule.clone() });
    let policy = Policy::new(None, masks, []);
    assert_eq!(policy.problems(), []);
    let mut wanted = wanted(Where::Beside, policy.clone(), &READERS);
    wanted.offer.source.tables = set(&["every_type"]);
    tables::apply(&trial.warehouse(), &wanted, None, None, &trial.never).await.expect("is made");

    let cells: Vec<String> =
        cases.iter().map(|(name, case)| case.cell.replace("$v", &format!("t.{name}")).replace("$c", name)).collect();
    let cells = cells.join(", ");
    let expected =
        format!("SELECT t.id, {cells} FROM sales.every_type t CROSS JOIN gov_system.mask_key k ORDER BY t.id");
    let expected = trial.admin("prod", &expected).await;
    let seen = "SELECT * FROM gov_sales.every_type ORDER BY id";
    let seen = trial.standin.sql_as("cyd", PASSWORD, "prod", seen).await.expect("cyd reads");
    assert_eq!((seen.len(), expected.len()), (3, 3));

    let id = column("id", "integer").expect("a column");
    let others = cases.iter().map(|(name, case)| column(name, of_type(case).1).expect("a column"));
    let columns = std::iter::once(id).chain(others).collect();
    let table = Table { database: None, schema: "sales".into(), name: "every_type".into(), columns };
    let rules = Rules::new(&policy).expect("rules");
    let simulated = rules.on(&table).expect("they fit").seen_by(None);
    assert_eq!((simulated.rows, &simulated.row_filter), (SeenRows::All, &None));
    assert_eq!(simulated.columns.len(), cases.len() + 1);
    for (at, (name, case)) in (1_usize..).zip(&cases) {
        let column = &simulated.columns[at];
        let told = (column.name.as_str(), column.shown, &column.condition);
        assert_eq!(told, (name.as_str(), case.shown.as_str(), &None), "{:?}", case.rule);
        for (row, expected) in seen.iter().zip(&expected) {
            assert_eq!(row[at], expected[at], "{name}, row {:?}: {:?}", row[0], case.rule);
        }
    }
}
