resource "redshift_integration" "gov" {
  auto_bootstrap = true
  database       = "governed"
  prefix         = "gov"
}

# Every table of the schema "sales", as views that decide by the reader's profile. Support reads its own tenants, and no
# email address but for the privacy team.
resource "redshift_protected_tables" "sales" {
  name            = "sales"
  integration_uri = redshift_integration.gov.uri

  source {
    database = "prod"
    schema   = "sales"
  }

  mask {
    columns = ["*email*"]
    using   = "hash"
    salt    = "customer"
    unless {
      groups = ["privacy"]
    }
  }

  row_filter {
    column         = "tenant_id"
    in             = "attribute.tenant"
    missing_column = "skip"
    unless {
      groups = ["operators"]
    }
  }

  readers {
    roles = ["analysts"]
  }

  # Who reads the tables themselves sees everything: nobody else may.
  allowed_direct_readers = ["user etl"]
}
