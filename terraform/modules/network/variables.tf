variable "name" {
  description = "Name of the network; the Name tag of what is created."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC. Each zone gets two sixteenths of it: one public, one private."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "cidr must be an IPv4 range of at least /24, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, by name. Three let the cluster lose one and keep two copies of everything."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 8 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must be one to eight different availability zones."
  }
}

variable "nat" {
  description = "How private subnets reach AWS and the package: 'single' is one NAT gateway (cheap; its zone is a single point of failure for starting nodes, not for running ones), 'per_zone' is one each, 'none' leaves it to you (VPC endpoints)."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_zone", "none"], var.nat)
    error_message = "nat must be single, per_zone or none."
  }
}

variable "tags" {
  description = "Tags of everything that is created."
  type        = map(string)
  default     = {}
}
