//! REALISM.md says of each finding which test is about it.

use std::path::Path;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("REALISM.md");
    std::fs::read_to_string(path).expect("REALISM.md")
}

#[test]
fn every_test_that_is_named_exists() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = document();
    let mut named = 0;
    for word in text.split('`').skip(1).step_by(2) {
        let Some((file, test)) = word.split_once("::").filter(|(file, _)| file.ends_with(".rs")) else { continue };
        let folder = if file.starts_with("warehouse/") { &own } else { &root };
        let source = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "{word}");
        named += 1;
    }
    assert!(named > 40, "{named}");
}

#[test]
fn no_finding_is_left_out() {
    let text = document();
    for (letter, count) in [('A', 10), ('D', 8), ('E', 20), ('F', 26), ('G', 14), ('H', 10)] {
        for number in 1..=count {
            assert!(text.contains(&format!("\n| {letter}{number} | ")), "{letter}{number}");
        }
    }
}
