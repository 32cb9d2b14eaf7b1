//! A schema as the Registry shows it: required, optional and read-only attributes, then each nested schema.

use std::fmt::Write;
use std::path::PathBuf;

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Provider,
    Resource,
    DataSource,
}

/// One type, or the provider itself.
pub struct Page {
    pub kind: Kind,
    /// With the provider's prefix: `redshift_user`. The provider's own page: `redshift`.
    pub name: String,
    pub subcategory: String,
    /// Markdown. Its first sentence is the summary.
    pub description: String,
    pub fields: Vec<Field>,
}

/// How a field gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Required,
    Optional,
    ReadOnly,
}

/// An attribute or a block.
pub struct Field {
    pub name: String,
    pub usage: Use,
    /// `String`, `Set of Number`, `Attributes`, `Block`, …
    pub type_name: String,
    pub sensitive: bool,
    pub write_only: bool,
    pub deprecated: Option<String>,
    pub doc: String,
    /// The value when nothing is written, as HCL.
    pub default: Option<String>,
    /// A change of it replaces the resource.
    pub replaces: bool,
    pub fields: Vec<Field>,
}

impl Page {
    /// Where the Registry looks for the page, below docs/.
    pub fn path(&self) -> PathBuf {
        let short = self.name.split_once('_').map_or(self.name.as_str(), |(_, rest)| rest);
        match self.kind {
            Kind::Provider => PathBuf::from("index.md"),
            Kind::Resource => PathBuf::from(format!("resources/{short}.md")),
            Kind::DataSource => PathBuf::from(format!("data-sources/{short}.md")),
        }
    }

    /// The word for the kind in titles and folder names of examples.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Provider => "Provider",
            Kind::Resource => "Resource",
            Kind::DataSource => "Data Source",
        }
    }

    /// The description's first sentence, for the front matter.
    pub fn summary(&self) -> String {
        let text = self.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = text.find(". ").map_or(text.len(), |at| at + 1);
        text[..end].to_owned()
    }

    /// The part of the page from `## Schema` on.
    pub fn schema(&self) -> String {
        let mut text = String::from("## Schema\n");
        let mut nested = Vec::new();
        groups(&mut text, &self.fields, "", "###", &mut nested);
        while !nested.is_empty() {
            let (path, field): (String, &Field) = nested.remove(0);
            let mut inner = Vec::new();
            let _ = write!(text, "\n<a id=\"{}\"></a>\n### Nested Schema for `{path}`\n", anchor(&path));
            groups(&mut text, &field.fields, &path, "####", &mut inner);
            nested.splice(0..0, inner);
        }
        text
    }
}

/// The three lists of one level. What has fields of its own goes to `nested`, with its path.
fn groups<'a>(
    text: &mut String,
    fields: &'a [Field],
    path: &str,
    heading: &str,
    nested: &mut Vec<(String, &'a Field)>,
) {
    for (usage, title) in [(Use::Required, "Required"), (Use::Optional, "Optional"), (Use::ReadOnly, "Read-Only")] {
        let mut members: Vec<&Field> = fields.iter().filter(|field| field.usage == usage).collect();
        if members.is_empty() {
            continue;
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let _ = write!(text, "\n{heading} {title}\n\n");
        for field in members {
            let inner = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
            let _ = writeln!(text, "{}", line(field, &inner));
            if !field.fields.is_empty() {
                nested.push((inner, field));
            }
        }
    }
}

/// One bullet.
fn line(field: &Field, path: &str) -> String {
    let mut marks = vec![field.type_name.clone()];
    if field.sensitive {
        marks.push("Sensitive".to_owned());
    }
    if field.write_only {
        marks.push(
            "[Write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)"
                .to_owned(),
        );
    }
    if field.deprecated.is_some() {
        marks.push("Deprecated".to_owned());
    }
    let mut text = format!("- `{}` ({})", field.name, marks.join(", "));
    let mut say = |sentence: &str| {
        if !sentence.is_empty() {
            text.push(' ');
            text.push_str(sentence);
        }
    };
    say(&field.doc.split_whitespace().collect::<Vec<_>>().join(" "));
    if let Some(default) = &field.default {
        say(&format!("Default: `{default}`."));
    }
    if field.replaces {
        say("A change replaces the resource.");
    }
    if let Some(reason) = &field.deprecated {
        say(&format!("**Deprecated:** {reason}"));
    }
    if !field.fields.is_empty() {
        say(&format!("(see [below for nested schema](#{}))", anchor(path)));
    }
    text
}

fn anchor(path: &str) -> String {
    format!("nested--{}", path.replace('.', "--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, usage: Use, type_name: &str) -> Field {
        Field {
            name: name.to_owned(),
            usage,
            type_name: type_name.to_owned(),
            sensitive: false,
            write_only: false,
            deprecated: None,
            doc: String::new(),
            default: None,
            replaces: false,
            fields: Vec::new(),
        }
    }

    #[test]
    fn a_page_lists_by_use_and_links_what_is_nested() {
        let secret = Field { sensitive: true, write_only: true, ..field("secret", Use::Optional, "String") };
        let port = Field {
            default: Some("5439".to_owned()),
            doc: "The\n port.".to_owned(),
            ..field("port", Use::Optional, "Number")
        };
        let inner = Field { replaces: true, ..field("name", Use::Required, "String") };
        let user = Field { fields: vec![inner], ..field("user", Use::Optional, "Block") };
        let page = Page {
            kind: Kind::Resource,
            name: "redshift_thing".to_owned(),
            subcategory: String::new(),
            description: "A thing. More of it.".to_owned(),
            fields: vec![user, port, secret, field("id", Use::ReadOnly, "String")],
        };
        let expected = "## Schema\n\n### Optional\n\n- `port` (Number) The port. Default: `5439`.\n- `secret` (String, \
                        Sensitive, [Write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments))\n\
                        - `user` (Block) (see [below for nested schema](#nested--user))\n\n### Read-Only\n\n- `id` (String)\n\n\
                        <a id=\"nested--user\"></a>\n### Nested Schema for `user`\n\n#### Required\n\n\
                        - `name` (String) A change replaces the resource.\n";
        assert_eq!(page.schema(), expected);
        assert_eq!(page.summary(), "A thing.");
        assert_eq!(page.path(), PathBuf::from("resources/thing.md"));
    }
}
