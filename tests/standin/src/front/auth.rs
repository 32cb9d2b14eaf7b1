//! Passwords: what is asked of a client, and what it has to answer.
//!
//! Request 13 is Redshift's own (`ExtensibleDigest.java` of AWS's JDBC driver): int32 algorithm, salt and server nonce
//! each with a length; the answer holds SHA256(SHA256(password, salt), server nonce, client nonce) and the client nonce.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::Error;

/// How clear a password travels when the stored hash leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// Request 5; request 13 for users whose password is stored as SHA-256.
    #[default]
    Hashed,
    /// Request 3.
    ClearText,
}

/// One challenge, remembered until it is answered.
#[derive(Debug)]
pub enum Challenge {
    /// Request 3.
    Clear,
    /// Request 5.
    Md5([u8; 4]),
    /// Request 13.
    Sha256 { salt: Vec<u8>, nonce: [u8; 16] },
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn md5_hex(parts: &[&[u8]]) -> String {
    let mut digest = Md5::new();
    parts.iter().for_each(|p| digest.update(p));
    hex(&digest.finalize())
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Sha256::new();
    parts.iter().for_each(|p| digest.update(p));
    digest.finalize().to_vec()
}

/// `md5` and the digest that Redshift stores for a clear password.
pub fn md5_stored(user: &str, password: &str) -> String {
    format!("md5{}", md5_hex(&[password.as_bytes(), user.as_bytes()]))
}

impl Challenge {
    /// What to ask for, given what is stored; somebody unknown is asked as everybody.
    pub fn new(auth: Auth, stored: Option<&str>) -> Self {
        let sha256_salt = stored.and_then(|s| s.strip_prefix("sha256|")).and_then(|s| s.split('|').nth(1));
        match (auth, sha256_salt) {
            (Auth::ClearText, _) => Challenge::Clear,
            (Auth::Hashed, Some(salt)) => {
                Challenge::Sha256 { salt: unhex(salt).unwrap_or_default(), nonce: rand::random() }
            }
            (Auth::Hashed, None) => Challenge::Md5(rand::random()),
        }
    }

    /// The body of the authentication request.
    pub fn request(&self) -> Bytes {
        let mut body = BytesMut::new();
        match self {
            Challenge::Clear => body.put_i32(3),
            Challenge::Md5(salt) => {
                body.put_i32(5);
                body.put_slice(salt);
            }
            Challenge::Sha256 { salt, nonce } => {
                body.put_i32(13);
                body.put_i32(0);
                body.put_i32(salt.len() as i32);
                body.put_slice(salt);
                body.put_i32(nonce.len() as i32);
                body.put_slice(nonce);
            }
        }
        body.freeze()
    }

    /// Whether the answer (tag and body) fits what is stored.
    pub fn verify(&self, user: &str, stored: &str, tag: u8, body: &Bytes) -> bool {
        let text = body.strip_suffix(&[0]).unwrap_or(body);
        match self {
            Challenge::Clear => tag == b'p' && clear_fits(user, stored, text),
            Challenge::Md5(salt) => {
                let Some(digest) = stored.strip_prefix("md5") else { return false };
                tag == b'p' && text == format!("md5{}", md5_hex(&[digest.as_bytes(), salt])).as_bytes()
            }
            Challenge::Sha256 { nonce, .. } => {
                let stored = stored.strip_prefix("sha256|").and_then(|s| s.split('|').next()).and_then(unhex);
                let mut body = body.clone();
                let (Some(stored), Some(digest), Some(client)) = (stored, block(&mut body), block(&mut body)) else {
                    return false;
                };
                tag == b'd' && digest == sha256(&[&stored, nonce, &client])
            }
        }
    }
}

fn clear_fits(user: &str, stored: &str, password: &[u8]) -> bool {
    if let Some(digest) = stored.strip_prefix("md5") {
        return digest == md5_hex(&[password, user.as_bytes()]);
    }
    match stored.split('|').collect::<Vec<_>>()[..] {
        ["sha256", digest, salt] => unhex(salt).is_some_and(|salt| digest == hex(&sha256(&[password, &salt]))),
        _ => false,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn block(body: &mut Bytes) -> Option<Bytes> {
    let length = (body.len() >= 4).then(|| body.get_u32() as usize)?;
    (body.len() >= length).then(|| body.split_to(length))
}

/// The client's side: what to send for an authentication request, if anything.
pub fn answer(request: &Bytes, user: &str, password: &str) -> Result<Option<Bytes>, Error> {
    let mut body = request.clone();
    let kind = if body.len() >= 4 { body.get_i32() } else { -1 };
    let mut out = BytesMut::new();
    let mut text = |text: &str| {
        out.put_u8(b'p');
        out.put_u32(text.len() as u32 + 5);
        out.put_slice(text.as_bytes());
        out.put_u8(0);
    };
    match kind {
        0 => return Ok(None),
        3 => text(password),
        5 => {
            let stored = md5_stored(user, password);
            text(&format!("md5{}", md5_hex(&[&stored.as_bytes()[3..], &body])));
        }
        13 => {
            body.advance(4.min(body.len()));
            let (Some(salt), Some(nonce)) = (block(&mut body), block(&mut body)) else {
                return Err(Error::Protocol("request 13 is cut short".into()));
            };
            let client: [u8; 16] = rand::random();
            let digest = sha256(&[&sha256(&[password.as_bytes(), &salt]), &nonce, &client]);
            out.put_u8(b'd');
            out.put_u32(4 + 4 + digest.len() as u32 + 4 + client.len() as u32);
            out.put_u32(digest.len() as u32);
            out.put_slice(&digest);
            out.put_u32(client.len() as u32);
            out.put_slice(&client);
        }
        other => return Err(Error::Protocol(format!("authentication request {other}"))),
    }
    Ok(Some(out.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_it(auth: Auth, stored: &str, password: &str) -> bool {
        let challenge = Challenge::new(auth, Some(stored));
        let sent = answer(&challenge.request(), "ann", password).expect("answers").expect("something");
        challenge.verify("ann", stored, sent[0], &sent.slice(5..))
    }

    #[test]
    fn right_passwords_open_and_wrong_ones_do_not() {
        let md5 = md5_stored("ann", "Secret12");
        let salt = "ab".repeat(32);
        let sha = format!("sha256|{}|{salt}", hex(&sha256(&[b"Secret12", &[0xab; 32]])));
        for stored in [&md5, &sha] {
            for auth in [Auth::Hashed, Auth::ClearText] {
                assert!(try_it(auth, stored, "Secret12"), "{stored} {auth:?}");
                assert!(!try_it(auth, stored, "Secret13"), "{stored} {auth:?}");
            }
        }
    }
}
