//! What comes back from the warehouse: everything is text.

use std::str::FromStr;

use crate::engine::error::{Error, Foreign, shown};
use crate::engine::names::NAME_BYTES;

/// One row of a result; columns are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    text: Box<str>,
    /// Where each column's text ends; none for NULL.
    ends: Box<[Option<u32>]>,
}

impl Row {
    /// A row of these values.
    pub fn new<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut text = String::new();
        let ends = values
            .into_iter()
            .map(|value| {
                text.push_str(value?);
                u32::try_from(text.len()).ok()
            })
            .collect();
        Self { text: text.into(), ends }
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a column; none if it is NULL or not there.
    pub fn get(&self, column: usize) -> Option<&str> {
        let end = (*self.ends.get(column)?)? as usize;
        let start = self.ends[..column].iter().rev().find_map(|end| *end).unwrap_or(0) as usize;
        self.text.get(start..end)
    }

    /// The text of a column that is never NULL.
    pub fn text(&self, column: usize) -> Result<&str, Error> {
        self.get(column).ok_or_else(|| unexpected(column, "has no value"))
    }

    /// A name that is never NULL. Blanks at its end belong to it, but for those of a char column of 128, to whose size
    /// some views of the compute nodes fill it up: no name is that long.
    pub fn name(&self, column: usize) -> Result<&str, Error> {
        self.text(column).map(name)
    }

    /// A column that is never NULL, read as a number or the like. Blanks around it do not count (char columns are
    /// padded).
    pub fn parse<T: FromStr>(&self, column: usize) -> Result<T, Error> {
        let text = self.text(column)?.trim();
        text.parse().map_err(|_| unexpected(column, &format!("is \"{}\"", shown(text))))
    }

    /// A boolean column: `t` or `f` as the wire says, or in the words of a setting or a cast.
    pub fn flag(&self, column: usize) -> Result<bool, Error> {
        match self.text(column)?.trim() {
            "t" | "true" | "on" | "1" => Ok(true),
            "f" | "false" | "off" | "0" => Ok(false),
            text => Err(unexpected(column, &format!("is \"{}\"", shown(text)))),
        }
    }
}

/// See [`Row::name`].
pub fn name(text: &str) -> &str {
    if text.len() > NAME_BYTES { text.trim_end_matches(' ') } else { text }
}

fn unexpected(column: usize, what: &str) -> Error {
    Error::refused("Unexpected answer from the warehouse", format!("Column {} of an answer {what}.", column + 1))
}

/// What a statement without rows did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// The number of rows that the warehouse says were touched.
    pub rows: u64,
    /// What the warehouse remarked, in order.
    pub notices: Vec<Notice>,
}

/// A remark of the warehouse: INFO, NOTICE or WARNING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its code: 00000, 01007 (privilege not granted), 01006 (privilege not revoked), ...
    pub sqlstate: String,
    /// Its words.
    pub message: Foreign,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back_as_they_were(values in prop::collection::vec(prop::option::of(".{0,12}"), 0..8)) {
            let row = Row::new(values.iter().map(Option::as_deref));
            prop_assert_eq!(row.len(), values.len());
            prop_assert_eq!(row.is_empty(), values.is_empty());
            for (column, value) in values.iter().enumerate() {
                prop_assert_eq!(row.get(column), value.as_deref());
            }
            prop_assert_eq!(row.get(values.len()), None);
        }
    }

    #[test]
    fn columns_are_read_or_refused() {
        let padded = format!("{:128}", "wide ");
        let row = Row::new([Some(" 42 "), None, Some("t"), Some("off"), Some("x"), Some("carl "), Some(&padded)]);
        assert_eq!(row.name(5), Ok("carl "), "a blank at the end is part of a name");
        assert_eq!(row.name(6), Ok("wide"), "but not what fills a column up");
        assert_eq!(row.parse::<i64>(0), Ok(42));
        assert_eq!(row.flag(2), Ok(true));
        assert_eq!(row.flag(3), Ok(false));
        assert!(row.text(1).is_err_and(|error| error.to_string().contains("Column 2")));
        assert!(row.parse::<i64>(4).is_err() && row.flag(4).is_err());
    }
}
