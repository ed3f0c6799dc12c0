output "text" {
  description = "The user data as cloud-init reads it."
  value       = "#cloud-config\n${yamlencode(local.cloud_config)}"
}

output "base64gzip" {
  description = "The user data for a launch template. EC2 takes at most 16384 bytes before the base64."
  value       = base64gzip("#cloud-config\n${yamlencode(local.cloud_config)}")
}

output "config" {
  description = "clawd.yaml as an object."
  value       = local.config
}
