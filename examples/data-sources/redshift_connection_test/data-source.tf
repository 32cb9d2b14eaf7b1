data "redshift_connection_test" "warehouse" {}

check "warehouse" {
  assert {
    condition     = data.redshift_connection_test.warehouse.connected
    error_message = "The warehouse cannot be reached: ${jsonencode(data.redshift_connection_test.warehouse.validation_results.tests)}"
  }
}
