variable "system_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# An apply makes the managed database, with a login that may do so.
resource "redshift_integration" "governance" {
  auto_bootstrap   = true
  database         = "governed"
  initial_database = "dev"

  system_user {
    password_wo         = var.system_password
    password_wo_version = 1
  }

  impersonation {
    enabled = true
  }
}

# A person runs the scripts, and an apply verifies what they made.
resource "redshift_integration" "by_hand" {
  type           = "RedshiftSpectrum"
  auto_bootstrap = false
  database       = "lake"
  prefix         = "lake"
}

output "script_for_lake" {
  value = redshift_integration.by_hand.scripts.create.sql
}
