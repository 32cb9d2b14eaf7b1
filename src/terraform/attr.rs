//! A setting that may be null or not known yet.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// An attribute read with a type: left out, not known before apply, or known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attr<T> {
    /// Not written.
    #[default]
    Null,
    /// Written, but its value (or a part of it) is known only after apply.
    Unknown,
    /// Written and known.
    Known(T),
}

impl<T> Attr<T> {
    /// Whether it is left out.
    pub fn is_null(&self) -> bool {
        matches!(self, Attr::Null)
    }

    /// Whether it is known only after apply.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Attr::Unknown)
    }

    /// Whether it is written and known.
    pub fn is_known(&self) -> bool {
        matches!(self, Attr::Known(_))
    }

    /// Whether it is written, known or not.
    pub fn is_set(&self) -> bool {
        !self.is_null()
    }

    /// The value, if known.
    pub fn known(self) -> Option<T> {
        match self {
            Attr::Known(value) => Some(value),
            _ => None,
        }
    }

    /// The same by reference.
    pub fn as_ref(&self) -> Attr<&T> {
        match self {
            Attr::Null => Attr::Null,
            Attr::Unknown => Attr::Unknown,
            Attr::Known(value) => Attr::Known(value),
        }
    }

    /// Changes a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Attr<U> {
        match self {
            Attr::Null => Attr::Null,
            Attr::Unknown => Attr::Unknown,
            Attr::Known(value) => Attr::Known(f(value)),
        }
    }
}

/// What the value Deserializer knows an `Attr` by.
pub(super) const TOKEN: &str = "$terraform::Attr";

/// How the error of reading an unknown value begins.
pub(super) const NOT_KNOWN: &str = "it is known only after apply";

/// A model may have fields of type `Attr`: they take null and unknown without failing.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Attr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttrVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AttrVisitor<T> {
            type Value = Attr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Terraform value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Attr<T>, E> {
                Ok(Attr::Null)
            }

            fn visit_none<E: de::Error>(self) -> Result<Attr<T>, E> {
                Ok(Attr::Unknown)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Attr<T>, D::Error> {
                match T::deserialize(deserializer) {
                    // The error's type is not named here, so it is told by its text.
                    Err(error) if error.to_string().starts_with(NOT_KNOWN) => Ok(Attr::Unknown),
                    result => result.map(Attr::Known),
                }
            }
        }

        deserializer.deserialize_newtype_struct(TOKEN, AttrVisitor(PhantomData))
    }
}
