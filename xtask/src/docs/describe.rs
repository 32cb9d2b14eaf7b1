//! The provider's own description, as pages.

use terraform_provider_redshift::provider::Redshift;
use terraform_provider_redshift::terraform::{AttributeDescription, Presence, SchemaDescription, describe};

use super::schema::{Field, Kind, Page, Use};

/// A page for the provider and for each of its types.
pub fn pages() -> Vec<Page> {
    let provider = describe::<Redshift>();
    let mut pages = vec![page(Kind::Provider, provider.name, &provider.provider)];
    pages.extend(provider.resources.iter().map(|(name, schema)| page(Kind::Resource, name, schema)));
    pages.extend(provider.data_sources.iter().map(|(name, schema)| page(Kind::DataSource, name, schema)));
    pages
}

fn page(kind: Kind, name: &str, schema: &SchemaDescription) -> Page {
    Page {
        kind,
        name: name.to_owned(),
        subcategory: schema.subcategory.clone(),
        description: schema.description.clone(),
        fields: schema.attributes.iter().map(field).collect(),
    }
}

fn field(attribute: &AttributeDescription) -> Field {
    Field {
        name: attribute.name.clone(),
        usage: match attribute.presence {
            Presence::Required => Use::Required,
            Presence::Optional => Use::Optional,
            Presence::ReadOnly => Use::ReadOnly,
        },
        type_name: attribute.type_name.clone(),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.clone(),
        doc: doc(&attribute.doc, &attribute.one_of),
        default: attribute.default.clone(),
        replaces: attribute.replaces,
        fields: attribute.nested.iter().map(field).collect(),
    }
}

/// The text, and the possible values unless the text speaks of each.
fn doc(text: &str, one_of: &[String]) -> String {
    if one_of.iter().all(|value| text.contains(&format!("`{value}`"))) {
        return text.to_owned();
    }
    let values: Vec<String> = one_of.iter().map(|value| format!("`{value}`")).collect();
    format!("{text} One of {}.", values.join(", ")).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_values_are_said_once() {
        let values = ["md5".to_owned(), "sha256".to_owned()];
        assert_eq!(doc("The hash.", &values), "The hash. One of `md5`, `sha256`.");
        assert_eq!(doc("`md5` or `sha256`.", &values), "`md5` or `sha256`.");
        assert_eq!(doc("Any.", &[]), "Any.");
    }
}
