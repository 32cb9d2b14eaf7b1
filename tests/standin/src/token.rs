//! The lexer: Redshift's, not PostgreSQL's. A backslash always escapes inside a string literal (there is no
//! `standard_conforming_strings` on Redshift; AWS says so in its JDBC driver, `RedshiftDatabaseMetaData.java`),
//! unquoted names fold ASCII letters only, and there are no `E''`, `U&''` or `$1` forms.

use crate::refusal::Refusal;

/// One token of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An unquoted word, ASCII letters in lower case.
    Word(String),
    /// A quoted identifier, its doubled quotes undone, its case as written.
    Quoted(String),
    /// A string literal's value.
    Text(String),
    /// A dollar-quoted body.
    Body(String),
    /// An argument by its place, in the body of a SQL function: `$1`.
    Argument(String),
    /// A number as written.
    Number(String),
    /// An operator, or one of `( ) , . [ ]`.
    Op(String),
}

impl Token {
    /// Whether this is the unquoted word `word` (lower case).
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(w) if w == word)
    }

    /// Whether this is the operator or mark `op`.
    pub fn is_op(&self, op: &str) -> bool {
        matches!(self, Token::Op(o) if o == op)
    }
}

const OPERATOR: &str = "+-*/<>=~!@#%^&|`?";

/// Splits a query string into statements (at `;`), each a list of tokens. Empty statements are left out.
pub fn statements(sql: &str) -> Result<Vec<Vec<Token>>, Refusal> {
    split(Lexer { rest: sql, arguments: false })
}

/// The same for the body of a SQL function, where arguments have no names (AWS, Scalar SQL UDFs: "$1, $2, and so on").
pub fn body_statements(sql: &str) -> Result<Vec<Vec<Token>>, Refusal> {
    split(Lexer { rest: sql, arguments: true })
}

/// The same statements as they were written, without what stands before, between and behind them.
pub fn texts(sql: &str) -> Result<Vec<&str>, Refusal> {
    let mut lexer = Lexer { rest: sql, arguments: false };
    let mut all = Vec::new();
    let mut one: Option<(usize, usize)> = None;
    loop {
        lexer.skip_blank()?;
        let start = sql.len() - lexer.rest.len();
        let token = lexer.next()?;
        match &token {
            Some(token) if !token.is_op(";") => {
                one = Some((one.map_or(start, |(first, _)| first), sql.len() - lexer.rest.len()));
            }
            _ => all.extend(one.take().map(|(first, end)| &sql[first..end])),
        }
        if token.is_none() {
            return Ok(all);
        }
    }
}

fn split(mut lexer: Lexer<'_>) -> Result<Vec<Vec<Token>>, Refusal> {
    let mut all = Vec::new();
    let mut one = Vec::new();
    while let Some(token) = lexer.next()? {
        if token.is_op(";") {
            if !one.is_empty() {
                all.push(std::mem::take(&mut one));
            }
        } else {
            one.push(token);
        }
    }
    if !one.is_empty() {
        all.push(one);
    }
    Ok(all)
}

