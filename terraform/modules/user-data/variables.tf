variable "name" {
  description = "Name of the cluster: the value of the clawd-cluster tag and the name nodes give each other."
  type        = string
}

variable "group" {
  description = "Name of the autoscaling group the instance belongs to."
  type        = string
}

variable "package_url" {
  description = "Where the clawd package (.rpm or .deb) is: https:// or s3://."
  type        = string
}

variable "package_sha256" {
  description = "SHA-256 of the package, in hex."
  type        = string
}

variable "secrets" {
  description = "Files the node needs, by name, with the SSM parameter each is read from at every start."
  type        = map(string)
}

variable "settings" {
  description = "Lines of clawd.yaml, on top of what the module sets."
  type        = any
  default     = {}
}

variable "insecure" {
  description = "Listen inside the VPC although callers are not authenticated."
  type        = bool
  default     = true
}

variable "launch_hook" {
  description = "Lifecycle hook that waits until the node is ready."
  type        = string
  default     = "ready"
}

variable "terminate_hook" {
  description = "Lifecycle hook that waits until the node has drained."
  type        = string
  default     = "drained"
}
