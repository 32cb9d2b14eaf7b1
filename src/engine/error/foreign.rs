//! What others wrote, on its way to people: a name in a warehouse, a server's or AWS's words.
//!
//! Whoever may create a table can put characters into its name that move a cursor, turn text around, or begin a line
//! that looks like another error. So such texts are shown on one line, with what could deceive a reader escaped. A text
//! of others is either a [`Foreign`], which cannot be printed otherwise, or goes through [`shown`].

use std::borrow::Cow;
use std::fmt;

/// Whether a character does something else in a terminal or an editor than to show: control characters (line breaks
/// too), separators of lines, what turns the direction of text around, and what has no width.
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` on one line, with every character that [`deceives`] as `\n`, `\t`, `\r` or `\u{202e}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, deceives)
}

/// The same for a text of several lines: breaks between them and tabs stay.
pub fn shown_in_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| deceives(c) && !matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool + Copy) -> Cow<'_, str> {
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    Cow::Owned(clean)
}

/// A text that somebody outside wrote. `Display` and `Debug` show it as [`shown`] does.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Foreign(String);

impl Foreign {
    /// As it came: to compare with, and to look for something in it; not to show.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Whether `part` is in it.
    pub fn contains(&self, part: &str) -> bool {
        self.0.contains(part)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&shown(self.0.trim()))
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl PartialEq<str> for Foreign {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Foreign {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_deceive_is_escaped_and_the_rest_stays() {
        for (text, clean) in [
            ("größe \"x\\y\" 日本 👍", "größe \"x\\y\" 日本 👍"),
            ("a\u{1b}[2J\u{7}\r\n\tb\u{7f}\u{9b}c", "a\\u{1b}[2J\\u{7}\\r\\n\\tb\\u{7f}\\u{9b}c"),
            (
                "\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\u{200b}\u{feff}",
                "\\u{202e}\\u{2066}\\u{200f}\\u{61c}\\u{2028}\\u{200b}\\u{feff}",
            ),
            ("e\u{301}", "e\u{301}"),
        ] {
            assert_eq!(shown(text), clean);
            assert_eq!(Foreign::from(text).to_string(), clean);
        }
        assert_eq!(shown_in_lines("a\n\tb\r\u{1b}"), "a\n\tb\\r\\u{1b}");
        assert_eq!(format!("{:?}", Foreign::from("a\nb")), "\"a\\nb\"");
    }

    proptest! {
        #[test]
        fn nothing_that_deceives_is_left(text in prop::collection::vec(any::<char>(), 0..60)) {
            let text: String = text.into_iter().collect();
            prop_assert!(!shown(&text).contains(deceives));
            prop_assert!(!shown_in_lines(&text).contains(|c| deceives(c) && c != '\n' && c != '\t'));
            if !text.contains(deceives) {
                prop_assert_eq!(shown(&text), text.as_str());
            }
        }
    }
}
