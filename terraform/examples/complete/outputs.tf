output "url" {
  description = "Where the API is. Point the certificate's name there."
  value       = module.clawd.url
}

output "try" {
  description = "A first call."
  value       = module.clawd.try
}

output "grafana" {
  description = "How to open Grafana."
  value       = module.monitoring.grafana
}
