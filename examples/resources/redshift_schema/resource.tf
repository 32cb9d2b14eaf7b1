resource "redshift_user" "quality" {
  name = "quality_tool"
}

# A schema for what a tool finds, with a limit.
resource "redshift_schema" "results" {
  database = "analytics"
  name     = "quality_results"
  owner    = redshift_user.quality.name
  quota    = "50 GB"
}

# The tool may write there, and nowhere else.
resource "redshift_datastore" "results" {
  name            = "results"
  database        = redshift_schema.results.database
  schema          = redshift_schema.results.name
  enrichment_only = true

  service_user {
    name = redshift_user.quality.name
  }
}
