//! Texts as they are kept in tests/golden/, and what differs from run to run taken out of them.

use std::env;
use std::fs;

use super::tools;

/// Compares a text with a golden file; with `UPDATE_GOLDEN=1` in the environment the file is written instead.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let path = tools::root().join("tests/golden").join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(&path, text).expect("the golden file is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}

/// Replaces these texts by their placeholders, and by their shape times, keys of AWS and UUIDs.
pub fn masked(text: &str, known: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (value, placeholder) in known {
        text = text.replace(value, placeholder);
    }
    let mut masked = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_inner) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_inner(c)).unwrap_or(from.len()));
        masked.push_str(before);
        masked.push_str(placeholder(word).unwrap_or(word));
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn is_inner(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn placeholder(word: &str) -> Option<&'static str> {
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let is_uuid = word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_key = word.len() >= 20 && (word.starts_with("AKIA") || word.starts_with("ASIA"));
    match shape.as_str() {
        "00000000T000000Z" => Some("<time>"),
        _ if is_uuid => Some("<uuid>"),
        _ if is_key => Some("<key>"),
        _ => None,
    }
}

#[test]
fn what_differs_from_run_to_run_is_taken_out() {
    let text = "localhost:49152 said at 20260102T030405Z (01234567-89ab-cdef-0123-456789abcdef): AKIA0123456789ABCDEF.";
    assert_eq!(masked(text, &[(":49152".into(), ":<port>")]), "localhost:<port> said at <time> (<uuid>): <key>.");
}
