mock_provider "aws" {}

variables {
  name  = "clawd"
  zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

run "subnets_do_not_overlap" {
  command = plan

  assert {
    condition     = length(distinct(concat([for s in aws_subnet.public : s.cidr_block], [for s in aws_subnet.private : s.cidr_block]))) == 6
    error_message = "Every subnet needs a range of its own."
  }
  assert {
    condition     = alltrue([for zone, s in aws_subnet.private : s.availability_zone == zone])
    error_message = "A subnet is not in its zone."
  }
}

run "one_nat_gateway_by_default" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "All private subnets share the first zone's NAT gateway."
  }
}

run "a_nat_gateway_in_each_zone" {
  command = plan
  variables { nat = "per_zone" }

  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "per_zone means one each."
  }
}

run "no_nat" {
  command = plan
  variables { nat = "none" }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0 && length(aws_eip.nat) == 0
    error_message = "none means none."
  }
}

run "outputs_fit_the_cluster" {
  command = apply

  assert {
    condition     = toset(keys(output.private_subnets)) == toset(var.zones)
    error_message = "The cluster module wants a subnet by zone."
  }
}

run "refuses_repeated_zones" {
  command = plan
  variables { zones = ["eu-central-1a", "eu-central-1a"] }
  expect_failures = [var.zones]
}

run "refuses_a_small_range" {
  command = plan
  variables { cidr = "10.0.0.0/28" }
  expect_failures = [var.cidr]
}

run "refuses_an_unknown_nat" {
  command = plan
  variables { nat = "instance" }
  expect_failures = [var.nat]
}
