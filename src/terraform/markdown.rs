//! Schemas in Markdown, in the layout of the Terraform Registry.

use std::fmt::Write as _;

use super::describe::{AttributeDescription, FunctionDescription, Presence, SchemaDescription, type_name};

const WRITE_ONLY: &str = "https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments";

/// The part of a page from `## Schema` on.
pub fn schema_markdown(schema: &SchemaDescription) -> String {
    let mut page = Page { text: "## Schema\n".to_owned(), later: Vec::new() };
    page.groups(&schema.attributes, "", "### ", "\n");
    // Nested schemas follow in the order in which they are referred to, each before those of its own.
    let mut at = 0;
    while at < page.later.len() {
        let Later { anchor, path, attributes } = page.later[at].clone();
        at += 1;
        let _ = write!(page.text, "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{path}`\n");
        let before = page.later.len();
        page.groups(&attributes, &path, "", ":\n");
        let own = page.later.split_off(before);
        page.later.splice(at..at, own);
    }
    page.text
}

/// The parts of a function's page from `## Signature` on.
pub fn function_markdown(function: &FunctionDescription) -> String {
    let parameters = function.parameters.iter().map(|p| format!("{} {}", p.name, signature_type(&type_name(&p.ty))));
    let variadic = function.variadic.iter().map(|p| format!("{} {}...", p.name, signature_type(&type_name(&p.ty))));
    let all = parameters.chain(variadic).collect::<Vec<_>>().join(", ");
    let returns = signature_type(&type_name(&function.returns));
    let mut text = format!("## Signature\n\n```text\n{}({all}) {returns}\n```\n", function.name);
    if !all.is_empty() {
        text.push_str("\n## Arguments\n\n");
    }
    for (i, p) in function.parameters.iter().enumerate() {
        let nullable = if p.null { ", Nullable" } else { "" };
        let _ = writeln!(text, "{}. `{}` ({}{nullable}) {}", i + 1, p.name, type_name(&p.ty), p.doc);
    }
    if let Some(p) = &function.variadic {
        let number = function.parameters.len() + 1;
        let _ = writeln!(text, "{number}. `{}` (Variadic, {}) {}", p.name, type_name(&p.ty), p.doc);
    }
    text
}

fn signature_type(words: &str) -> String {
    words.to_lowercase().replace("boolean", "bool")
}

/// A nested schema that is still to be printed.
#[derive(Clone)]
struct Later {
    anchor: String,
    path: String,
    attributes: Vec<AttributeDescription>,
}

struct Page {
    text: String,
    later: Vec<Later>,
}

impl Page {
    fn groups(&mut self, attributes: &[AttributeDescription], path: &str, before: &str, after: &str) {
        for (presence, title) in
            [(Presence::Required, "Required"), (Presence::Optional, "Optional"), (Presence::ReadOnly, "Read-Only")]
        {
            let mut group: Vec<_> = attributes.iter().filter(|a| a.presence == presence).collect();
            if group.is_empty() {
                continue;
            }
            group.sort_by(|a, b| a.name.cmp(&b.name));
            let _ = write!(self.text, "\n{before}{title}{after}\n");
            if group.iter().any(|a| a.write_only) {
                let _ = writeln!(
                    self.text,
                    "> **NOTE**: [Write-only arguments]({WRITE_ONLY}) are supported in Terraform 1.11 and later.\n"
                );
            }
            for attribute in group {
                self.attribute(attribute, path);
            }
        }
    }

    fn attribute(&mut self, attribute: &AttributeDescription, path: &str) {
        let mut words = vec![attribute.type_name.clone()];
        if attribute.type_name == "Block" && attribute.presence == Presence::Optional {
            words.push("Optional".to_owned());
        }
        if attribute.sensitive {
            words.push("Sensitive".to_owned());
        }
        if attribute.deprecated.is_some() {
            words.push("Deprecated".to_owned());
        }
        if attribute.write_only {
            words.push(format!("[Write-only]({WRITE_ONLY})"));
        }
        let _ = write!(self.text, "- `{}` ({})", attribute.name, words.join(", "));
        for sentence in sentences(attribute) {
            self.text.push(' ');
            self.text.push_str(&sentence);
        }
        if !attribute.nested.is_empty() {
            let path = if path.is_empty() { attribute.name.clone() } else { format!("{path}.{}", attribute.name) };
            let kind = if attribute.block { "nestedblock" } else { "nestedatt" };
            let anchor = format!("{kind}--{}", path.replace('.', "--"));
            let _ = write!(self.text, " (see [below for nested schema](#{anchor}))");
            self.later.push(Later { anchor, path, attributes: attribute.nested.clone() });
        }
        self.text.push('\n');
    }
}

