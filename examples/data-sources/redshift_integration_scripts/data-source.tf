data "redshift_integration_scripts" "lake" {
  type     = "RedshiftSpectrum"
  database = "lake"

  impersonation {
    enabled = true
  }
}

output "run_in_lake" {
  value = data.redshift_integration_scripts.lake.scripts.create.sql
}
