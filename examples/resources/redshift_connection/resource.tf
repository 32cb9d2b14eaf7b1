# Everything is inherited from the provider block: this only proves that the login works.
resource "redshift_connection" "warehouse" {
  name = "redshift_production"
}

# Another database of the same warehouse, as another user.
# The user's password is an entry of the provider's `credentials`.
resource "redshift_connection" "enrichment" {
  name     = "redshift_enrichment"
  host     = "analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com"
  username = "enrichment_admin"
  database = "quality"
  sslmode  = "verify-full"
}

# As one line. A password in it is refused here.
resource "redshift_connection" "flitch" {
  name              = "flitch"
  connection_string = "postgresql://flitch_readonly@analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439/dev?sslmode=verify-full"
}
