//! Which modules a Rust file names: every path that begins with `crate::`, `super::`, `self::` or the crate's own name.

/// A word or a sign of the source, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// A path into the crate, from its root: `["engine", "Session"]`. A glob is `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
}

/// The paths that a file of module `module` (`["engine", "acl"]`) names outside of its tests.
pub fn names(source: &str, module: &[&str], own_name: &str) -> Vec<Named> {
    let tokens = without_tests(&tokens(source));
    let mut found = Vec::new();
    // The inline modules around a token: their names, and the depth of braces at which each ends.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    for at in 0..tokens.len() {
        match text(at) {
            "{" => {
                depth += 1;
                if at >= 2 && text(at - 2) == "mod" {
                    inside.push((text(at - 1).to_owned(), depth));
                }
            }
            "}" => {
                if inside.last().is_some_and(|(_, start)| *start == depth) {
                    inside.pop();
                }
                depth -= 1;
            }
            start @ ("crate" | "super" | "self") if at == 0 || text(at - 1) != "::" => {
                // `pub(crate)`, `pub(super)`, and `self` as a receiver name no module.
                let visibility = at > 0 && text(at - 1) == "(" && text(at + 1) == ")";
                if visibility || (start == "self" && text(at + 1) != "::") {
                    continue;
                }
                let mut base: Vec<String> = match start {
                    "crate" => Vec::new(),
                    _ => module
                        .iter()
                        .map(ToString::to_string)
                        .chain(inside.iter().map(|(name, _)| name.clone()))
                        .collect(),
                };
                let mut next = at + 1;
                if start == "super" {
                    base.pop();
                    while text(next) == "::" && text(next + 1) == "super" {
                        base.pop();
                        next += 2;
                    }
                }
                tree(&tokens, next, base, tokens[at].line, &mut found);
            }
            name if name == own_name && text(at + 1) == "::" => {
                tree(&tokens, at + 1, Vec::new(), tokens[at].line, &mut found);
            }
            _ => {}
        }
    }
    found
}

/// Follows a path, and each branch of a `{…}` in it, from the token after its first word. Returns the token after it.
fn tree(tokens: &[Token], mut at: usize, mut path: Vec<String>, line: usize, found: &mut Vec<Named>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    while text(at) == "::" {
        match text(at + 1) {
            "{" => {
                at += 2;
                while !matches!(text(at), "}" | "") {
                    let line = tokens[at].line;
                    let mut branch = path.clone();
                    if text(at) != "self" {
                        branch.push(text(at).to_owned());
                    }
                    at = tree(tokens, at + 1, branch, line, found);
                    // `as name`, and the comma.
                    while !matches!(text(at), "," | "}" | "") {
                        at += 1;
                    }
                    if text(at) == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "" | "<" => break,
            name => {
                path.push(name.to_owned());
                at += 2;
            }
        }
    }
    found.push(Named { path, line });
    at
}

/// The tokens, less every item under `#[cfg(test)]` or `#[test]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = text(at) == "#" && text(at + 1) == "[" && {
            let end = close(tokens, at + 1);
            let inner: Vec<&str> = (at + 2..end).map(text).collect();
            inner == ["cfg", "(", "test", ")"] || inner == ["test"]
        };
        if marked {
            at = item_end(tokens, close(tokens, at + 1) + 1);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The token after an item: after its `;`, or after its braces.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return close(tokens, at) + 1,
            "(" | "[" => at = close(tokens, at),
            _ => {}
        }
        at += 1;
    }
    at
}

/// The bracket that closes the one at `at`.
fn close(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        at += 1;
    }
    at
}

/// Words, `::` and single signs; no comments, no strings, no characters, no lifetimes.
fn tokens(source: &str) -> Vec<Token> {
    let letters: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while at < letters.len() {
        let rest = &letters[at..];
        let begins = |text: &str| text.chars().enumerate().all(|(n, c)| rest.get(n) == Some(&c));
        let end = if begins("//") {
            at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
        } else if begins("/*") {
            at + block_comment(rest)
        } else if let Some(length) = raw_string(rest) {
            at + length
        } else if begins("\"") || begins("b\"") || begins("c\"") {
            at + string(rest)
        } else if begins("'") {
            at + quote(rest)
        } else if is_word(letters[at]) {
            let end = at + rest.iter().position(|c| !is_word(*c)).unwrap_or(rest.len());
            tokens.push(Token { text: letters[at..end].iter().collect(), line });
            end
        } else if begins("::") {
            tokens.push(Token { text: "::".to_owned(), line });
            at + 2
        } else {
            if !letters[at].is_whitespace() {
                tokens.push(Token { text: letters[at].to_string(), line });
            }
            at + 1
        };
        line += letters[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

/// The length of a block comment, which may hold others.
fn block_comment(letters: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < letters.len() {
        match (letters[at], letters.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of `r#"…"#`, with any number of `#` and a `b` or `c` before it.
fn raw_string(letters: &[char]) -> Option<usize> {
    let start = usize::from(matches!(letters.first(), Some('b' | 'c')));
    if letters.get(start) != Some(&'r') {
        return None;
    }
    let hashes = letters[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if letters.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |at: usize| letters[at] == '"' && letters[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    let end = (open + 1..letters.len()).find(|at| closes(*at)).map_or(letters.len(), |at| at + 1 + hashes);
    Some(end)
}

/// The length of `"…"`.
fn string(letters: &[char]) -> usize {
    let mut at = letters.iter().position(|c| *c == '"').unwrap_or(0) + 1;
    while at < letters.len() && letters[at] != '"' {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(letters.len())
}

/// The length of a character, or of the quote of a lifetime.
fn quote(letters: &[char]) -> usize {
    match (letters.get(1), letters.get(2)) {
        (Some('\\'), _) => letters.iter().skip(3).position(|c| *c == '\'').map_or(letters.len(), |at| at + 4),
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
}
