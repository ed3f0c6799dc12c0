variable "name" {
  description = "Name of the cluster and of all around it."
  type        = string
  default     = "prod"
}

variable "region" {
  description = "Where to build."
  type        = string
  default     = "eu-central-1"
}

variable "zones" {
  description = "Zones of the region."
  type        = list(string)
  default     = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

variable "certificate_arn" {
  description = "ACM certificate of the name that callers use."
  type        = string
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

variable "alarm_actions" {
  description = "SNS topics that alarms go to."
  type        = list(string)
  default     = []
}
