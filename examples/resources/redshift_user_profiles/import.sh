terraform import redshift_user_profiles.people 'redshift://analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com:5439#profiles/governed/gov/people'
