mock_provider "aws" {
  mock_resource "aws_vpc" {
    defaults = { cidr_block = "10.42.0.0/16" }
  }
}

variables {
  certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
  package_url     = "s3://packages.example.com/clawd-1.2.3.x86_64.rpm"
  package_sha256  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  gossip_key      = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
}

run "applies" {
  command = apply

  assert {
    condition     = startswith(output.url, "https://") && strcontains(output.grafana, "start-session")
    error_message = "The example ends with where everything is."
  }
}