/// The doc, and what the schema itself says.
fn sentences(attribute: &AttributeDescription) -> Vec<String> {
    let mut sentences = Vec::new();
    if !attribute.doc.is_empty() {
        sentences.push(attribute.doc.trim().replace('\n', "\n  "));
    }
    if !attribute.one_of.is_empty() {
        let values: Vec<_> = attribute.one_of.iter().map(|value| format!("`{value}`")).collect();
        sentences.push(format!("One of {}.", values.join(", ")));
    }
    if let Some(default) = &attribute.default {
        sentences.push(format!("Default: `{}`.", default.trim_matches('"')));
    }
    if attribute.replaces {
        sentences.push("A change makes a new resource.".to_owned());
    }
    if let Some(message) = &attribute.deprecated {
        sentences.push(format!("**Deprecated:** {message}"));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::super::describe::describe_schema;
    use super::super::{Block, Schema, list_of, map, number, object, string};
    use super::*;

    #[test]
    fn repeated_blocks_read_as_in_the_registry() {
        let schema = Schema::<()>::new("")
            .block(
                "mask",
                "What is hidden.",
                Block::new([("using", string().required())]).repeated().block(
                    "unless",
                    "But for whom.",
                    Block::new([("user", string())]).at_most(3),
                ),
            )
            .block("row", "", Block::new([("a", string())]).at_least(1));
        let expected = r#"## Schema

### Required

- `row` (Block List, Min: 1) (see [below for nested schema](#nestedblock--row))

### Optional

- `mask` (Block List) What is hidden. (see [below for nested schema](#nestedblock--mask))

<a id="nestedblock--row"></a>
### Nested Schema for `row`

Optional:

- `a` (String)

<a id="nestedblock--mask"></a>
### Nested Schema for `mask`

Required:

- `using` (String)

Optional:

- `unless` (Block List, Max: 3) But for whom. (see [below for nested schema](#nestedblock--mask--unless))

<a id="nestedblock--mask--unless"></a>
### Nested Schema for `mask.unless`

Optional:

- `user` (String)
"#;
        assert_eq!(schema_markdown(&describe_schema(&schema)), expected);
    }

    #[test]
    fn a_schema_reads_as_in_the_registry() {
        let schema = Schema::<()>::new("")
            .setting("name", string().required().replaces().doc("Its name."))
            .setting("mode", string().default("off").one_of(&["on", "off"]).doc("How."))
            .setting("labels", map(string()).deprecated("Use `name`."))
            .block(
                "login",
                "Who.",
                [("password_wo", string().write_only().doc("Sent once.")), ("user", string().required())],
            )
            .observed("found", list_of([("at", object([("line", number())]).doc("Where."))]));
        let expected = r#"## Schema

### Required

- `name` (String) Its name. A change makes a new resource.

### Optional

- `labels` (Map of String, Deprecated) **Deprecated:** Use `name`.
- `login` (Block, Optional) Who. (see [below for nested schema](#nestedblock--login))
- `mode` (String) How. One of `on`, `off`. Default: `off`.

### Read-Only

- `found` (Attributes List) (see [below for nested schema](#nestedatt--found))

<a id="nestedblock--login"></a>
### Nested Schema for `login`

Required:

- `user` (String)

Optional:

> **NOTE**: [Write-only arguments](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments) are supported in Terraform 1.11 and later.

- `password_wo` (String, Sensitive, [Write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)) Sent once.

<a id="nestedatt--found"></a>
### Nested Schema for `found`

Read-Only:

- `at` (Attributes) Where. (see [below for nested schema](#nestedatt--found--at))

<a id="nestedatt--found--at"></a>
### Nested Schema for `found.at`

Read-Only:

- `line` (Number)
"#;
        assert_eq!(schema_markdown(&describe_schema(&schema)), expected);
    }
}
