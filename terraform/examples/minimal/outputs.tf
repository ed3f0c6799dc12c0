output "try" {
  description = "A first call."
  value       = module.clawd.try
}
