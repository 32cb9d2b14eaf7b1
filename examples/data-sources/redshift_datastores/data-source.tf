data "redshift_datastores" "dev" {
  database = "dev"
}

# What is there and could be imported, by schema.
output "ids" {
  value = [for datastore in data.redshift_datastores.dev.datastores : datastore.id if datastore.id != null]
}
