output "text" {
  description = "The user data as cloud-init reads it."
  value       = "#cloud-config\n${yamlencode(local.cloud_config)}"
}

output "base64gzip" {
  description = "The user data for EC2, which takes at most 16384 bytes before the base64."
  value       = base64gzip("#cloud-config\n${yamlencode(local.cloud_config)}")
}

output "prometheus" {
  description = "prometheus.yml."
  value       = yamlencode(local.prometheus)
}
