# A tool that reads one schema and writes its findings to another, and tables of which two people see two things.
# Run it with `make quickstart`: the warehouse is a local stand-in, and its address and login come from REDSHIFT_*.

terraform {
  required_providers {
    redshift = {
      source = "terraform-redshift/redshift"
    }
  }
}

provider "redshift" {}

variable "tool_password" {
  description = "Password of the tool's user. It is hashed before it leaves this machine and is stored nowhere."
  type        = string
  sensitive   = true
  ephemeral   = true
}

# Proves that the warehouse can be reached, with every test as a line of its own.
resource "redshift_connection" "warehouse" {
  name     = "redshift_production"
  database = "dev"
}

# The user the tool signs in with.
resource "redshift_user" "tool" {
  connection_id       = redshift_connection.warehouse.id
  name                = "quality_tool"
  password_wo         = var.tool_password
  password_wo_version = 1
}

# What the tool reads: USAGE on the schema, SELECT on its tables, and on tables to come.
resource "redshift_datastore" "sales" {
  name          = "Sales"
  connection_id = redshift_connection.warehouse.id
  database      = "dev"
  schema        = "finance"
  teams         = ["Data Quality"]

  service_user {
    name = redshift_user.tool.name
  }
}

# Where it writes its findings.
resource "redshift_datastore" "findings" {
  name            = "Findings"
  connection_id   = redshift_connection.warehouse.id
  database        = "dev"
  schema          = "quality"
  enrichment_only = true

  service_user {
    name = redshift_user.tool.name
  }
}

# What governs who sees what: a database of its own, made and removed by an apply.
resource "redshift_integration" "governance" {
  connection_id  = redshift_connection.warehouse.id
  auto_bootstrap = true
  database       = "governed"

  impersonation {
    enabled = true
  }
}

# Two people, what is known of them, and a table in which each sees what the rules say.
resource "redshift_user" "people" {
  for_each            = toset(["auditor", "bergen_desk"])
  connection_id       = redshift_connection.warehouse.id
  name                = each.key
  password_wo         = var.tool_password
  password_wo_version = 1
}

resource "redshift_user_profiles" "people" {
  name            = "people"
  connection_id   = redshift_connection.warehouse.id
  integration_uri = redshift_integration.governance.uri
  users = {
    (redshift_user.people["auditor"].name)     = { groups = ["auditors"] }
    (redshift_user.people["bergen_desk"].name) = { attributes = { city = "Bergen" } }
  }
}

resource "redshift_protected_tables" "tickit" {
  name            = "tickit"
  connection_id   = redshift_connection.warehouse.id
  integration_uri = redshift_integration.governance.uri

  source {
    database = "sample"
    schema   = "tickit"
    tables   = ["people"]
  }

  mask {
    columns = ["name"]
    using   = "constant"
    value   = "hidden"
    unless { groups = ["auditors"] }
  }

  mask {
    columns = ["joined"]
    using   = "round"
    to      = "month"
    unless { groups = ["auditors"] }
  }

  row_filter {
    column = "city"
    in     = "attribute.city"
    unless { groups = ["auditors"] }
  }

  readers {
    users = [for user in redshift_user.people : user.name]
  }
}

output "connected_as" {
  value = redshift_connection.warehouse.database_user
}

output "tests" {
  value = { for test in redshift_connection.warehouse.validation_results.tests : test.name => test.status }
}

output "sales_catalog" {
  value = redshift_datastore.sales.catalog
}

output "governance" {
  value = redshift_integration.governance.status
}

output "protected" {
  description = "The view of each table, in the database `governed`."
  value       = redshift_protected_tables.tickit.views
}

output "sql_for_sales" {
  description = "The whole wanted state as SQL, known before anything runs."
  value       = redshift_datastore.sales.script
}
