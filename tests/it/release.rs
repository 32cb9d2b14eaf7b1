//! What `make release` writes, installed as others do: by `terraform init` from a mirror, with no override.

use std::fs;
use std::path::Path;

use crate::support::{PROVIDER, Warehouse, Workspace, tools};

#[allow(dead_code)]
#[path = "../../xtask/src/release.rs"]
mod files;

use files::Release;

/// The folder in a mirror, as this Terraform names it, and the name of this machine's system and processor.
fn place(workspace: &Workspace) -> (String, String) {
    let told = workspace.run(&["providers"]).succeeded().stdout;
    let source = told.split(['[', ']']).find(|part| part.ends_with("terraform-redshift/redshift"));
    let version = workspace.run(&["version", "-json"]).succeeded().stdout;
    let version: serde_json::Value = serde_json::from_str(&version).expect("JSON");
    (source.expect("the provider").to_owned(), version["platform"].as_str().expect("a platform").to_owned())
}

#[test]
fn a_release_is_installed_from_a_mirror_and_one_made_again_fits_the_lock_file() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    let hcl = "provider \"redshift\" {}\nresource \"redshift_user\" \"tool\" {\n  name = \"tool\"\n}\n";
    workspace.write(hcl);
    let (source, platform) = place(&workspace);
    let release = Release { name: "redshift", version: env!("CARGO_PKG_VERSION"), platform: &platform };
    let mirror = workspace.path().join("mirror");
    let manifest = tools::root().join("terraform-registry-manifest.json");
    let write = || release.write(Path::new(PROVIDER), &manifest, &mirror.join(&source), 1).expect("is written");
    let written = write();
    let settings =
        format!("provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n", mirror.display());
    workspace.file("mirror.tfrc", &settings);
    let settings = workspace.path().join("mirror.tfrc").display().to_string();
    let home = tempfile::tempdir().expect("an empty home");
    workspace.env("TF_CLI_CONFIG_FILE", &settings).env("HOME", &home.path().display().to_string());
    workspace.run(&["init", "-input=false", "-no-color"]).succeeded();
    let locked = || fs::read_to_string(workspace.path().join(".terraform.lock.hcl")).expect("a lock file");
    let first = locked();
    assert!(first.contains("zh:") || first.contains("h1:"), "{first}");
    workspace.apply();
    workspace.plan().assert_empty();

    // Built and packed once more.
    let sums = fs::read(&written[2]).expect("reads");
    write();
    assert_eq!(fs::read(&written[2]).expect("reads"), sums);
    fs::remove_dir_all(workspace.path().join(".terraform")).expect("is removed");
    workspace.run(&["init", "-input=false", "-no-color", "-lockfile=readonly"]).succeeded();
    assert_eq!(locked(), first);
    workspace.plan().assert_empty();
    workspace.destroy();
}
