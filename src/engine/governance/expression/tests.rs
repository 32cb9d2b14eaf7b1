//! Tests of the tokeniser and the lists.

use proptest::prelude::*;

use super::super::columns::column;
use super::*;

fn columns() -> Vec<Column> {
    let all = [
        ("email", "varchar(100)"),
        ("Region", "varchar(10)"),
        ("tenant_id", "integer"),
        ("sold_at", "timestamp"),
        ("code", "char(3)"),
        ("price", "decimal(18,2)"),
        ("end", "integer"),
    ];
    all.into_iter().map(|(name, ty)| column(name, ty).expect("a column")).collect()
}

fn checked(text: &str) -> Result<String, String> {
    let columns = columns();
    let column = sql!("t.\"email\"");
    let tagged = |tag: &str| match tag {
        "one" => vec!["tenant_id".to_owned()],
        "two" => vec!["email".to_owned(), "code".to_owned()],
        _ => Vec::new(),
    };
    let scope = Scope { columns: Some(&columns), tagged: &tagged, column: Some(&column) };
    let list = |list: &List| match list {
        List::Groups => sql!("p.g"),
        List::Purposes => sql!("p.s"),
        List::Attribute(_) => sql!("p.a1"),
    };
    check(text, scope, &list).map(|expression| expression.sql.to_string())
}

#[test]
fn what_is_written_is_written_anew() {
    for (text, sql) in [
        ("region = 'eu'", "t.\"Region\" = 'eu'"),
        ("\"end\" > 3 AND tenant_id<>7", "t.\"end\" > 3 AND t.\"tenant_id\" <> 7"),
        ("email != 'it''s'", "t.\"email\" <> 'it''s'"),
        (r"email ~ '\d+'", r#"t."email" ~ '\\d+'"#),
        ("price > 1.50", "t.\"price\" > CAST('1.50' AS decimal(3, 2))"),
        ("lower(@column) like '%@x.com'", "pg_catalog.lower( t.\"email\" ) LIKE '%@x.com'"),
        ("CAST(email AS varchar(3)) || '…'", "CAST( t.\"email\" AS varchar(3) ) || '…'"),
        ("price::numeric(10,1)", "t.\"price\" :: decimal(10, 1)"),
        ("tenant_id::character varying(5)", "t.\"tenant_id\" :: varchar(5)"),
        ("CASE WHEN email IS NULL THEN 1 ELSE 2 END = 1", "CASE WHEN t.\"email\" IS NULL THEN 1 ELSE 2 END = 1"),
        ("sold_at >= date '2024-01-01' - 3", "t.\"sold_at\" >= date '2024-01-01' - 3"),
        ("coalesce(email, '-')", "COALESCE ( t.\"email\" , '-' )"),
        ("email = @username", "t.\"email\" = p.userid"),
        ("@columnTagged('one') = 1", "t.\"tenant_id\" = 1"),
        (
            "@groupsContains('code')",
            "pg_catalog.strpos(p.g, p.sep || pg_catalog.replace(pg_catalog.rtrim(t.\"code\"), p.sep, pg_catalog.chr(30)) || p.sep) > 0",
        ),
        (
            "@attributeValuesContains('tenant', 'tenant_id')",
            "pg_catalog.strpos(p.a1, p.sep || t.\"tenant_id\"::varchar || p.sep) > 0",
        ),
        ("- - 1 = 1", "- - 1 = 1"),
    ] {
        assert_eq!(checked(text).as_deref(), Ok(sql), "{text}");
    }
}

#[test]
fn what_is_not_on_the_list_is_refused_with_its_reason() {
    for (text, part) in [
        ("", "empty"),
        ("a = 1; DROP TABLE t", "`;`"),
        ("region = 'eu' -- all", "comments"),
        ("region /* x */ = 'eu'", "comments"),
        ("region IN (SELECT 1)", "holds no query"),
        ("tenant_id = ANY (1)", "holds no query"),
        ("EXISTS (1)", "holds no query"),
        ("f_mine(email) = 1", "Functions of others"),
        ("pg_catalog.lower(email)", "column's name alone"),
        ("public.f(email)", "column's name alone"),
        ("left(email, 3)", "substring(x, 1, 3)"),
        ("random() < 1", "averages out"),
        ("nobody = 1", "`email`, `Region`"),
        ("\"nobody\" = 1", "`email`, `Region`"),
        ("email = \"eu\"", "single quotes"),
        ("(region = 'eu'", "not closed"),
        ("region = 'eu')", "closes nothing"),
        ("CASE WHEN (region = 'eu' END)", "has to be closed first"),
        ("region = 'eu' END", "closes nothing"),
        ("region = 'eu", "not closed"),
        ("\"region = 1", "not closed"),
        ("email::regclass", "not on the list"),
        ("CAST(email AS geometry)", "not on the list"),
        ("CAST(email AS varchar(3), 1)", "bracket has to be closed"),
        ("email AS x", "in a CAST only"),
        ("current_user = email", "@username"),
        ("email = $1", "'$'"),
        ("email = U&'x'", "`U` is no column"),
        ("e\\'x'", "'\\\\'"),
        ("@nothing", "There are @column"),
        ("@groupsContains(code)", "in single quotes"),
        ("@groupsContains('sold_at')", "in no list"),
        ("@groupsContains('nobody')", "no column"),
        ("@columnTagged('none')", "No column"),
        ("@columnTagged('two')", "several columns"),
        ("1e5 = 1", "belongs to no number"),
        ("email[1]", "'['"),
        ("email ^ 2", "`^` cannot be used"),
    ] {
        let refused = checked(text).expect_err(text);
        assert!(refused.contains(part), "{text}: {refused}");
    }
}

#[test]
fn without_columns_names_pass_and_the_rest_is_checked() {
    let scope = Scope { columns: None, tagged: &|_| Vec::new(), column: None };
    let list = |_: &List| sql!("p.g");
    assert!(check("anything = 1 AND @columnTagged('later') = 2", scope, &list).is_ok());
    for text in ["f_mine(x)", "x = 1;", "@column = 1", "(SELECT 1)"] {
        assert!(check(text, scope, &list).is_err(), "{text}");
    }
}

/// Reads what was put together with a reader of its own: outside of quotes nothing may stand that could end the expression
/// or reach beyond the row.
fn outside_of_quotes(text: &str) -> String {
    let mut outside = String::new();
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            // Redshift's lexer takes a backslash in a literal for an escape.
            Some('\'') if c == '\\' => drop(chars.next()),
            Some(open) if c == open => {
                if chars.peek() == Some(&open) {
                    chars.next();
                } else {
                    quote = None;
                }
            }
            Some(_) => {}
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                outside.push(' ');
            }
            None => outside.push(c),
        }
    }
    assert_eq!(quote, None, "a quote is open at the end of {text}");
    outside
}

