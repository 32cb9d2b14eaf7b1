variable "tool_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# A user with a password. Only its hash is sent, and nothing of it is stored.
# To rotate: give another password and raise the version.
resource "redshift_user" "quality" {
  name                = "quality_tool"
  password_wo         = var.tool_password
  password_wo_version = 1
  connection_limit    = 20
  valid_until         = "2027-12-31T00:00:00Z"
}

# A user without a password (PASSWORD DISABLE), for tools that sign in by IAM.
resource "redshift_user" "bi" {
  name = "bi_tool"
}
