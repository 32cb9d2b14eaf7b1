//! Taking a text apart. What is not a name, a number, a text or one of a few symbols is refused here.

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name without quotes.
    Name(String),
    /// A name in double quotes.
    Quoted(String),
    /// `@name`
    Macro(String),
    /// A text in single quotes.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// A number with a fraction.
    Decimal { text: String, precision: u32, scale: u32 },
    /// An operator, a bracket, a comma or a dot.
    Symbol(&'static str),
}

/// The symbols, longer ones first.
const SYMBOLS: [&str; 26] = [
    "!~*", "::", "<>", "!=", "<=", ">=", "||", "!~", "~*", "(", ")", ",", "=", "<", ">", "+", "-", "*", "/", "%", "~",
    ".", "^", "&", "|", "#",
];

/// The most digits of a number (AWS: Numeric types).
const DIGITS: usize = 38;

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' => {
                let (text, after) = quoted(&rest[1..], '\'').ok_or("A text in single quotes is not closed.")?;
                if text.contains('\0') {
                    return Err("A text holds the character U+0000.".to_owned());
                }
                (Token::Text(text), after)
            }
            '"' => {
                let (name, after) = quoted(&rest[1..], '"').ok_or("A name in double quotes is not closed.")?;
                crate::engine::names::check_name(&name)
                    .map_err(|error| format!("A name in double quotes: {error}."))?;
                (Token::Quoted(name), after)
            }
            '@' => {
                let (name, after) = name(&rest[1..]).ok_or("A name has to follow `@`.")?;
                (Token::Macro(name), after)
            }
            '0'..='9' => number(rest)?,
            ';' => return Err("A `;` ends a statement: an expression holds none.".to_owned()),
            _ if rest.starts_with("--") || rest.starts_with("/*") => {
                return Err("An expression holds no comments: leave out `--` and `/*`.".to_owned());
            }
            _ => match (name(rest), SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol))) {
                (Some((name, after)), _) => (Token::Name(name), after),
                (None, Some(symbol)) => (Token::Symbol(symbol), &rest[symbol.len()..]),
                (None, None) => return Err(format!("{first:?} cannot stand in an expression.")),
            },
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// Up to the closing quote, of which two stand for one. A backslash stands for itself.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            found.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            found.push(quote);
        } else {
            return Some((found, &text[at + quote.len_utf8()..]));
        }
    }
    None
}

fn name(text: &str) -> Option<(String, &str)> {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(())?;
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    Some((text[..end].to_owned(), &text[end..]))
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    let (mut end, mut scale) = (whole, 0);
    if let Some(fraction) = text[whole..].strip_prefix('.') {
        scale = digits(fraction);
        end = whole + 1 + scale;
    }
    let (found, after) = text.split_at(end);
    if after.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
        return Err(format!("`{found}` is followed by what belongs to no number."));
    }
    if whole + scale > DIGITS {
        return Err(format!("A number has more than {DIGITS} digits."));
    }
    let token = match found.parse::<u64>() {
        Ok(number) if number <= i64::MAX.unsigned_abs() => Token::Integer(number),
        _ => Token::Decimal { text: found.to_owned(), precision: (whole + scale) as u32, scale: scale as u32 },
    };
    Ok((token, after))
}
