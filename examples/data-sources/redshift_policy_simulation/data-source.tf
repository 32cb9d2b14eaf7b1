data "redshift_data_policy" "pii" {
  name = "pii"
  mask {
    tags  = ["pii"]
    using = "null"
    unless {
      groups = ["privacy"]
    }
  }
  row_filter {
    column = "tenant_id"
    in     = "attribute.tenant"
  }
}

# What a person in support would see of the table `people`.
data "redshift_policy_simulation" "support" {
  policy  = data.redshift_data_policy.pii.json
  table   = "people"
  columns = { id = "bigint", email = "varchar(100)", tenant_id = "integer" }
  tags    = { pii = ["*email*"] }
  profile {
    user       = "sam"
    groups     = ["support"]
    attributes = { tenant = ["7", "9"] }
  }
}

# Every plan says so if support could read addresses.
check "support_sees_no_email" {
  assert {
    condition     = data.redshift_policy_simulation.support.seen["email"].shown == "null"
    error_message = "Support reads email addresses."
  }
}

output "rows" {
  value = data.redshift_policy_simulation.support.row_filter # "tenant_id" IN ('7', '9')
}
