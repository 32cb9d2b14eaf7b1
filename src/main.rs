//! Serves the provider to Terraform.

use std::process::ExitCode;

fn main() -> ExitCode {
    terraform_provider_redshift::terraform::serve::<terraform_provider_redshift::provider::Redshift>()
}
