data "redshift_users" "people" {
  not_like = ["IAM%"]
}

check "two_superusers" {
  assert {
    condition     = length([for user in data.redshift_users.people.users : user if user.superuser]) <= 2
    error_message = "There are more superusers than the two that should be."
  }
}
