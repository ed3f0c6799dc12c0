output "security_group_id" {
  description = "Security group of the host: give it to the cluster as one of metrics_security_groups."
  value       = aws_security_group.this.id
}

output "grafana" {
  description = "A command that brings Grafana to http://localhost:3000, without opening a port."
  value       = "aws ssm start-session --target ${aws_instance.this.id} --document-name AWS-StartPortForwardingSession --parameters portNumber=3000,localPortNumber=3000"
}

output "private_ip" {
  description = "Address of the host."
  value       = aws_instance.this.private_ip
}
