# `mode` is `source` or `enrichment`; add `&type=group` or `&type=role` for another kind of grantee,
# and `&grant_role=NAME` to name the role that holds the rights.
terraform import redshift_datastore.sales 'redshift://analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439#dev/finance?mode=source&user=quality_tool'
