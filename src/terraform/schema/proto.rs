//! Schemas as Terraform gets them.

use super::super::wire::tfplugin6 as pb;
use super::attribute::{Attribute, Kind, Nesting};
use super::{Entry, Schema};

impl<D> Schema<D> {
    /// The message for this schema.
    pub(in crate::terraform) fn to_wire(&self) -> pb::Schema {
        let (blocks, attributes): (Vec<_>, Vec<_>) = self.entries.iter().partition(|entry| entry.attribute.block);
        let one = |Entry { name, attribute, class }: &Entry<D>| wire(name, attribute, !class.is_setting());
        let block = pb::schema::Block {
            version: self.version,
            attributes: attributes.into_iter().map(one).collect(),
            block_types: blocks.into_iter().map(|entry| wire_block(&entry.name, &entry.attribute)).collect(),
            description: self.description.clone(),
            description_kind: pb::StringKind::Markdown.into(),
            deprecated: self.deprecated.is_some(),
            deprecation_message: self.deprecated.clone().unwrap_or_default(),
            computed: false,
        };
        pb::Schema { version: self.version, block: Some(block) }
    }
}

fn wire(name: &str, attribute: &Attribute, computed: bool) -> pb::schema::Attribute {
    let (ty, nested_type) = match &attribute.kind {
        Kind::Plain(ty) => (ty.to_json().to_string().into_bytes(), None),
        Kind::Nested(nesting, children) => {
            use pb::schema::object::NestingMode;
            let nesting = match nesting {
                Nesting::Single => NestingMode::Single,
                Nesting::List => NestingMode::List,
                Nesting::Set => NestingMode::Set,
                Nesting::Map => NestingMode::Map,
            };
            let attributes = children.iter().map(|(name, child)| wire(name, child, computed)).collect();
            let object = pb::schema::Object { attributes, nesting: nesting.into(), ..Default::default() };
            (Vec::new(), Some(object))
        }
    };
    pb::schema::Attribute {
        name: name.to_owned(),
        r#type: ty,
        nested_type,
        description: attribute.doc.clone(),
        description_kind: pb::StringKind::Markdown.into(),
        required: attribute.required && !computed,
        optional: !attribute.required && !computed,
        computed: computed || attribute.default.is_some(),
        sensitive: attribute.sensitive,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
        write_only: attribute.write_only,
    }
}

fn wire_block(name: &str, attribute: &Attribute) -> pb::schema::NestedBlock {
    let block = pb::schema::Block {
        attributes: attribute.children().iter().map(|(name, child)| wire(name, child, false)).collect(),
        description: attribute.doc.clone(),
        description_kind: pb::StringKind::Markdown.into(),
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
        ..Default::default()
    };
    let times = i64::from(attribute.required);
    pb::schema::NestedBlock {
        type_name: name.to_owned(),
        block: Some(block),
        nesting: pb::schema::nested_block::NestingMode::Single.into(),
        min_items: times,
        max_items: times,
    }
}
