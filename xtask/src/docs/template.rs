//! Templates: markdown in which a line of its own names what to put there.
//!
//! | line | becomes |
//! |---|---|
//! | `{{description}}` | the type's description |
//! | `{{schema}}` | the type's attributes |
//! | `{{examples}}` | the type's examples, from its folder below examples/ |
//! | `{{import}}` | the type's import command, where it has one |
//! | `{{file PATH}}` | the file, as a code block |
//!
//! The front matter of a type's page is generated; a guide brings its own.

use std::path::{Path, PathBuf};

use super::schema::{Kind, Page};
use super::{files, read};

/// For types without a template of their own.
const PLAIN: &str = "{{description}}\n\n{{examples}}\n\n{{schema}}\n\n{{import}}\n";

/// The page of a type.
pub fn page(root: &Path, page: &Page) -> Result<String, String> {
    let own = root.join("templates").join(page.path());
    let body = if own.exists() { read(&own)? } else { PLAIN.to_owned() };
    let title = match page.kind {
        Kind::Provider => format!("{} Provider", page.name),
        _ => format!("{} {} - {}", page.name, page.kind_name(), page.name.split('_').next().unwrap_or_default()),
    };
    let heading = match page.kind {
        Kind::Provider => format!("{} Provider", page.name),
        _ => format!("{} ({})", page.name, page.kind_name()),
    };
    let front = format!(
        "---\npage_title: \"{title}\"\nsubcategory: \"{}\"\ndescription: |-\n  {}\n---\n\n\
         <!-- Written by `make docs` from the schema, templates/ and examples/: edit those. -->\n\n# {heading}\n\n",
        page.subcategory,
        page.summary()
    );
    let put = |words: &[&str]| match words {
        ["description"] => Ok(page.description.clone()),
        ["schema"] => Ok(page.schema()),
        ["examples"] => examples(root, page),
        ["import"] => import(root, page),
        ["file", path] => code(&root.join(path)),
        _ => Err(format!("{}: no such place in a template: {}", own.display(), words.join(" "))),
    };
    Ok(tidy(&(front + &fill(&body, put)?)))
}

/// A guide.
pub fn guide(root: &Path, text: &str) -> Result<String, String> {
    let put = |words: &[&str]| match words {
        ["file", path] => code(&root.join(path)),
        _ => Err(format!("no such place in a guide: {}", words.join(" "))),
    };
    Ok(tidy(&fill(text, put)?))
}

/// Replaces each line `{{words}}`.
fn fill(text: &str, put: impl Fn(&[&str]) -> Result<String, String>) -> Result<String, String> {
    let mut filled = String::new();
    for line in text.lines() {
        match line.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
            Some(inner) => filled.push_str(put(&inner.split_whitespace().collect::<Vec<_>>())?.trim_end()),
            None => filled.push_str(line),
        }
        filled.push('\n');
    }
    Ok(filled)
}

/// The folder of a type's examples.
fn folder(root: &Path, page: &Page) -> PathBuf {
    let examples = root.join("examples");
    match page.kind {
        Kind::Provider => examples.join("provider"),
        Kind::Resource => examples.join("resources").join(&page.name),
        Kind::DataSource => examples.join("data-sources").join(&page.name),
    }
}

/// `## Example Usage` with every .tf file of the type's folder. A type without an example is an error.
fn examples(root: &Path, page: &Page) -> Result<String, String> {
    let folder = folder(root, page);
    let found: Vec<PathBuf> = files(&folder, "tf")?.into_iter().filter(|file| !is_import(file)).collect();
    if found.is_empty() {
        return Err(format!("{} has no example in {}", page.name, folder.display()));
    }
    let blocks: Result<Vec<String>, String> = found.iter().map(|file| code(file)).collect();
    Ok(format!("## Example Usage\n\n{}", blocks?.join("\n\n")))
}

/// `## Import`: the command, and the block where there is one. Nothing for what cannot be imported.
fn import(root: &Path, page: &Page) -> Result<String, String> {
    let folder = folder(root, page);
    let command = folder.join("import.sh");
    if !command.exists() {
        return Ok(String::new());
    }
    let mut text = format!("## Import\n\n{}", code(&command)?);
    for file in files(&folder, "tf")?.iter().filter(|file| is_import(file)) {
        text += &format!("\n\nOr as a block:\n\n{}", code(file)?);
    }
    Ok(text)
}

fn is_import(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("import"))
}

/// A file as a fenced block.
fn code(file: &Path) -> Result<String, String> {
    let language = match file.extension().and_then(|extension| extension.to_str()) {
        Some("tf") => "terraform",
        Some("sh") => "shell",
        Some("sql") => "sql",
        _ => "",
    };
    Ok(format!("```{language}\n{}\n```", read(file)?.trim_end()))
}

/// No more than one empty line in a row, and a newline at the end.
fn tidy(text: &str) -> String {
    let mut tidied = String::new();
    let mut empty = false;
    for line in text.lines() {
        let line = line.trim_end();
        if !(empty && line.is_empty()) {
            tidied.push_str(line);
            tidied.push('\n');
        }
        empty = line.is_empty();
    }
    format!("{}\n", tidied.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_unknown_ones_refused() {
        let put = |words: &[&str]| if words == ["a", "b"] { Ok("X\n".to_owned()) } else { Err("no".to_owned()) };
        assert_eq!(fill("one\n{{a b}}\ntwo {{a b}}\n", put), Ok("one\nX\ntwo {{a b}}\n".to_owned()));
        assert_eq!(fill("{{c}}", put), Err("no".to_owned()));
    }

    #[test]
    fn empty_lines_do_not_pile_up() {
        assert_eq!(tidy("a  \n\n\n\nb\n\n"), "a\n\nb\n");
    }
}
