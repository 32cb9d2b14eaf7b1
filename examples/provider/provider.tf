terraform {
  required_providers {
    redshift = {
      source = "terraform-redshift/redshift"
    }
  }
}

# The login comes from REDSHIFT_PASSWORD, or from an ephemeral variable as here:
# neither reaches the state or a plan file.
variable "redshift_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

provider "redshift" {
  host     = "analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com"
  database = "dev"
  username = "platform"
  password = var.redshift_password
}
