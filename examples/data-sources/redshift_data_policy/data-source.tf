# The governance team's rules: one document, whatever tables it will be on.
data "redshift_data_policy" "pii" {
  name = "pii"

  # Customers can be joined, and nobody is recognised, but by who looks into fraud.
  mask {
    tags  = ["direct_id"]
    using = "hash"
    salt  = "customer"
    unless {
      purposes = ["Fraud investigation"]
    }
  }

  mask {
    columns = ["*email*", "people.phone"]
    using   = "null"
    unless {
      groups = ["privacy"]
    }
  }

  # Support sees only that there is a name, and so does everybody without a profile.
  mask {
    columns     = ["surname"]
    using       = "regex"
    pattern     = "^.+$"
    replacement = "…"
    only_for {
      groups = ["support"]
    }
  }

  # Large amounts only in round figures.
  mask {
    columns = ["amount"]
    using   = "round"
    to      = "1000"
    where   = "amount > 100000"
  }

  row_filter {
    column         = "tenant_id"
    in             = "attribute.tenant"
    missing_column = "skip"
    unless {
      groups = ["operators"]
    }
  }
}

output "policy" {
  value = data.redshift_data_policy.pii.json
}
