resource "redshift_integration" "gov" {
  auto_bootstrap = true
  database       = "governed"
  prefix         = "gov"
}

# What the rules of protected tables decide by. In practice a `for` over what the identity provider says.
resource "redshift_user_profiles" "people" {
  name            = "people"
  integration_uri = redshift_integration.gov.uri
  exclusive       = true
  users = {
    ann = {
      groups   = ["privacy"]
      purposes = ["Fraud investigation"]
    }
    bob = {
      groups     = ["support"]
      attributes = { tenant = ["7", "9"] }
    }
  }
}
