terraform import redshift_schema.results 'redshift://analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439#schema/analytics/quality_results'
