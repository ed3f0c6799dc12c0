variable "name" {
  description = "Name of the cluster to watch: the value of its nodes' clawd-cluster tag."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}$", var.name))
    error_message = "name must be the name of a cluster: a letter, then at most 23 lower-case letters, digits and dashes."
  }
}

variable "vpc_id" {
  description = "The VPC of the subnet."
  type        = string
}

variable "subnet_id" {
  description = "Private subnet the monitoring host runs in, with a way to the container images and the package."
  type        = string
}

variable "zone" {
  description = "Availability zone of the subnet: its data volume is made there."
  type        = string
}

variable "instance_type" {
  description = "Type of the instance. Prometheus keeps about 1 KiB per series in memory; a cluster of three nodes has some thousand."
  type        = string
  default     = "t3.small"
}

variable "image_id" {
  description = "AMI. Default: the newest Amazon Linux 2023 when the host is made."
  type        = string
  default     = null
}

variable "package_url" {
  description = "Where the clawd package (.rpm for the default image) is, https:// or s3://: rules and dashboards come from it, so they fit the nodes."
  type        = string

  validation {
    condition     = can(regex("^(https|s3)://.+\\.(rpm|deb)$", var.package_url))
    error_message = "package_url must be an https:// or s3:// address of an .rpm or .deb."
  }
}

variable "package_sha256" {
  description = "SHA-256 of the package."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "package_sha256 must be 64 hex digits, as sha256sum prints them."
  }
}

variable "prometheus_image" {
  description = "Container image of Prometheus, with a version."
  type        = string
  default     = "docker.io/prom/prometheus:v3.5.0"

  validation {
    condition     = can(regex("(:[^/]*[0-9]|@sha256:[0-9a-f]{64})$", var.prometheus_image))
    error_message = "prometheus_image must name a version or a digest."
  }
}

variable "grafana_image" {
  description = "Container image of Grafana, with a version."
  type        = string
  default     = "docker.io/grafana/grafana:12.1.1"

  validation {
    condition     = can(regex("(:[^/]*[0-9]|@sha256:[0-9a-f]{64})$", var.grafana_image))
    error_message = "grafana_image must name a version or a digest."
  }
}

variable "api_port" {
  description = "Port of the nodes' metrics."
  type        = number
  default     = 8080
}

variable "retention" {
  description = "How long Prometheus keeps samples."
  type        = string
  default     = "30d"

  validation {
    condition     = can(regex("^[0-9]+[hdwy]$", var.retention))
    error_message = "retention must be a number with h, d, w or y."
  }
}

variable "volume_size" {
  description = "GiB of the encrypted gp3 volume of Prometheus and Grafana; it survives the instance."
  type        = number
  default     = 20

  validation {
    condition     = var.volume_size >= 4 && var.volume_size <= 16384
    error_message = "volume_size must be 4 to 16384 GiB."
  }
}

variable "grafana_password_parameter" {
  description = "Name of an existing SecureString parameter with the password of Grafana's admin."
  type        = string

  validation {
    condition     = can(regex("^/[A-Za-z0-9._/-]+$", var.grafana_password_parameter))
    error_message = "grafana_password_parameter must begin with a slash."
  }
}

variable "viewer_cidrs" {
  description = "IPv4 ranges that may open Grafana (port 3000). Empty: by Session Manager port forwarding only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.viewer_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "viewer_cidrs must be IPv4 ranges, and not everyone: Grafana's page is plain HTTP here."
  }
}

variable "kms_key_arn" {
  description = "Key for the volumes and the password parameter. Default: the account's own keys."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that is created."
  type        = map(string)
  default     = {}
}
