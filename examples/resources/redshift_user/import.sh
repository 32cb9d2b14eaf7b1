terraform import redshift_user.quality 'redshift://analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439#user/quality_tool'
