//! From the start of the process to its handshake line, as Terraform waits for it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{Row, fastest, median};

const STARTS: usize = 50;

/// A certificate on P-521, the curve of the certificates that Terraform makes. Its key was thrown away.
const CLIENT_CERTIFICATE: &str = include_str!("client.pem");

/// The magic cookie of Terraform's plugins.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// How many times the machine's floor a start may take.
const FLOORS: f64 = 4.0;

pub fn rows(provider: &Path) -> Result<Vec<Row>, String> {
    let sockets = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut echo = Command::new("echo");
    echo.arg("line");
    let mut plugin = Command::new(provider);
    plugin.env(COOKIE.0, COOKIE.1).env("PLUGIN_CLIENT_CERT", CLIENT_CERTIFICATE).env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
    plugin.env("PLUGIN_UNIX_SOCKET_DIR", sockets.path()).env("TMPDIR", sockets.path());

    let (mut floor, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        floor.push(first_line(&mut echo)?.0);
        let (milliseconds, line) = first_line(&mut plugin)?;
        let parts: Vec<&str> = line.trim_end().split('|').collect();
        if !matches!(parts[..], ["1", "6", "unix", _, "grpc", certificate] if certificate.len() > 50) {
            return Err(format!("not a handshake with a certificate: {line}"));
        }
        starts.push(milliseconds);
    }
    Ok(vec![
        Row::beside("floor: start of echo to its line, fastest of 50", fastest(&floor), "ms"),
        Row::beside("floor: the same, median", median(&floor), "ms"),
        Row::bar("start to handshake line, fastest of 50", fastest(&starts), "ms", FLOORS * fastest(&floor)),
        Row::bar("start to handshake line, median of 50", median(&starts), "ms", FLOORS * median(&floor)),
    ])
}

/// Milliseconds until a process has printed its first line, and that line. The process is ended.
fn first_line(command: &mut Command) -> Result<(f64, String), String> {
    let begin = Instant::now();
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = started.map_err(|e| format!("{command:?}: {e}"))?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).map_err(|e| e.to_string())?;
    let milliseconds = begin.elapsed().as_secs_f64() * 1000.0;
    let _ = child.kill();
    child.wait().map_err(|e| e.to_string())?;
    Ok((milliseconds, line))
}
