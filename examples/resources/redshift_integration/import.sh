# By its id, which the data source redshift_integrations lists:
terraform import redshift_integration.governance 0f6ad2c3b1e94c1f8d5a7b9e2c4d6f80

# Or by the warehouse and the managed database:
terraform import redshift_integration.governance examplecluster.abc123xyz789.us-west-2.redshift.amazonaws.com:5439/governed
