# The id is a URI of the settings as written, without any secret.
terraform import redshift_connection.warehouse 'redshift://platform@analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439/dev'