struct Lexer<'a> {
    rest: &'a str,
    /// Whether `$1` is an argument.
    arguments: bool,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Token>, Refusal> {
        self.skip_blank()?;
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let token = match first {
            '\'' => Token::Text(self.text()?),
            '"' => Token::Quoted(self.quoted()?),
            '$' if self.arguments && self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.argument(),
            '$' => self.body()?,
            '0'..='9' => self.number(),
            '.' if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            '(' | ')' | ',' | '.' | '[' | ']' | ';' => self.op(1),
            ':' if self.rest.starts_with("::") || self.rest.starts_with(":=") => self.op(2),
            c if is_word_start(c) => self.word()?,
            c if OPERATOR.contains(c) => self.operator(),
            c => return Err(Refusal::syntax(format!("syntax error at or near \"{c}\""))),
        };
        Ok(Some(token))
    }

    fn take(&mut self, bytes: usize) -> &str {
        let (head, tail) = self.rest.split_at(bytes);
        self.rest = tail;
        head
    }

    fn op(&mut self, bytes: usize) -> Token {
        Token::Op(self.take(bytes).to_owned())
    }

    fn skip_blank(&mut self) -> Result<(), Refusal> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            if self.rest.starts_with("--") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(end);
            } else if self.rest.starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), Refusal> {
        let bytes = self.rest.as_bytes();
        let (mut depth, mut at) = (0usize, 0usize);
        while at + 1 < bytes.len() {
            match &bytes[at..at + 2] {
                b"/*" => {
                    depth += 1;
                    at += 2;
                }
                b"*/" => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        self.take(at);
                        return Ok(());
                    }
                }
                _ => at += 1,
            }
        }
        Err(Refusal::syntax("unterminated /* comment"))
    }

    fn text(&mut self) -> Result<String, Refusal> {
        let mut value: Vec<u8> = Vec::new();
        let mut chars = self.rest[1..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' if matches!(chars.peek(), Some((_, '\''))) => {
                    chars.next();
                    value.push(b'\'');
                }
                '\'' => {
                    self.take(at + 2);
                    return String::from_utf8(value)
                        .ok()
                        .filter(|v| !v.contains('\0'))
                        .ok_or_else(|| Refusal::syntax("invalid byte sequence in a string literal"));
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => value.push(b'\n'),
                    Some('t') => value.push(b'\t'),
                    Some('r') => value.push(b'\r'),
                    Some('b') => value.push(8),
                    Some('f') => value.push(12),
                    Some(digit @ '0'..='7') => {
                        let mut code = digit as u32 - 48;
                        for _ in 0..2 {
                            let Some((_, next @ '0'..='7')) = chars.peek().copied() else { break };
                            code = code * 8 + (next as u32 - 48);
                            chars.next();
                        }
                        value.push((code & 0xff) as u8);
                    }
                    Some(other) => push(&mut value, other),
                    None => break,
                },
                other => push(&mut value, other),
            }
        }
        Err(Refusal::syntax("unterminated quoted string"))
    }

    fn quoted(&mut self) -> Result<String, Refusal> {
        let mut value = String::new();
        let mut chars = self.rest[1..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != '"' {
                value.push(c);
            } else if matches!(chars.peek(), Some((_, '"'))) {
                chars.next();
                value.push('"');
            } else {
                self.take(at + 2);
                return match value.is_empty() {
                    true => Err(Refusal::syntax("zero-length delimited identifier")),
                    false => Ok(value),
                };
            }
        }
        Err(Refusal::syntax("unterminated quoted identifier"))
    }

    fn body(&mut self) -> Result<Token, Refusal> {
        let unterminated = || Refusal::syntax("unterminated dollar-quoted string");
        let close = self.rest[1..].find('$').ok_or_else(unterminated)? + 2;
        let tag = self.rest[..close].to_owned();
        if !tag[1..close - 1].chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            || tag[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(Refusal::syntax("syntax error at or near \"$\""));
        }
        let length = self.rest[close..].find(&tag).ok_or_else(unterminated)?;
        let value = self.rest[close..close + length].to_owned();
        self.take(close + length + close);
        Ok(Token::Body(value))
    }

    fn argument(&mut self) -> Token {
        let digits = self.rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len() - 1);
        Token::Argument(self.take(1 + digits).to_owned())
    }

    fn number(&mut self) -> Token {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while end < bytes.len() {
            let exponent_sign = matches!(bytes[end], b'+' | b'-') && end > 0 && matches!(bytes[end - 1], b'e' | b'E');
            let exponent = matches!(bytes[end], b'e' | b'E')
                && bytes.get(end + 1).is_some_and(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-'));
            if bytes[end].is_ascii_digit() || bytes[end] == b'.' || exponent || exponent_sign {
                end += 1;
            } else {
                break;
            }
        }
        Token::Number(self.take(end).to_owned())
    }

    fn word(&mut self) -> Result<Token, Refusal> {
        let end = self.rest.find(|c| !is_word_part(c)).unwrap_or(self.rest.len());
        let word = self.take(end).to_ascii_lowercase();
        if self.rest.starts_with('\'') || self.rest.starts_with("&'") {
            return Err(Refusal::syntax(format!("syntax error at or near \"{word}'\"")));
        }
        Ok(Token::Word(word))
    }

    fn operator(&mut self) -> Token {
        let mut end = 0;
        for (at, c) in self.rest.char_indices() {
            let comment = self.rest[at..].starts_with("--") || self.rest[at..].starts_with("/*");
            if !OPERATOR.contains(c) || (comment && at > 0) {
                break;
            }
            end = at + c.len_utf8();
        }
        // `= -1` and `=-1` alike: a trailing sign belongs to what follows.
        while end > 1 && matches!(self.rest.as_bytes()[end - 1], b'-' | b'+') {
            end -= 1;
        }
        self.op(end)
    }
}

