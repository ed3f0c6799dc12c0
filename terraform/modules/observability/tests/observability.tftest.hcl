mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_resource "aws_ebs_volume" {
    defaults = { id = "vol-0123456789abcdef0" }
  }
}

variables {
  name                       = "prod"
  vpc_id                     = "vpc-0123456789abcdef0"
  subnet_id                  = "subnet-a"
  zone                       = "eu-central-1a"
  package_url                = "https://packages.example.com/clawd-1.2.3.x86_64.rpm"
  package_sha256             = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  grafana_password_parameter = "/clawd/prod/grafana"
}

run "host" {
  command = plan

  assert {
    condition     = aws_instance.this.metadata_options[0].http_tokens == "required" && aws_instance.this.associate_public_ip_address == false
    error_message = "IMDSv2, no public address."
  }
  assert {
    condition     = aws_ebs_volume.data.encrypted && aws_ebs_volume.data.type == "gp3" && aws_instance.this.root_block_device[0].encrypted
    error_message = "Volumes are encrypted."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.grafana) == 0
    error_message = "Nobody reaches Grafana unless viewer_cidrs says so."
  }
}

run "finds_the_nodes" {
  command = apply

  assert {
    condition     = yamldecode(module.user_data.prometheus).scrape_configs[0].ec2_sd_configs[0].filters[0].values[0] == "prod"
    error_message = "Prometheus looks for the cluster's tag."
  }
  assert {
    condition     = strcontains(module.user_data.text, "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0")
    error_message = "The volume is mounted by its id."
  }
  assert {
    condition     = length(module.user_data.base64gzip) * 3 / 4 <= 16384
    error_message = "EC2 takes 16384 bytes of user data."
  }
}

run "viewers" {
  command = plan
  variables { viewer_cidrs = ["10.0.0.0/8"] }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.grafana["10.0.0.0/8"].from_port == 3000
    error_message = "Viewers open Grafana."
  }
}

run "refuses_everyone" {
  command = plan
  variables { viewer_cidrs = ["0.0.0.0/0"] }
  expect_failures = [var.viewer_cidrs]
}

run "refuses_latest" {
  command = plan
  variables { grafana_image = "docker.io/grafana/grafana:latest" }
  expect_failures = [var.grafana_image]
}

run "refuses_a_strange_retention" {
  command = plan
  variables { retention = "forever" }
  expect_failures = [var.retention]
}