fn cases() -> u32 {
    std::env::var("CAMPAIGN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Whatever is written, what comes out holds known words alone, closes what it opens, and is a single expression.
    #[test]
    fn nothing_passes_that_is_not_on_the_list(
        parts in prop::collection::vec(
            prop_oneof![
                Just(";"), Just("--"), Just("/*"), Just("*/"), Just("'"), Just("\""), Just("\\"), Just("$$"), Just("("), Just(")"),
                Just("SELECT"), Just("FROM"), Just("union"), Just("email"), Just("region"), Just("mine"), Just("mine.f"), Just("f("),
                Just("lower("), Just("sha2("), Just("CASE"), Just("WHEN"), Just("END"), Just("::"), Just("varchar"), Just("CAST("),
                Just("AS"), Just("@column"), Just("@username"), Just("@groupsContains('code')"), Just("="), Just("1"), Just(" "),
                Just("'x'"), Just("OR"), Just("-"), Just("/"), Just("*"), Just("."), Just("U&"), Just("E"), Just("é"), Just("\n"),
            ],
            1..12,
        )
    ) {
        let text = parts.concat();
        let Ok(sql) = checked(&text) else { return Ok(()) };
        let outside = outside_of_quotes(&sql);
        for bad in [";", "--", "/*", "*/", "$", "\\", "é"] {
            prop_assert!(!outside.contains(bad), "{} -> {}", text, sql);
        }
        let words = outside.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic())) {
            let known = word == "t." || word.starts_with("p.") || word.strip_prefix("pg_catalog.").is_some_and(|name| {
                words::function(name).is_some()
            });
            let keyword = matches!(
                words::keyword(word),
                Some(Word::Plain(_) | Word::Case(_) | Word::End(_) | Word::As(_) | Word::Cast(_))
            );
            let ty = ColumnType::of(word, None).is_some() || word == "decimal";
            prop_assert!(known || keyword || ty, "`{}` in {} -> {}", word, text, sql);
        }
        let depth = outside.chars().try_fold(0i32, |depth, c| match c {
            '(' => Some(depth + 1),
            ')' if depth == 0 => None,
            ')' => Some(depth - 1),
            _ => Some(depth),
        });
        prop_assert_eq!(depth, Some(0), "{} -> {}", text, sql);
    }
}
