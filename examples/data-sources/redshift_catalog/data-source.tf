data "redshift_catalog" "finance" {
  database = "dev"
  schema   = "finance"
  datasets = ["sales*"]
}

output "columns" {
  value = { for table in data.redshift_catalog.finance.tables : table.name => [for column in table.columns : column.name] }
}
