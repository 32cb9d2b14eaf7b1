//! What answers mean.

use super::{Answer, Names, Verdict};
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::error::Error;
use crate::engine::session::Row;
use crate::engine::user::options::ValidUntil;

/// The warehouse's words for a refusal.
fn refusal(error: &Error) -> String {
    match error {
        Error::Server(error) => format!("{}: {}", error.sqlstate, error.message),
        other => other.to_string(),
    }
}

fn cell(answer: &Answer) -> &str {
    answer.rows.first().and_then(|row| row.get(0)).unwrap_or("NULL")
}

fn is_refused_with(answer: &Result<Answer, Error>, sqlstates: &[&str]) -> bool {
    answer.as_ref().is_err_and(|error| error.sqlstate().is_some_and(|sqlstate| sqlstates.contains(&sqlstate)))
}

/// It has to work.
pub(super) fn works(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(answer) if answer.read.is_empty() => Verdict::Holds(format!("{} rows", answer.rows.len())),
        Ok(answer) => Verdict::Holds(answer.read.clone()),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

/// It may be refused to this login, or not be there: that is lived with.
pub(super) fn may_be_refused(names: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Err(error) if is_refused_with(answer, &["42501", "42P01", "42703", "42883", "0A000"]) => {
            Verdict::Otherwise(refusal(error))
        }
        _ => works(names, answer),
    }
}

/// Both are lived with: it works, or it is refused in any words.
pub(super) fn either(names: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Err(error @ Error::Server(_)) => Verdict::Otherwise(refusal(error)),
        _ => works(names, answer),
    }
}

/// It has to be refused.
pub(super) fn is_refused(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Err(error @ Error::Server(_)) => Verdict::Holds(refusal(error)),
        Err(error) => Verdict::Broken(refusal(error)),
        Ok(_) => Verdict::Otherwise("it was accepted".into()),
    }
}

/// The first value has to be one of these.
fn is_one_of(answer: &Result<Answer, Error>, wanted: &[&str]) -> Verdict {
    match answer {
        Ok(answer) if wanted.contains(&cell(answer)) => Verdict::Holds(cell(answer).to_owned()),
        Ok(answer) => Verdict::Broken(cell(answer).to_owned()),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

pub(super) fn is_true(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    is_one_of(answer, &["t", "true", "1"])
}

/// It is true, or the provider finds out otherwise.
pub(super) fn may_be_true(names: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(_) => match is_true(names, answer) {
            Verdict::Broken(text) => Verdict::Otherwise(text),
            other => other,
        },
        Err(error) => Verdict::Otherwise(refusal(error)),
    }
}

pub(super) fn is_on_or_off(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    is_one_of(answer, &["on", "off"])
}

pub(super) fn is_iso(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(answer) if cell(answer).starts_with("ISO") => Verdict::Holds(cell(answer).to_owned()),
        Ok(answer) => Verdict::Broken(cell(answer).to_owned()),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

/// The backslash was doubled for a literal, and is one again.
pub(super) fn is_one_backslash(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    is_one_of(answer, &["3"])
}

/// One row was touched, or a copy of it on each node.
pub(super) fn touched(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(Answer { touched: 1, .. }) => Verdict::Holds("1 row".into()),
        Ok(Answer { touched: 0, .. }) => Verdict::Broken("no row".into()),
        Ok(answer) => Verdict::Otherwise(format!("{} rows", answer.touched)),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

/// Every cell of the first column has to be read by this.
fn each(answer: &Result<Answer, Error>, is_read: impl Fn(&str) -> bool) -> Verdict {
    let rows = match answer {
        Ok(answer) => &answer.rows,
        Err(error) => return Verdict::Broken(refusal(error)),
    };
    let texts = rows.iter().filter_map(|row: &Row| row.get(0));
    match texts.clone().find(|text| !is_read(text)) {
        Some(text) => Verdict::Broken(format!("not understood: {text}")),
        None => Verdict::Holds(format!("{} understood", texts.count())),
    }
}

pub(super) fn are_acls(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    each(answer, |text| Acl::parse(text).is_ok())
}

pub(super) fn are_times(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    each(answer, |text| text.trim().is_empty() || ValidUntil::from_server(text).is_some())
}

/// The time that was set is the one that is read.
pub(super) fn is_that_time(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    let wanted = ValidUntil::parse("2037-01-31T12:00:00Z").ok();
    match answer {
        Ok(answer) if ValidUntil::from_server(cell(answer)) == wanted => Verdict::Holds(cell(answer).to_owned()),
        Ok(answer) => Verdict::Broken(cell(answer).to_owned()),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

/// What is beyond 32 bits was lost.
pub(super) fn is_lost(_: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(answer) if cell(answer) == "invalid" => Verdict::Holds("invalid".into()),
        Ok(answer) => Verdict::Otherwise(cell(answer).to_owned()),
        Err(error) => Verdict::Otherwise(refusal(error)),
    }
}

/// The list holds a right of the group that was made.
pub(super) fn lists_the_group(names: &Names, answer: &Result<Answer, Error>) -> Verdict {
    let group = Grantee::Group(names.called("group"));
    match answer {
        Ok(answer) => match Acl::parse(cell(answer)) {
            Ok(acl) if !acl.of(&group).is_empty() => Verdict::Holds(cell(answer).replace('\t', " ")),
            _ => Verdict::Broken(cell(answer).replace('\t', " ")),
        },
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

/// The view shows the row of whom the login acts for, and no other.
pub(super) fn shows_the_other(names: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(answer) if answer.rows.len() == 1 && cell(answer) == names.called("other") => {
            Verdict::Holds("the row of the other user".into())
        }
        Ok(answer) => Verdict::Broken(format!("{} rows, the first of {}", answer.rows.len(), cell(answer))),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}

/// The user who was made is the session's now.
pub(super) fn is_the_user(names: &Names, answer: &Result<Answer, Error>) -> Verdict {
    match answer {
        Ok(answer) if cell(answer) == names.called("user") => Verdict::Holds(cell(answer).to_owned()),
        Ok(answer) => Verdict::Broken(cell(answer).to_owned()),
        // Who may not act as others leaves all that he makes with himself.
        Err(error) if error.sqlstate() == Some("42501") => Verdict::Otherwise(refusal(error)),
        Err(error) => Verdict::Broken(refusal(error)),
    }
}
