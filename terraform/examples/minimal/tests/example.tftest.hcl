mock_provider "aws" {}

variables {
  vpc_id         = "vpc-0123456789abcdef0"
  subnets        = { "eu-central-1a" = "subnet-a", "eu-central-1b" = "subnet-b", "eu-central-1c" = "subnet-c" }
  api_cidrs      = ["10.0.0.0/16"]
  package_url    = "https://packages.example.com/clawd-1.2.3.x86_64.rpm"
  package_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  gossip_key     = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
}

run "applies" {
  command = apply

  assert {
    condition     = strcontains(output.try, "/v1/agents/demo/consume")
    error_message = "The example ends with a call."
  }
}
