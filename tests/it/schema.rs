//! The schemas that are served, by the rules that Terraform and its framework hold them to.

use terraform_provider_redshift::provider::Redshift;
use terraform_provider_redshift::terraform::schema_problems;

#[test]
fn the_schemas_keep_the_rules_of_the_core_and_of_the_framework() {
    assert_eq!(schema_problems::<Redshift>(), Vec::<String>::new());
}