fn push(value: &mut Vec<u8>, c: char) {
    value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_word_part(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit() || c == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sql: &str) -> Vec<Token> {
        statements(sql).expect("lexes").into_iter().next().expect("a statement")
    }

    fn text(value: &str) -> Token {
        Token::Text(value.to_owned())
    }

    #[test]
    fn a_backslash_escapes_always() {
        assert_eq!(one(r"'a\'b'"), [text("a'b")]);
        assert_eq!(one(r"'a''b\\c\n\101'"), [text("a'b\\c\nA")]);
        assert_eq!(one(r"'pg\\_%'"), [text(r"pg\_%")]);
        assert!(statements(r"'a\").is_err());
        assert!(statements(r"'a\'").is_err(), "the quote was escaped, so the literal is open");
    }

    #[test]
    fn names_fold_ascii_only_and_quotes_keep() {
        assert_eq!(one("ÄBC"), [Token::Word("Äbc".into())]);
        assert_eq!(one(r#""Ä""B""#), [Token::Quoted("Ä\"B".into())]);
        assert_eq!(one(r#""a\b""#), [Token::Quoted("a\\b".into())], "a backslash is ordinary inside an identifier");
    }

    #[test]
    fn comments_bodies_and_semicolons() {
        let all = statements("/* a /* ; */ */ begin; -- x ;\n select 1;;").expect("lexes");
        assert_eq!(all.len(), 2);
        assert_eq!(one("$$a;'b$$"), [Token::Body("a;'b".into())]);
        assert_eq!(one("$x$a$$b$x$"), [Token::Body("a$$b".into())]);
        assert!(statements("$$a").is_err());
        assert!(statements("select $1").is_err());
    }

    #[test]
    fn texts_are_as_they_were_written() {
        let sql = "/* a; */ Select  'x;' -- y;\n , 1 ; ; COMMIT -- end";
        assert_eq!(texts(sql).expect("lexes"), ["Select  'x;' -- y;\n , 1", "COMMIT"]);
    }

    #[test]
    fn arguments_stand_in_bodies_only() {
        assert_eq!(one("$b$ SELECT $1 $b$"), [Token::Body(" SELECT $1 ".into())]);
        let body = body_statements("select $1+$12").expect("lexes").remove(0);
        assert_eq!(body[1..], [Token::Argument("$1".into()), Token::Op("+".into()), Token::Argument("$12".into())]);
        assert!(statements("select $1").is_err());
    }

    #[test]
    fn foreign_literals_are_refused() {
        for sql in ["select e'a'", "select x'00'", "select U&'a'"] {
            assert!(statements(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn operators_and_numbers() {
        let ops: Vec<_> = one("a=-1 ->> 2.5e-3::int").into_iter().collect();
        assert_eq!(ops[1], Token::Op("=".into()));
        assert_eq!(ops[2], Token::Op("-".into()));
        assert_eq!(ops[4], Token::Op("->>".into()));
        assert_eq!(ops[5], Token::Number("2.5e-3".into()));
        assert_eq!(ops[6], Token::Op("::".into()));
    }
}
