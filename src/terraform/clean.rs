//! The last look at a text before people see it in a terminal: nothing in it may move the cursor, turn text around, or
//! hide. Whoever puts a text of others into a diagnostic does better by escaping its line breaks too ([`on_one_line`]).

/// Whether a character does something else in a terminal or an editor than to show.
fn deceives(c: char) -> bool {
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

/// The text with such characters escaped, as in `\u{1b}`; breaks between its lines and tabs stay.
pub fn clean(text: String) -> String {
    escaped(text, |c| deceives(c) && !matches!(c, '\n' | '\t'))
}

/// The same on one line: line breaks and tabs are escaped too.
pub fn on_one_line(text: String) -> String {
    escaped(text, deceives)
}

fn escaped(text: String, is_bad: impl Fn(char) -> bool + Copy) -> String {
    if !text.contains(is_bad) {
        return text;
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        let text = "a\u{1b}[2J\u{7}\r\u{9b}\u{202e}\u{2028}\u{200b}\n\tä";
        let (clean, line) = (clean(text.to_owned()), on_one_line(text.to_owned()));
        assert_eq!(clean, "a\\u{1b}[2J\\u{7}\\r\\u{9b}\\u{202e}\\u{2028}\\u{200b}\n\tä");
        assert_eq!(line, "a\\u{1b}[2J\\u{7}\\r\\u{9b}\\u{202e}\\u{2028}\\u{200b}\\n\\tä");
    }
}
