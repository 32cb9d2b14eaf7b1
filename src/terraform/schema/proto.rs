//! Schemas as Terraform gets them.

use super::super::wire::tfplugin6 as pb;
use super::attribute::{Attribute, Kind, Nesting};
use super::{Entry, Items, Schema};

impl<D> Schema<D> {
    /// The message for this schema.
    pub(in crate::terraform) fn to_wire(&self) -> pb::Schema {
        let (blocks, attributes): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|entry| entry.attribute.block.is_some());
        let one = |Entry { name, attribute, class }: &Entry<D>| wire(name, attribute, !class.is_setting());
        let block = pb::schema::Block {
            version: self.version,
            attributes: attributes.into_iter().map(one).collect(),
            block_types: wire_blocks(blocks.into_iter().map(|entry| (&entry.name, &entry.attribute))),
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

fn wire_block(name: &str, attribute: &Attribute, items: Items) -> pb::schema::NestedBlock {
    use pb::schema::nested_block::NestingMode;
    let children = attribute.children();
    let attributes = children.iter().filter(|(_, child)| child.block.is_none());
    let block = pb::schema::Block {
        attributes: attributes.map(|(name, child)| wire(name, child, false)).collect(),
        block_types: wire_blocks(children.iter().map(|(name, child)| (name, child))),
        description: attribute.doc.clone(),
        description_kind: pb::StringKind::Markdown.into(),
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
        ..Default::default()
    };
    // Terraform's own rules: a single block's numbers are both 0 or both 1, and 0 is no upper limit.
    let least = i64::from(items.least);
    let (nesting, most) = match items.repeated {
        true => (NestingMode::List, i64::from(items.most.unwrap_or(0))),
        false => (NestingMode::Single, least),
    };
    pb::schema::NestedBlock {
        type_name: name.to_owned(),
        block: Some(block),
        nesting: nesting.into(),
        min_items: least,
        max_items: most,
    }
}

/// Those of the attributes that are blocks.
fn wire_blocks<'a>(attributes: impl Iterator<Item = (&'a String, &'a Attribute)>) -> Vec<pb::schema::NestedBlock> {
    attributes.filter_map(|(name, attribute)| Some(wire_block(name, attribute, attribute.block?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn blocks_are_counted_as_terraform_counts_them() {
        use pb::schema::nested_block::NestingMode::{List, Single};
        let many = || Block::new([("a", string().required())]);
        let schema = Schema::<()>::new("")
            .block("once", "", many())
            .block("must", "", many().required())
            .block("many", "", many().repeated().block("inner", "Inside.", many().at_most(2)))
            .block("some", "", many().at_least(1).at_most(3));
        let block = schema.to_wire().block.expect("a block");
        let count = |block: &pb::schema::NestedBlock| (block.nesting(), block.min_items, block.max_items);
        let counts: Vec<_> = block.block_types.iter().map(count).collect();
        assert_eq!(counts, [(Single, 0, 0), (Single, 1, 1), (List, 0, 0), (List, 1, 3)]);
        let many = block.block_types[2].block.as_ref().expect("a block");
        assert_eq!((many.attributes.len(), many.block_types.len()), (1, 1), "a block inside is no attribute");
        assert_eq!(count(&many.block_types[0]), (List, 0, 2));
        assert_eq!(many.block_types[0].block.as_ref().expect("a block").description, "Inside.");
    }
}
