//! `make release`: what a registry and a filesystem mirror take. The same binary makes the same files, byte for byte, so that
//! a second build of a commit fits the lock files that the first one is in.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What is released.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The provider's name, without `terraform-provider-`.
    pub name: &'a str,
    /// Its version, without `v`.
    pub version: &'a str,
    /// The operating system and the processor in the registry's words, which are Go's: `linux_amd64`.
    pub platform: &'a str,
}

/// Who signs: the name of the variable with a key's fingerprint.
const KEY: &str = "GPG_FINGERPRINT";

impl Release<'_> {
    fn file(&self, end: &str) -> String {
        format!("terraform-provider-{}_{}_{end}", self.name, self.version)
    }

    /// Writes the zip of a built provider, the manifest, and the checksums of all that is in the folder for this version;
    /// with [`KEY`] also their signature. `level` is that of the compression, from 1 to 9.
    pub fn write(&self, binary: &Path, manifest: &Path, folder: &Path, level: i64) -> Result<Vec<PathBuf>, String> {
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        let archive = folder.join(self.file(&format!("{}.zip", self.platform)));
        self.pack(binary, &archive, level).map_err(|e| format!("cannot write {}: {e}", archive.display()))?;
        let beside = folder.join(self.file("manifest.json"));
        fs::copy(manifest, &beside).map_err(|e| format!("cannot copy {}: {e}", manifest.display()))?;
        let sums = folder.join(self.file("SHA256SUMS"));
        let text = self.sums(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
        fs::write(&sums, text).map_err(|e| format!("cannot write {}: {e}", sums.display()))?;
        let mut written = vec![archive, beside, sums.clone()];
        written.extend(sign(&sums)?);
        Ok(written)
    }

    fn pack(&self, binary: &Path, archive: &Path, level: i64) -> io::Result<()> {
        // The default time is that of the format's beginning: no moment of this build is in it.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(level))
            .unix_permissions(0o755)
            .last_modified_time(zip::DateTime::default());
        let mut zip = ZipWriter::new(File::create(archive)?);
        zip.start_file(format!("terraform-provider-{}_v{}", self.name, self.version), options)?;
        io::copy(&mut File::open(binary)?, &mut zip)?;
        zip.finish()?.flush()
    }

    /// One line for each file of this version, as `sha256sum` writes it.
    fn sums(&self, folder: &Path) -> io::Result<String> {
        let begin = self.file("");
        let mut names: Vec<String> = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        names.retain(|name| name.starts_with(&begin) && (name.ends_with(".zip") || name.ends_with("manifest.json")));
        names.sort();
        let mut text = String::new();
        for name in names {
            let sum: String =
                Sha256::digest(fs::read(folder.join(&name))?).iter().map(|byte| format!("{byte:02x}")).collect();
            text.push_str(&format!("{sum}  {name}\n"));
        }
        Ok(text)
    }
}

/// A detached signature, as registries ask it; none without a key.
fn sign(sums: &Path) -> Result<Option<PathBuf>, String> {
    let Some(key) = std::env::var(KEY).ok().filter(|key| !key.is_empty()) else { return Ok(None) };
    let signature = sums.with_file_name(format!("{}.sig", sums.file_name().unwrap_or_default().to_string_lossy()));
    let status = Command::new("gpg")
        .args(["--batch", "--yes", "--local-user", &key, "--output"])
        .arg(&signature)
        .arg("--detach-sign")
        .arg(sums)
        .status()
        .map_err(|e| format!("gpg does not start: {e}"))?;
    if status.success() { Ok(Some(signature)) } else { Err(format!("gpg made no signature by the key {key}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_makes_the_same_release() {
        let folder = tempfile::tempdir().expect("a folder");
        let (binary, manifest) = (folder.path().join("built"), folder.path().join("manifest"));
        fs::write(&binary, "not much of a provider").expect("writes");
        fs::write(&manifest, "{}").expect("writes");
        let release = Release { name: "redshift", version: "1.2.3", platform: "linux_amd64" };
        let made = |to: &str| {
            let folder = folder.path().join(to);
            let written = release.write(&binary, &manifest, &folder, 6).expect("is written");
            written.iter().map(|file| fs::read(file).expect("reads")).collect::<Vec<_>>()
        };
        let first = made("first");
        assert_eq!(first, made("second"));
        let sums = String::from_utf8(first[2].clone()).expect("a text");
        let names: Vec<&str> = sums.lines().filter_map(|line| line.split("  ").nth(1)).collect();
        let names_of =
            ["terraform-provider-redshift_1.2.3_linux_amd64.zip", "terraform-provider-redshift_1.2.3_manifest.json"];
        assert_eq!(names, names_of);
        let of_manifest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert!(sums.contains(&format!("{of_manifest}  ")), "{sums}");
    }
}
