//! `make install`: the provider where `terraform init` looks before it asks the network. `make release`: the files from which
//! others install it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use terraform_provider_redshift::provider::Redshift;
use terraform_provider_redshift::terraform::Provider;

use crate::release::Release;
use crate::tools;

/// Copies the binary to `~/.terraform.d/plugins` (Terraform's implied local mirror) and says how to use it.
pub fn run(binary: &Path) -> Result<(), String> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).ok_or("HOME is not set")?;
    let version = Redshift::VERSION;
    let folder = PathBuf::from(home).join(".terraform.d/plugins").join(full_address()?).join(version).join(format!(
        "{}_{}",
        operating_system(),
        architecture()
    ));
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let installed = folder.join(format!("terraform-provider-{}_v{version}", Redshift::NAME));
    let fresh = folder.join(".fresh");
    // Copied beside and moved: a Terraform may be running the old one.
    fs::copy(binary, &fresh).map_err(|e| format!("cannot copy {}: {e}", binary.display()))?;
    fs::rename(&fresh, &installed).map_err(|e| format!("cannot write {}: {e}", installed.display()))?;

    println!("installed {}\n", installed.display());
    println!("In a configuration, then `terraform init`:\n");
    println!("  terraform {{\n    required_providers {{\n      {} = {{", Redshift::NAME);
    println!("        source  = \"{}\"\n        version = \"{version}\"\n      }}\n    }}\n  }}", Redshift::ADDRESS);
    Ok(())
}

/// Writes the files of a release for this machine's system and processor to `dist` below cargo's target folder, and says what
/// they are for.
pub fn release(binary: &Path) -> Result<(), String> {
    let folder = tools::target().join("dist");
    let platform = format!("{}_{}", operating_system(), architecture());
    let release = Release { name: Redshift::NAME, version: Redshift::VERSION, platform: &platform };
    let manifest = tools::root().join("terraform-registry-manifest.json");
    for file in release.write(binary, &manifest, &folder, 9)? {
        println!("{}", file.display());
    }
    println!(
        "\nA registry takes all of it, signed (GPG_FINGERPRINT=KEY make release). In a filesystem mirror the zip lies in"
    );
    println!("  MIRROR/{}/", full_address()?);
    Ok(())
}

/// The address with the host that the installed Terraform or OpenTofu puts before it: each has a registry of its own.
fn full_address() -> Result<String, String> {
    let terraform = tools::terraform()?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (name, address) = (Redshift::NAME, Redshift::ADDRESS);
    let text = format!("terraform {{\n  required_providers {{\n    {name} = {{ source = \"{address}\" }}\n  }}\n}}\n");
    fs::write(folder.path().join("main.tf"), text).map_err(|e| e.to_string())?;
    let listed = tools::clean(&terraform)
        .args(["providers", "-no-color"])
        .current_dir(folder.path())
        .output()
        .map_err(|e| format!("{}: {e}", terraform.display()))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let full = listed.split(['[', ']']).find(|part| *part == address || part.ends_with(&format!("/{address}")));
    full.map(str::to_owned).ok_or_else(|| format!("`terraform providers` does not tell its registry: {listed}"))
}

/// The operating system in the registry's words, which are Go's.
fn operating_system() -> &'static str {
    if env::consts::OS == "macos" { "darwin" } else { env::consts::OS }
}

/// The processor in the registry's words, which are Go's.
fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
