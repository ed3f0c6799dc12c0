# Three nodes in private subnets that you have. Callers come from inside the VPC.
#
#   export TF_VAR_gossip_key=$(openssl rand -base64 32)
#   terraform init && terraform apply

provider "aws" {
  region = var.region
}

module "clawd" {
  source = "../../modules/cluster"

  name           = "clawd"
  vpc_id         = var.vpc_id
  subnets        = var.subnets
  package_url    = var.package_url
  package_sha256 = var.package_sha256
  gossip_key     = var.gossip_key
  api_cidrs      = var.api_cidrs
}
