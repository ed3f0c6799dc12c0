variable "region" {
  description = "Where to build."
  type        = string
  default     = "eu-central-1"
}

variable "vpc_id" {
  description = "Your VPC."
  type        = string
}

variable "subnets" {
  description = "Private subnets of it, by zone."
  type        = map(string)
}

variable "api_cidrs" {
  description = "Who may call: usually the range of the VPC."
  type        = list(string)
}

variable "package_url" {
  description = "Where you put the clawd package."
  type        = string
}

variable "package_sha256" {
  description = "Its SHA-256."
  type        = string
}

variable "gossip_key" {
  description = "openssl rand -base64 32"
  type        = string
  sensitive   = true
  ephemeral   = true
}
