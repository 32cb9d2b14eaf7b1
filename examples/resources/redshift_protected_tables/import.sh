terraform import redshift_protected_tables.sales 'redshift://analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439#tables/governed/gov/sales'
