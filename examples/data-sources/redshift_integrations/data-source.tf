data "redshift_integrations" "all" {}

output "integrations" {
  value = { for integration in data.redshift_integrations.all.integrations : integration.database => integration.status }
}
