//! Blocks: what a person writes by hand. Terraform refuses unknown names in them, while it drops them silently in nested
//! attributes.

use super::attribute::{self, Attribute};

/// A block: once, or with [`Block::repeated`] any number of times, in order. Blocks may stand in blocks.
#[derive(Clone, Debug)]
pub struct Block {
    attributes: Vec<(String, Attribute)>,
    items: Items,
}

/// How often a block is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::terraform) struct Items {
    pub(in crate::terraform) repeated: bool,
    pub(in crate::terraform) least: u32,
    /// None: any number.
    pub(in crate::terraform) most: Option<u32>,
}

impl Block {
    /// An optional block with these attributes.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (&'a str, Attribute)>) -> Self {
        let items = Items { repeated: false, least: 0, most: Some(1) };
        Block { attributes: attribute::named(attributes), items }
    }

    /// It must be written; a repeated one at least once.
    #[must_use]
    pub fn required(self) -> Self {
        let least = self.items.least.max(1);
        Block { items: Items { least, ..self.items }, ..self }
    }

    /// It may be written any number of times.
    #[must_use]
    pub fn repeated(self) -> Self {
        Block { items: Items { repeated: true, most: None, ..self.items }, ..self }
    }

    /// It may be written at most so many times, which makes it a repeated one.
    #[must_use]
    pub fn at_most(self, times: u32) -> Self {
        Block { items: Items { repeated: true, most: Some(times), ..self.items }, ..self }
    }

    /// It must be written at least so many times, which makes it a repeated one.
    #[must_use]
    pub fn at_least(self, times: u32) -> Self {
        let most = self.items.most.filter(|_| self.items.repeated);
        Block { items: Items { repeated: true, least: times, most }, ..self }
    }

    /// A block inside of it.
    #[must_use]
    pub fn block(mut self, name: &str, doc: impl Into<String>, block: impl Into<Block>) -> Self {
        let block: Block = block.into();
        self.attributes.push((name.to_owned(), block.attribute().doc(doc)));
        self
    }

    pub(super) fn attribute(self) -> Attribute {
        Attribute::block(self.items, self.attributes)
    }
}

impl<const N: usize> From<[(&str, Attribute); N]> for Block {
    fn from(attributes: [(&str, Attribute); N]) -> Self {
        Block::new(attributes)
    }
}

impl From<Vec<(&str, Attribute)>> for Block {
    fn from(attributes: Vec<(&str, Attribute)>) -> Self {
        Block::new(attributes)
    }
}
