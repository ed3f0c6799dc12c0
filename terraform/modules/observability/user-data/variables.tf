variable "name" {
  description = "Value of the nodes' clawd-cluster tag."
  type        = string
}

variable "region" {
  description = "Region the nodes are in."
  type        = string
}

variable "volume_id" {
  description = "EBS volume for the data of Prometheus and Grafana."
  type        = string
}

variable "package_url" {
  description = "Where the clawd package is."
  type        = string
}

variable "package_sha256" {
  description = "SHA-256 of the package."
  type        = string
}

variable "prometheus_image" {
  description = "Container image of Prometheus."
  type        = string
}

variable "grafana_image" {
  description = "Container image of Grafana."
  type        = string
}

variable "api_port" {
  description = "Port of the nodes' metrics."
  type        = number
}

variable "retention" {
  description = "How long Prometheus keeps samples."
  type        = string
}

variable "grafana_password_parameter" {
  description = "SSM parameter with the password of Grafana's admin."
  type        = string
}
