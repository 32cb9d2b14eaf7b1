# A cluster in another account: a role there asks for credentials of one database user,
# and a role here, which runs Terraform, assumes it.
data "redshift_iam_policy_document" "quality_tool" {
  cluster_identifier = "analytics"
  region             = "eu-west-1"
  username           = "quality_tool"
  databases          = ["dev", "quality"]

  role_arn      = "arn:aws:iam::444455556666:role/redshift-quality-tool"
  principal_arn = "arn:aws:iam::111122223333:role/terraform"
  external_id   = "quality-tool-42"
}

# The role's two policies, and the one of whoever assumes it.
output "role_policy" {
  value = data.redshift_iam_policy_document.quality_tool.json
}

output "role_trust_policy" {
  value = data.redshift_iam_policy_document.quality_tool.trust_json
}

output "caller_policy" {
  value = data.redshift_iam_policy_document.quality_tool.caller_json
}

# A serverless workgroup in the account of whoever runs Terraform.
data "redshift_iam_policy_document" "serverless" {
  workgroup_id = "0123abcd-45ef-6789-abcd-0123456789ef"
  region       = "eu-west-1"
  account_id   = "111122223333"
}

# A login by password, which is read from Secrets Manager: only `caller_json` is needed.
data "redshift_iam_policy_document" "secret" {
  region     = "eu-west-1"
  account_id = "111122223333"
  secret_id  = "warehouse/platform"
}
