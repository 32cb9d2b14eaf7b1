//! A folder with a configuration, and Terraform to run in it.

use crate::tools;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;

/// A folder of its own: a configuration, its state, the provider's world, and the provider itself.
pub struct Workspace {
    folder: tempfile::TempDir,
    pub environment: Vec<(String, String)>,
}

/// What Terraform said.
pub struct Said {
    pub code: i32,
    pub text: String,
}

impl Said {
    fn new(output: Output) -> Self {
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Said { code: output.status.code().unwrap_or(-1), text }
    }

    /// All of it on one line, for Terraform breaks lines where it likes.
    pub fn line(&self) -> String {
        self.text.split_whitespace().filter(|word| !matches!(*word, "│" | "╷" | "╵")).collect::<Vec<_>>().join(" ")
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.text);
        self
    }

    pub fn failed(self) -> Self {
        assert_eq!(self.code, 1, "{}", self.text);
        self
    }

    pub fn has(self, part: &str) -> Self {
        assert!(self.line().contains(part), "no `{part}` in:\n{}", self.text);
        self
    }

    pub fn has_not(self, part: &str) -> Self {
        assert!(!self.line().contains(part), "`{part}` in:\n{}", self.text);
        self
    }
}

impl Workspace {
    pub fn new(configuration: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("corner-").tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["bin", "world", "tmp"] {
            std::fs::create_dir(at(name)).expect("a folder");
        }
        let this = std::env::current_exe().expect("this program");
        std::os::unix::fs::symlink(this, at("bin/terraform-provider-corner")).expect("a link");
        let settings = format!(
            "provider_installation {{\n  dev_overrides {{ \"test/corner\" = \"{}\" }}\n  direct {{}}\n}}\n",
            at("bin").display()
        );
        std::fs::write(at("settings.tfrc"), settings).expect("written");
        let workspace = Workspace { folder, environment: Vec::new() };
        workspace.configure(configuration);
        workspace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the configuration; the provider block is added unless there is one.
    pub fn configure(&self, configuration: &str) {
        let head = "terraform {\n  required_providers {\n    corner = { source = \"test/corner\" }\n  }\n}\n";
        let block = format!("provider \"corner\" {{ folder = \"{}\" }}\n", self.path("world").display());
        let block = if configuration.contains("provider \"corner\"") { "" } else { &block };
        let configuration = configuration.replace("$WORLD", &self.path("world").display().to_string());
        std::fs::write(self.path("main.tf"), [head, block, &configuration].concat()).expect("written");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tools::clean(&tools::terraform().expect("a terraform command"));
        let (name, rest) = arguments.split_first().expect("a command");
        command
            .current_dir(self.folder.path())
            .arg(name)
            .args(if ["state", "providers"].contains(name) { &[][..] } else { &["-no-color"] })
            .args(rest)
            .env("TF_CLI_CONFIG_FILE", self.path("settings.tfrc"))
            .env("TMPDIR", self.path("tmp"))
            .envs(self.environment.iter().cloned());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::new(self.command(arguments).output().expect("terraform runs"))
    }

    pub fn apply(&self) -> Said {
        self.run(&["apply", "-auto-approve"])
    }

    pub fn destroy(&self) -> Said {
        self.run(&["destroy", "-auto-approve"])
    }

    /// A plan must find nothing to do.
    pub fn nothing_to_do(&self) {
        let said = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(said.code, 0, "{}", said.text);
    }

    pub fn resources(&self) -> Vec<String> {
        self.run(&["state", "list"]).text.lines().map(str::to_owned).collect()
    }

    /// A resource's attributes in state.
    pub fn state(&self, address: &str) -> Json {
        let json: Json = serde_json::from_str(&self.run(&["show", "-json"]).text).expect("JSON");
        let resources = json["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        resources.into_iter().find(|r| r["address"] == address).map(|r| r["values"].clone()).unwrap_or_default()
    }

    pub fn world(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("world").join(name)).unwrap_or_default()
    }

    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path("world").join(name), text).expect("written");
    }

    /// Whether any file of the folder, the configuration excepted, holds the text.
    pub fn holds(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                let kind = entry.file_type().expect("a kind");
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && !path.ends_with("main.tf") && file_holds(&path, text) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// The plugin leaves nothing behind in the folder for temporary files.
    pub fn nothing_left(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path("tmp")).expect("a folder").flatten().map(|e| e.path()).collect();
        assert!(left.iter().all(|path| !path.display().to_string().contains("plugin")), "{left:?}");
    }
}

fn file_holds(path: &Path, text: &str) -> bool {
    let bytes = std::fs::read(path).expect("readable");
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
