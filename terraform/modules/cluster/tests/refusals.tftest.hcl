# Inputs that would fail late, or work and be wrong, are refused in the plan.

mock_provider "aws" {}

variables {
  name           = "prod"
  vpc_id         = "vpc-0123456789abcdef0"
  subnets        = { "eu-central-1a" = "subnet-a", "eu-central-1b" = "subnet-b", "eu-central-1c" = "subnet-c" }
  package_url    = "https://packages.example.com/clawd-1.2.3.x86_64.rpm"
  package_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  gossip_key     = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
}

run "name" {
  command = plan
  variables { name = "Prod_1" }
  expect_failures = [var.name]
}

run "subnets_without_zones" {
  command = plan
  variables { subnets = { a = "subnet-a" } }
  expect_failures = [var.subnets]
}

run "instance_type" {
  command = plan
  variables { instance_type = "medium" }
  expect_failures = [var.instance_type]
}

run "cpu_credits" {
  command = plan
  variables { cpu_credits = "some" }
  expect_failures = [var.cpu_credits]
}

run "image" {
  command = plan
  variables { image_id = "debian" }
  expect_failures = [var.image_id]
}

run "package_in_clear" {
  command = plan
  variables { package_url = "http://packages.example.com/clawd.rpm" }
  expect_failures = [var.package_url]
}

run "package_sum" {
  command = plan
  variables { package_sha256 = "latest" }
  expect_failures = [var.package_sha256]
}

run "size_upside_down" {
  command = plan
  variables { size = { min = 3, max = 1 } }
  expect_failures = [var.size]
}

run "scaling_without_room" {
  command = plan
  variables { target_requests_per_node = 1000 }
  expect_failures = [var.target_requests_per_node]
}

run "volume_too_fast_for_its_size" {
  command = plan
  variables { volume = { size = 8, iops = 16000 } }
  expect_failures = [var.volume]
}

run "short_gossip_key" {
  command = plan
  variables { gossip_key = "c2hvcnQ=" }
  expect_failures = [var.gossip_key]
}

run "no_gossip_key" {
  command = plan
  variables { gossip_key = null }
  expect_failures = [var.gossip_key]
}

run "secret_without_slash" {
  command = plan
  variables { secrets = { "tls.pem" = "clawd/tls" } }
  expect_failures = [var.secrets]
}

run "open_ranges_are_ranges" {
  command = plan
  variables { api_cidrs = ["everyone"] }
  expect_failures = [var.api_cidrs]
}

run "public_in_clear" {
  command = plan
  variables {
    public                = true
    insecure              = false
    load_balancer_subnets = { "eu-central-1a" = "subnet-p" }
  }
  expect_failures = [var.public]
}

run "public_without_authentication" {
  command = plan
  variables {
    public                = true
    certificate_arn       = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
    load_balancer_subnets = { "eu-central-1a" = "subnet-p" }
  }
  expect_failures = [var.public]
}

run "tags_of_the_module" {
  command = plan
  variables { tags = { clawd-cluster = "other" } }
  expect_failures = [var.tags]
}
