data "redshift_schemas" "marts" {
  database = "dev"
  like     = "mart_%"
}

output "marts" {
  value = data.redshift_schemas.marts.names
}
