//! Whoever answers in place of a warehouse or of AWS can send for ever: the provider's memory stays small, and the error
//! says which limit it was.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use crate::campaign::sampled;
use crate::plugin::ByHand;
use crate::support::{Workspace, hostile};

/// Peak memory in MB of a provider that creates a connection in this environment, and what it said.
fn peak(environment: &[(&str, String)], lines: &str) -> (u64, String) {
    let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Vec<_>>();
    let (by_hand, reattach) = ByHand::in_environment(variables, "OFF");
    let mut workspace = Workspace::new();
    workspace.env("TF_REATTACH_PROVIDERS", &reattach);
    workspace.write(&format!(
        "provider \"redshift\" {{}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n{lines}\n}}\n"
    ));
    let text = workspace.try_apply().failed().text();
    let status = std::fs::read_to_string(Path::new("/proc").join(by_hand.id().to_string()).join("status"));
    let status = status.expect("it runs still");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    (kilobytes / 1000, text)
}

fn warehouse(script: hostile::Script) -> (u64, String) {
    let port = hostile::hostile(script);
    let environment = [
        ("REDSHIFT_HOST", "127.0.0.1".to_owned()),
        ("REDSHIFT_PORT", port.to_string()),
        ("REDSHIFT_USER", "ann".to_owned()),
        ("REDSHIFT_PASSWORD", "Secret-word-1".to_owned()),
        ("REDSHIFT_SSLMODE", "disable".to_owned()),
    ];
    peak(&environment, "")
}

#[test]
fn a_hostile_warehouse_does_not_fill_the_memory() {
    use hostile::{LET_IN, Script, head, message, row, told};
    let notice = told(b'N', &[('S', "WARNING"), ('C', "01000"), ('M', "words of nobody")]);
    let setting = message(b'S', b"a\0b\0");
    let rows = row(&["x"]);
    // Announced with 2 GB, and begun.
    let huge = [head(1), b"D\x80\0\0\0\0\x01\x7f\xff\xff\xf0".to_vec()].concat();
    let floods = [
        (LET_IN.to_vec(), Vec::new(), notice.clone(), "16 MiB of notices", 200),
        (LET_IN.to_vec(), Vec::new(), setting, "16 MiB of notices", 200),
        (LET_IN.to_vec(), head(1), notice, "16 MiB of notices", 200),
        (LET_IN.to_vec(), head(1), rows, "more than 256 MiB", 500),
        (LET_IN.to_vec(), huge, vec![b'x'; 1 << 12], "2147483648 bytes was announced", 100),
    ];
    for (verdict, answer, endless, limit, most) in sampled(floods, 3) {
        let (peak, text) = warehouse(Script { verdict, answer, endless });
        assert!(text.contains("Too much came from the warehouse") && text.contains(limit), "{limit}: {text}");
        assert!(peak < most, "{limit}: {peak} MB");
    }
}

#[test]
fn a_hostile_aws_does_not_fill_the_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                while sent.is_ok() {
                    sent = stream.write_all(&[b'x'; 1 << 16]);
                }
            });
        }
    });
    let environment = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let (peak, text) = peak(&environment, "  cluster_identifier = \"main\"\n  username = \"ann\"");
    assert!(text.contains("Too much came from AWS (redshift:DescribeClusters)") && text.contains("4 MiB"), "{text}");
    assert!(peak < 150, "{peak} MB");
}
