//! Privileges and sets of them, as Redshift names them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One privilege that a GRANT or REVOKE can name, with the letter that stands for it in an ACL text. RULE and TRIGGER are
/// none: an ACL shows their letters (`R`, `t`) after a GRANT ALL, but AWS's grammar has no word for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Alter,
    Drop,
    Execute,
    Usage,
    Create,
    Temp,
}

use Privilege::*;

impl Privilege {
    /// Every privilege, in the order in which a statement lists them.
    pub const ALL: [Privilege; 12] =
        [Select, Insert, Update, Delete, Truncate, References, Alter, Drop, Execute, Usage, Create, Temp];

    /// The letter in an ACL text (PostgreSQL's, with `D`, `A` and `P` of Redshift's own).
    pub fn letter(self) -> char {
        match self {
            Select => 'r',
            Insert => 'a',
            Update => 'w',
            Delete => 'd',
            Truncate => 'P',
            References => 'x',
            Alter => 'A',
            Drop => 'D',
            Execute => 'X',
            Usage => 'U',
            Create => 'C',
            Temp => 'T',
        }
    }

    /// The privilege of a letter; `None` for one that is not known here.
    pub fn from_letter(letter: char) -> Option<Privilege> {
        Privilege::ALL.into_iter().find(|privilege| privilege.letter() == letter)
    }

    /// The word in a GRANT.
    pub fn name(self) -> &'static str {
        match self {
            Select => "SELECT",
            Insert => "INSERT",
            Update => "UPDATE",
            Delete => "DELETE",
            Truncate => "TRUNCATE",
            References => "REFERENCES",
            Alter => "ALTER",
            Drop => "DROP",
            Execute => "EXECUTE",
            Usage => "USAGE",
            Create => "CREATE",
            Temp => "TEMP",
        }
    }

    /// The privilege that a `privilege_type` column names, whatever its case; `TEMPORARY` is `TEMP`.
    pub fn from_name(name: &str) -> Option<Privilege> {
        let name = name.trim();
        if name.eq_ignore_ascii_case("TEMPORARY") {
            return Some(Temp);
        }
        Privilege::ALL.into_iter().find(|privilege| privilege.name().eq_ignore_ascii_case(name))
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of privileges.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rights(u16);

impl Rights {
    /// No privilege.
    pub const NONE: Rights = Rights(0);

    /// What a source may do with a table.
    pub const READ: Rights = Rights::only(Select);

    /// What an enrichment store may do with a table.
    pub const READ_WRITE: Rights =
        Rights::READ.and(Rights::only(Insert)).and(Rights::only(Update)).and(Rights::only(Delete));

    /// Every privilege.
    pub fn all() -> Rights {
        Privilege::ALL.into_iter().collect()
    }

    const fn only(privilege: Privilege) -> Rights {
        Rights(privilege.bit())
    }

    /// Those of `self` and those of `other`.
    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// Those that are in both.
    pub fn common(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// Those of `self` that `other` lacks.
    pub fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Whether all of `other` is in `self`.
    pub fn covers(self, other: Rights) -> bool {
        other.without(self).is_empty()
    }

    /// Whether the privilege is in the set.
    pub fn has(self, privilege: Privilege) -> bool {
        self.0 & privilege.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The same for whoever has it by reference.
    pub fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// Adds one.
    pub fn insert(&mut self, privilege: Privilege) {
        self.0 |= privilege.bit();
    }

    /// The privileges in the order of [`Privilege::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Privilege> {
        Privilege::ALL.into_iter().filter(move |privilege| self.has(*privilege))
    }
}

impl From<Privilege> for Rights {
    fn from(privilege: Privilege) -> Rights {
        Rights::only(privilege)
    }
}

impl FromIterator<Privilege> for Rights {
    fn from_iter<I: IntoIterator<Item = Privilege>>(privileges: I) -> Rights {
        privileges.into_iter().fold(Rights::NONE, |rights, privilege| rights.and(privilege.into()))
    }
}

/// `SELECT, INSERT`: the words as a GRANT lists them.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, privilege) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(privilege.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// A word that names no privilege.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no privilege")]
pub struct UnknownPrivilege(String);

impl FromStr for Rights {
    type Err = UnknownPrivilege;

    fn from_str(text: &str) -> Result<Rights, UnknownPrivilege> {
        text.split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(|word| Privilege::from_name(word).ok_or_else(|| UnknownPrivilege(word.to_owned())))
            .collect()
    }
}

impl Serialize for Privilege {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Privilege {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Privilege, D::Error> {
        let name = String::deserialize(deserializer)?;
        Privilege::from_name(&name).ok_or_else(|| serde::de::Error::custom(UnknownPrivilege(name)))
    }
}

impl Serialize for Rights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rights, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_names_lead_back_to_their_privilege() {
        for privilege in Privilege::ALL {
            assert_eq!(Privilege::from_letter(privilege.letter()), Some(privilege));
            assert_eq!(Privilege::from_name(&privilege.name().to_lowercase()), Some(privilege));
        }
        assert_eq!(Privilege::from_letter('c'), None);
        assert_eq!(Privilege::from_name("TEMPORARY"), Some(Temp));
        assert_eq!(Privilege::from_name("CONNECT"), None);
        // AWS, REVOKE: what a list of rights on tables may hold.
        for (letter, name) in [('R', "RULE"), ('t', "TRIGGER")] {
            assert_eq!((Privilege::from_letter(letter), Privilege::from_name(name)), (None, None));
        }
    }

    #[test]
    fn sets_are_sets() {
        let read = Rights::READ;
        assert!(Rights::READ_WRITE.covers(read));
        assert!(!read.covers(Rights::READ_WRITE));
        assert!(read.covers(Rights::NONE));
        assert_eq!(Rights::READ_WRITE.without(read).to_string(), "INSERT, UPDATE, DELETE");
        assert_eq!(Rights::READ_WRITE.common(Rights::from(Select)), read);
        assert_eq!(read.and(Usage.into()).to_string(), "SELECT, USAGE");
        assert!(Rights::NONE.is_empty() && !read.is_empty());
        assert!(read.has(Select) && !read.has(Insert));
        let mut one = Rights::NONE;
        one.insert(Alter);
        assert_eq!(one.iter().collect::<Vec<_>>(), [Alter]);
        assert_eq!(format!("{one:?}"), "Rights(ALTER)");
    }

    #[test]
    fn text_is_read_back() {
        assert_eq!("select, INSERT ,update,delete".parse(), Ok(Rights::READ_WRITE));
        assert_eq!("".parse(), Ok(Rights::NONE));
        assert_eq!("SELECT, CONNECT".parse::<Rights>(), Err(UnknownPrivilege("CONNECT".into())));
        let json = serde_json::to_string(&Rights::READ_WRITE).expect("serialises");
        assert_eq!(json, r#""SELECT, INSERT, UPDATE, DELETE""#);
        assert_eq!(serde_json::from_str::<Rights>(&json).expect("is read back"), Rights::READ_WRITE);
        assert!(serde_json::from_str::<Rights>(r#""FLY""#).is_err());
    }
}
