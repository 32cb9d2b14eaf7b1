//! Terraform's messages, less the box it draws around them and the line breaks it puts in, so that texts can be compared.

use serde_json::Value;

/// An error or a warning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// `error` or `warning`.
    pub severity: String,
    pub summary: String,
    /// White space is one space.
    pub detail: String,
    /// The resource: `redshift_user.a`. Empty without one.
    pub address: String,
    /// The line of the configuration that Terraform shows, trimmed. Empty without one: that is a diagnostic on no attribute.
    pub line: String,
}

impl Problem {
    /// Summary and detail, for searching.
    pub fn text(&self) -> String {
        format!("{}: {}", self.summary, self.detail)
    }
}

/// White space as single spaces.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A command's output on one line, without colours and boxes.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        // A colour ends with its first letter.
        let end = rest[at..].find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    plain.push_str(rest);
    one_line(&plain.replace(['│', '╷', '╵'], " "))
}

/// What Terraform warns of in every command here: these tests run the provider that was just built.
const OVERRIDES: &str = "Provider development overrides are in effect";

/// The diagnostics in the output of a command that was run with `-json`: one JSON object per line, or a single one.
pub fn problems(output: &str) -> Vec<Problem> {
    let mut found = all_problems(output);
    found.retain(|problem| problem.summary != OVERRIDES);
    found
}

fn all_problems(output: &str) -> Vec<Problem> {
    diagnostics(output).iter().map(problem).collect()
}

fn diagnostics(output: &str) -> Vec<Value> {
    if let Ok(Value::Object(mut whole)) = serde_json::from_str(output)
        && let Some(Value::Array(list)) = whole.get_mut("diagnostics").map(Value::take)
    {
        return list;
    }
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|mut line| line.get_mut("diagnostic").map(Value::take)).collect()
}

/// The same diagnostics as a reader sees them, line breaks and all: where each is, on which line, and its whole text. Warnings
/// come first, then by resource: in which order Terraform gets round to resources changes from run to run.
pub fn shown(output: &str) -> String {
    let one = |diagnostic: &Value| {
        let problem = problem(diagnostic);
        let detail = diagnostic["detail"].as_str().unwrap_or_default().trim_end();
        // Terraform and OpenTofu name other registries.
        let address = match problem.address.strip_prefix("provider[\"").and_then(|rest| rest.split_once('/')) {
            Some((_, name)) => format!("provider[\"{name}"),
            None => problem.address.clone(),
        };
        let place = [&address, &problem.line].into_iter().filter(|text| !text.is_empty());
        let place: String = place.map(|text| format!("  {text}\n")).collect();
        format!("{}: {}\n{place}\n{detail}\n", problem.severity, problem.summary)
    };
    let found = diagnostics(output).into_iter().filter(|diagnostic| diagnostic["summary"] != OVERRIDES);
    let mut found: Vec<Value> = found.collect();
    let text = |diagnostic: &Value, key: &str| diagnostic[key].as_str().unwrap_or_default().to_owned();
    found.sort_by_key(|diagnostic| (text(diagnostic, "severity") != "warning", text(diagnostic, "address")));
    found.iter().map(one).collect::<Vec<_>>().join("\n---\n\n")
}

fn problem(diagnostic: &Value) -> Problem {
    let text = |pointer: &str| diagnostic.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let code = text("/snippet/code").lines().next().unwrap_or_default();
    // Without an attribute Terraform still points at the resource's head line; that is no attribute.
    let head = ["resource ", "data ", "provider ", "ephemeral "].iter().any(|start| code.starts_with(start));
    Problem {
        severity: text("/severity").to_owned(),
        summary: one_line(text("/summary")),
        detail: one_line(text("/detail")),
        address: text("/address").to_owned(),
        line: if head { String::new() } else { one_line(code) },
    }
}

/// The statements of an SQL text, as a simple client splits it: at semicolons outside of quotes, dollar quotes and
/// comments, which are left out.
pub fn statements(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
        let length = match first {
            '-' if rest.starts_with("--") => {
                rest = &rest[until(0, "\n")..];
                continue;
            }
            ';' => {
                all.push(String::new());
                rest = &rest[1..];
                continue;
            }
            '\'' => until(1, "'"),
            '"' => until(1, "\""),
            '$' => match rest[1..].find('$') {
                Some(at) if rest[1..=at].chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                    until(at + 2, &rest[..at + 2])
                }
                _ => 1,
            },
            other => other.len_utf8(),
        };
        let (taken, left) = rest.split_at(length);
        all.last_mut().expect("one").push_str(taken);
        rest = left;
    }
    let trimmed = all.iter().map(|statement| statement.trim().to_owned());
    trimmed.filter(|statement| !statement.is_empty()).collect()
}

#[test]
fn a_text_is_split_as_a_simple_client_does() {
    let text = "-- a; b\nSELECT ';', \"x;\";\n\nDO $b$ BEGIN; -- c\n END; $b$;\n-- d\n";
    assert_eq!(statements(text), ["SELECT ';', \"x;\"", "DO $b$ BEGIN; -- c\n END; $b$"]);
}

#[test]
fn boxes_colours_and_line_breaks_go() {
    let shown = "\u{1b}[31m╷\u{1b}[0m\n│ \u{1b}[1mError: \u{1b}[0mNo such\n│ schema\n│ \n│   GRANT  x\n╵\n";
    assert_eq!(plain(shown), "Error: No such schema GRANT x");
}

#[test]
fn both_forms_of_json_are_read() {
    let diagnostic = r#"{"severity":"error","summary":"Bad  port","detail":"It is\n0.","address":"redshift_user.a",
        "snippet":{"code":"  port = 0","start_line":3}}"#
        .replace('\n', " ");
    let expected = Problem {
        severity: "error".to_owned(),
        summary: "Bad port".to_owned(),
        detail: "It is 0.".to_owned(),
        address: "redshift_user.a".to_owned(),
        line: "port = 0".to_owned(),
    };
    let lines = format!("{{\"@level\":\"info\"}}\nno json\n{{\"type\":\"diagnostic\",\"diagnostic\":{diagnostic}}}\n");
    let whole = format!("{{\"valid\":false,\"diagnostics\":[{diagnostic}]}}");
    assert_eq!(problems(&lines), problems(&whole));
    assert_eq!(problems(&whole), [expected]);
}

#[test]
fn the_head_of_a_resource_is_no_attribute() {
    let whole = r#"{"diagnostics":[{"severity":"error","summary":"S","snippet":{"code":"resource \"x\" \"y\" {"}}]}"#;
    assert_eq!(problems(whole)[0].line, "");
}
