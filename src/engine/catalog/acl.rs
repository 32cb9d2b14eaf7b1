//! The text form of an access control list, as `array_to_string(relacl, chr(9))` gives it.
//!
//! One entry reads `name=rwd/grantor`; a group is `group name=r/grantor`, PUBLIC an empty name. A name with other
//! characters than letters, digits and `_` stands in double quotes, with `"` doubled. A `*` after a letter is the
//! grant option. Roles are not in these lists: Redshift keeps their rights elsewhere (`svv_*_privileges`).
//! AWS's example (PG_DEFAULT_ACL) has a group's entry in double quotes as a whole, as an array prints it: both are read.

use crate::engine::rights::{Privilege, Rights};

/// Whom an entry is about. Names are as the warehouse holds them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grantee {
    Public,
    User(String),
    Group(String),
}

/// What one grantor gave to one grantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub grantee: Grantee,
    /// What the grantee may do.
    pub rights: Rights,
    /// Which of them he may pass on.
    pub grant_options: Rights,
    /// Who gave them; `None` where the text does not say.
    pub grantor: Option<String>,
}

/// An access control list. An absent one (SQL null) is the default of its kind: for tables and schemas, nobody but
/// the owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl(pub Vec<Entry>);

/// A text that is no access control list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the access control list {text:?}: {reason}")]
pub struct AclError {
    pub text: String,
    pub reason: &'static str,
}

impl Acl {
    /// Reads entries separated by tabs. Letters that are not known here are passed over: `R` and `t`, for which there are
    /// no words, and more of them that a newer warehouse may have.
    pub fn parse(text: &str) -> Result<Acl, AclError> {
        let fail = |reason| AclError { text: text.to_owned(), reason };
        let mut entries = Vec::new();
        let mut rest = Reader { rest: text };
        while !rest.is_done() {
            entries.push(rest.entry().map_err(fail)?);
            if !rest.is_done() && !rest.take('\t') {
                return Err(fail("an entry does not end where it should"));
            }
        }
        Ok(Acl(entries))
    }

    /// All that the grantee itself holds, from whomever.
    pub fn of(&self, grantee: &Grantee) -> Rights {
        self.entries_of(grantee).fold(Rights::NONE, |rights, entry| rights.and(entry.rights))
    }

    /// What the grantee itself may pass on.
    pub fn grantable_by(&self, grantee: &Grantee) -> Rights {
        self.entries_of(grantee).fold(Rights::NONE, |rights, entry| rights.and(entry.grant_options))
    }

    /// The entries about the grantee.
    pub fn entries_of<'a>(&'a self, grantee: &'a Grantee) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.grantee == *grantee)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn entry(&mut self) -> Result<Entry, &'static str> {
        let before = self.rest;
        let grantee = self.grantee()?;
        if !self.take('=') {
            return self.entry_in_quotes(before);
        }
        let (rights, grant_options) = self.rights()?;
        let grantor = if self.take('/') { Some(self.name()?) } else { None };
        Ok(Entry { grantee, rights, grant_options, grantor })
    }

