# A schema that a tool reads, linked to the store that its findings go to.
resource "redshift_datastore" "sales" {
  name                    = "Sales"
  database                = "dev"
  schema                  = "finance"
  teams                   = ["Data Quality"]
  tags                    = ["production"]
  enrichment_datastore_id = redshift_datastore.findings.id

  service_user {
    name = redshift_user.quality.name
  }
}

# The store it writes its findings to.
resource "redshift_datastore" "findings" {
  name            = "Findings"
  database        = "dev"
  schema          = "quality"
  enrichment_only = true

  service_user {
    name = redshift_user.quality.name
  }
}

resource "redshift_datastore" "orders" {
  name                    = "Orders"
  connection_id           = redshift_connection.warehouse.id
  database                = "dev"
  schema                  = "orders"
  datasets                = ["orders_*", "customers"]
  enrichment_datastore_id = redshift_datastore.findings.id

  service_user {
    name                   = "analysts"
    type                   = "group"
    default_privileges_for = ["etl"]
  }
}

# One for each schema. The keys are names, never ids.
data "redshift_schemas" "marts" {
  database = "dev"
  like     = "mart_%"
}

resource "redshift_datastore" "marts" {
  for_each = toset(data.redshift_schemas.marts.names)

  name     = "Mart ${each.key}"
  database = "dev"
  schema   = each.key

  service_user {
    name = redshift_user.quality.name
  }
}

resource "redshift_connection" "warehouse" {
  name = "redshift_production"
}

resource "redshift_user" "quality" {
  name = "quality_tool"
}
