data "redshift_connection_test" "warehouse" {}

check "the warehouse answers" {
  assert {
    condition     = data.redshift_connection_test.warehouse.connected
    error_message = "The warehouse cannot be reached: ${jsonencode(data.redshift_connection_test.warehouse.validation_results.tests)}"
  }
}
