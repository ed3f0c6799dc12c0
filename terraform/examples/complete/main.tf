# A network, a cluster that scales between three and nine nodes behind TLS, and its monitoring.
#
#   export TF_VAR_gossip_key=$(openssl rand -base64 32)
#   aws ssm put-parameter --type SecureString --name /clawd/prod/grafana --value "$(openssl rand -base64 18)"
#   terraform init && terraform apply

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "clawd", environment = var.name }
  }
}

module "network" {
  source = "../../modules/network"

  name  = var.name
  zones = var.zones
  nat   = "per_zone"
}

module "clawd" {
  source = "../../modules/cluster"

  name    = var.name
  vpc_id  = module.network.vpc_id
  subnets = module.network.private_subnets

  instance_type            = "t3.medium"
  cpu_credits              = "unlimited"
  size                     = { min = 3, max = 9 }
  target_requests_per_node = 2000
  volume                   = { size = 40 }

  package_url    = var.package_url
  package_sha256 = var.package_sha256
  gossip_key     = var.gossip_key
  settings = {
    default_policy = { capacity = 50000, refill_rate = 50000, interval_seconds = 3600 }
    legacy_headers = true
  }

  certificate_arn         = var.certificate_arn
  api_cidrs               = [module.network.cidr]
  metrics_security_groups = { monitoring = module.monitoring.security_group_id }
  alarm_actions           = var.alarm_actions
}

module "monitoring" {
  source = "../../modules/observability"

  name      = var.name
  vpc_id    = module.network.vpc_id
  subnet_id = module.network.private_subnets[var.zones[0]]
  zone      = var.zones[0]

  package_url                = var.package_url
  package_sha256             = var.package_sha256
  grafana_password_parameter = "/clawd/${var.name}/grafana"
}
