//! What a provider leaves behind when it is killed: its socket, and by hand the folder around it. The next one removes it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::listener::UNFINISHED;

/// A socket that another provider is just about to listen on has a name of its own; for so long it is left alone.
const YOUNG: Duration = Duration::from_secs(60);

/// With what the names of sockets and folders begin. Others who write plugins use shorter ones.
pub(super) fn prefix(provider: &str) -> String {
    format!("tf-{provider}-")
}

/// Removes what dead providers left beside `own`, on a thread of its own: nobody waits for it, and it may be cut short.
pub(super) fn remove_beside(own: Option<&Path>, provider: &str) {
    let Some(own) = own.map(Path::to_path_buf) else { return };
    let prefix = prefix(provider);
    let removing = std::thread::Builder::new().name("leftovers".to_owned());
    let begun = removing.spawn(move || match remove(&own, &prefix, YOUNG) {
        Ok(0) => {}
        Ok(removed) => tracing::debug!(removed, "removed what killed providers had left"),
        Err(error) => tracing::debug!(%error, "the folder of sockets cannot be read"),
    });
    if let Err(error) = begun {
        tracing::debug!(%error, "no thread for it");
    }
}

/// Only what is our own user's, has our kind of name, and where nobody listens.
fn remove(own: &Path, prefix: &str, young: Duration) -> io::Result<usize> {
    let Some(folder) = own.parent() else { return Ok(0) };
    let user = fs::symlink_metadata(own)?.uid();
    let ours = |entry: &DirEntry| {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let random = rest.map(|rest| rest.strip_suffix(UNFINISHED).unwrap_or(rest));
        random.is_some_and(|random| random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let left = |path: &Path, found: &Metadata| {
        let age = found.modified().ok().and_then(|then| then.elapsed().ok());
        let finished = path.extension().is_none() || age.is_some_and(|age| age >= young);
        found.uid() == user && finished
    };
    let mut removed = 0;
    for entry in fs::read_dir(folder)?.flatten().filter(|entry| ours(entry) && entry.path() != own) {
        // Of a link, not of where it leads.
        let Ok(found) = entry.metadata() else { continue };
        if left(&entry.path(), &found) && clear(&entry.path(), &found) {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes a socket where nobody listens, or a folder with nothing else in it; whether it is gone.
fn clear(path: &Path, found: &Metadata) -> bool {
    if found.file_type().is_socket() {
        return is_dead(path) && fs::remove_file(path).is_ok();
    }
    if !found.is_dir() {
        return false;
    }
    let Ok(inside) = fs::read_dir(path) else { return false };
    let inside: Vec<PathBuf> = inside.flatten().map(|entry| entry.path()).collect();
    let is_socket = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    inside.iter().all(|path| is_socket(path) && is_dead(path))
        && inside.iter().all(|path| fs::remove_file(path).is_ok())
        && fs::remove_dir(path).is_ok()
}

fn is_dead(socket: &Path) -> bool {
    UnixStream::connect(socket).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_what_is_ours_and_dead_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let prefix = prefix("thing");
        let own = UnixListener::bind(at("tf-thing-own123")).expect("binds");
        let alive = UnixListener::bind(at("tf-thing-alive1")).expect("binds");
        for name in ["tf-thing-dead12", "tf-thing-begun1.new", "tf-thing-longer1", "tf-other-dead12", "plugin123456"] {
            drop(UnixListener::bind(at(name)).expect("binds"));
        }
        fs::write(at("tf-thing-file12"), "no socket").expect("writes");
        for (dir, file) in [("tf-thing-byhand", None), ("tf-thing-other1", Some("notes")), ("tf-thing-empty1", None)] {
            fs::create_dir(at(dir)).expect("a folder");
            if let Some(file) = file {
                fs::write(at(dir).join(file), "").expect("writes");
            }
        }
        drop(UnixListener::bind(at("tf-thing-byhand").join("tf-thing-socket")).expect("binds"));
        std::os::unix::fs::symlink(at("tf-other-dead12"), at("tf-thing-link12")).expect("links");
        let own_path = at("tf-thing-own123");
        assert_eq!(remove(&own_path, &prefix, YOUNG).expect("reads"), 3);
        assert!(at("tf-thing-begun1.new").exists(), "somebody may be about to listen");
        assert_eq!(remove(&own_path, &prefix, Duration::ZERO).expect("reads"), 1);
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .expect("reads")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        let expected = [
            "plugin123456",
            "tf-other-dead12",
            "tf-thing-alive1",
            "tf-thing-file12",
            "tf-thing-link12",
            "tf-thing-longer1",
            "tf-thing-other1",
            "tf-thing-own123",
        ];
        assert_eq!(left, expected);
        drop((own, alive));
    }
}