    /// `"group readers=r/owner"`: an entry as a whole in quotes, in which a backslash stands before `"` and a backslash.
    fn entry_in_quotes(&mut self, text: &'a str) -> Result<Entry, &'static str> {
        const NO_NAME: &str = "a name is not followed by =";
        let quoted = text.strip_prefix('"').ok_or(NO_NAME)?;
        let mut letters = quoted.char_indices();
        let mut inside = String::new();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => inside.extend(letters.next().map(|(_, letter)| letter)),
                '"' => {
                    self.rest = &quoted[at + 1..];
                    let mut reader = Reader { rest: &inside };
                    // Quotes in quotes are of a group's name, never of another entry.
                    let entry = if inside.starts_with("group ") { reader.entry()? } else { return Err(NO_NAME) };
                    return if reader.is_done() { Ok(entry) } else { Err(NO_NAME) };
                }
                letter => inside.push(letter),
            }
        }
        Err(NO_NAME)
    }

    fn grantee(&mut self) -> Result<Grantee, &'static str> {
        // A user's name never holds an unquoted space, so this prefix is the keyword.
        if let Some(rest) = self.rest.strip_prefix("group ") {
            self.rest = rest;
            return Ok(Grantee::Group(self.name()?));
        }
        if self.rest.starts_with('=') {
            return Ok(Grantee::Public);
        }
        Ok(Grantee::User(self.name()?))
    }

    fn name(&mut self) -> Result<String, &'static str> {
        if self.take('"') {
            let mut name = String::new();
            let mut letters = self.rest.char_indices().peekable();
            while let Some((at, letter)) = letters.next() {
                if letter != '"' {
                    name.push(letter);
                } else if letters.next_if(|(_, next)| *next == '"').is_some() {
                    name.push('"');
                } else {
                    self.rest = &self.rest[at + 1..];
                    return Ok(name);
                }
            }
            return Err("a quoted name does not end");
        }
        // Some releases leave letters beyond ASCII, and punctuation, without quotes.
        let end = self.rest.find(['=', '/', '\t']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err("a name is empty");
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn rights(&mut self) -> Result<(Rights, Rights), &'static str> {
        let (mut rights, mut grant_options) = (Rights::NONE, Rights::NONE);
        while let Some(letter) = self.rest.chars().next().filter(|letter| !matches!(letter, '/' | '\t')) {
            if !letter.is_ascii_alphabetic() {
                return Err("a right is no letter");
            }
            self.rest = &self.rest[1..];
            let with_option = self.take('*');
            if let Some(privilege) = Privilege::from_letter(letter) {
                rights.insert(privilege);
                if with_option {
                    grant_options.insert(privilege);
                }
            }
        }
        Ok((rights, grant_options))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(name: &str) -> Grantee {
        Grantee::User(name.into())
    }

    #[test]
    fn entries_are_read_as_redshift_writes_them() {
        let cases: [(&str, Grantee, &str, &str, Option<&str>); 12] = [
            ("svc=r/owner", user("svc"), "SELECT", "", Some("owner")),
            (
                "svc=arwdRxtDAP/owner",
                user("svc"),
                "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, ALTER, DROP",
                "",
                Some("owner"),
            ),
            ("=UC/rdsdb", Grantee::Public, "USAGE, CREATE", "", Some("rdsdb")),
            ("=T/rdsdb", Grantee::Public, "TEMP", "", Some("rdsdb")),
            ("group readers=r/owner", Grantee::Group("readers".into()), "SELECT", "", Some("owner")),
            ("group \"odd group\"=r/owner", Grantee::Group("odd group".into()), "SELECT", "", Some("owner")),
            (
                "\"IAM:alice@example.com\"=r/\"IAMR:admin\"",
                user("IAM:alice@example.com"),
                "SELECT",
                "",
                Some("IAMR:admin"),
            ),
            ("\"say \"\"hi\"\"\"=U/o", user("say \"hi\""), "USAGE", "", Some("o")),
            ("\"a=b/c\td\"=U/o", user("a=b/c\td"), "USAGE", "", Some("o")),
            ("svc=r*w/owner", user("svc"), "SELECT, UPDATE", "SELECT", Some("owner")),
            ("svc=/owner", user("svc"), "", "", Some("owner")),
            ("größe=X", user("größe"), "EXECUTE", "", None),
        ];
        for (text, grantee, rights, options, grantor) in cases {
            let entry = Entry {
                grantee,
                rights: rights.parse().expect("rights"),
                grant_options: options.parse().expect("options"),
                grantor: grantor.map(str::to_owned),
            };
            assert_eq!(Acl::parse(text), Ok(Acl(vec![entry])), "{text}");
        }
    }

    #[test]
    fn lists_are_split_at_tabs_and_asked_by_grantee() {
        let acl = Acl::parse("o=arwd/o\tsvc=r/o\tgroup svc=a/o\tsvc=w*/other\t=d/o").expect("parses");
        assert_eq!(acl.0.len(), 5);
        assert_eq!(acl.of(&user("svc")).to_string(), "SELECT, UPDATE");
        assert_eq!(acl.grantable_by(&user("svc")).to_string(), "UPDATE");
        assert_eq!(acl.of(&Grantee::Group("svc".into())).to_string(), "INSERT");
        assert_eq!(acl.of(&Grantee::Public).to_string(), "DELETE");
        assert_eq!(acl.of(&user("SVC")), Rights::NONE);
        assert_eq!(Acl::parse(""), Ok(Acl::default()));
    }

    #[test]
    fn an_entry_of_a_group_may_stand_in_quotes_as_a_whole() {
        // AWS, PG_DEFAULT_ACL; the second group as PostgreSQL 8.0 prints it in the text of an array.
        let quoted = "user1=r/admin\t\"group group1=a/admin\"\t\"group \\\"group 2\\\"=d/admin\"\tuser2=w/admin";
        let bare = "user1=r/admin\tgroup group1=a/admin\tgroup \"group 2\"=d/admin\tuser2=w/admin";
        assert_eq!(Acl::parse(quoted), Acl::parse(bare));
        assert_eq!(Acl::parse(bare).expect("parses").of(&Grantee::Group("group 2".into())).to_string(), "DELETE");
        for text in ["\"group g\"", "\"group g=a/o\"x", "\"group g=a/o\tgroup h=r/o\"", "\"svc=r/o\""] {
            assert!(Acl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn letters_of_a_newer_release_are_passed_over() {
        let acl = Acl::parse("svc=rzm*a/o").expect("parses");
        assert_eq!(acl.of(&user("svc")).to_string(), "SELECT, INSERT");
        assert_eq!(acl.grantable_by(&user("svc")), Rights::NONE);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in
            ["svc", "svc=r/", "\"svc=r/o", "svc=r o", "group =r/o", "svc=r/o\tbad", "svc=7/o", "/o", "\"a\"b=r/o"]
        {
            assert!(Acl::parse(text).is_err(), "{text}");
        }
    }

    /// The list as Redshift writes it.
    fn written(acl: &Acl) -> String {
        let entry = |entry: &Entry| {
            let grantee = match &entry.grantee {
                Grantee::Public => String::new(),
                Grantee::User(name) => quoted(name),
                Grantee::Group(name) => format!("group {}", quoted(name)),
            };
            let star = |privilege| if entry.grant_options.has(privilege) { "*" } else { "" };
            let letters = entry.rights.iter().map(|right| format!("{}{}", right.letter(), star(right)));
            let grantor = entry.grantor.iter().map(|name| format!("/{}", quoted(name)));
            format!("{grantee}={}{}", letters.collect::<String>(), grantor.collect::<String>())
        };
        acl.0.iter().map(entry).collect::<Vec<_>>().join("\t")
    }

    fn quoted(name: &str) -> String {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if !name.is_empty() && name.chars().all(is_plain) {
            name.to_owned()
        } else {
            format!("\"{}\"", name.replace('"', "\"\""))
        }
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z_][a-z0-9_]{0,12}", "[ -~]{1,12}", "\\PC{1,8}", Just("group".to_owned())]
    }

    fn rights() -> impl Strategy<Value = Rights> {
        proptest::collection::vec(0..Privilege::ALL.len(), 0..6)
            .prop_map(|indexes| indexes.into_iter().map(|index| Privilege::ALL[index]).collect())
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let grantee =
            prop_oneof![Just(Grantee::Public), name().prop_map(Grantee::User), name().prop_map(Grantee::Group)];
        (grantee, rights(), rights(), proptest::option::of(name())).prop_map(|(grantee, rights, options, grantor)| {
            Entry { grantee, rights, grant_options: options.common(rights), grantor }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(entries in proptest::collection::vec(entry(), 0..6)) {
            let acl = Acl(entries);
            prop_assert_eq!(Acl::parse(&written(&acl)), Ok(acl));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = Acl::parse(&text);
        }
    }
}
