//! `redshift-standin`: a local Redshift in the foreground, until it is interrupted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use redshift_standin::{SUPERUSER, Standin, StandinOptions, Switch, WarehouseKind};

const USAGE: &str = "usage: redshift-standin [--kind KIND] [--switch NAME]... [--provider-dir FOLDER] [--host NAME]...\n       redshift-standin --allowed\n\n\
    A local Redshift for development. Prints `export NAME=value` lines, then `ready`, and runs until it is interrupted.\n\
    --kind          provisioned (unless said otherwise), multi-az or serverless\n\
    --switch        what nobody knows of Redshift is the other way (the README lists the names)\n\
    --provider-dir  a folder with terraform-provider-redshift: TF_CLI_CONFIG_FILE gets a development override for it\n\
    --host          a further name in the certificate\n\
    --allowed       prints the list of what is accepted (ALLOWED.md)";

fn main() -> ExitCode {
    let mut options = StandinOptions::default();
    let mut provider = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--allowed", None) => {
                print!("{}", redshift_standin::allowed::document());
                return ExitCode::SUCCESS;
            }
            ("--provider-dir", Some(folder)) => provider = Some(PathBuf::from(folder)),
            ("--host", Some(host)) => options.hosts.push(host),
            ("--kind", Some(name)) if WarehouseKind::named(&name).is_some() => {
                options.kind = WarehouseKind::named(&name).unwrap_or_default();
            }
            ("--switch", Some(name)) if Switch::named(&name).is_some() => options.switches.extend(Switch::named(&name)),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match run(options, provider.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redshift-standin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: StandinOptions, provider: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let standin = Standin::start(options)?;
        let mut lines = vec![
            ("REDSHIFT_HOST", standin.host()),
            ("REDSHIFT_PORT", standin.port().to_string()),
            ("REDSHIFT_DATABASE", "dev".to_owned()),
            ("REDSHIFT_USER", SUPERUSER.to_owned()),
            ("REDSHIFT_PASSWORD", standin.password().to_owned()),
            ("REDSHIFT_SSLMODE", "verify-full".to_owned()),
            ("REDSHIFT_SSLROOTCERT", standin.ca_file().display().to_string()),
            ("STANDIN_CONTROL", standin.control_url()),
            ("AWS_ENDPOINT_URL", standin.aws_url()),
            ("AWS_REGION", standin.aws().region().to_owned()),
            ("AWS_ACCESS_KEY_ID", standin.aws().access_key().0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", standin.aws().access_key().1.to_owned()),
        ];
        let fixtures = standin.aws().fixtures().clone();
        lines.extend([
            ("STANDIN_CLUSTER", fixtures.cluster),
            ("STANDIN_WORKGROUP", fixtures.workgroup),
            ("STANDIN_WORKGROUP_HOST", fixtures.workgroup_host),
            ("STANDIN_DB_USER", fixtures.db_user),
            ("STANDIN_ROLE_ARN", fixtures.role_arn),
            ("STANDIN_EXTERNAL_ID", fixtures.external_id),
            ("STANDIN_SECRET_ID", fixtures.secret_id),
            ("STANDIN_SSM_PARAMETER", fixtures.ssm_parameter),
        ]);
        if let Some(folder) = provider {
            let file = standin.ca_file().with_file_name("terraform.rc");
            std::fs::write(&file, override_for(&std::fs::canonicalize(folder)?))?;
            lines.push(("TF_CLI_CONFIG_FILE", file.display().to_string()));
        }
        for (name, value) in lines {
            println!("export {name}={value}");
        }
        println!("ready");
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

fn override_for(folder: &Path) -> String {
    let folder = folder.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "provider_installation {{\n  dev_overrides {{\n    \"terraform-redshift/redshift\" = \"{folder}\"\n  }}\n  direct {{}}\n}}\n"
    )
}
