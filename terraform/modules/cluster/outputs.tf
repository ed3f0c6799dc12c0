locals {
  url = "${var.certificate_arn == null ? "http" : "https"}://${aws_lb.api.dns_name}"
}

output "url" {
  description = "Base URL of the API. With a certificate, call it by a name of the certificate that leads here."
  value       = local.url
}

output "try" {
  description = "A command that takes ten tokens, to be run where the API may be called from."
  value       = "curl -s --json '{\"tokens\":10}' ${local.url}/v1/agents/demo/consume"
}

output "dns_name" {
  description = "Name of the load balancer, for an alias record."
  value       = aws_lb.api.dns_name
}

output "zone_id" {
  description = "Hosted zone of that name, for an alias record."
  value       = aws_lb.api.zone_id
}

output "group_name" {
  description = "Name of the autoscaling group."
  value       = aws_autoscaling_group.nodes.name
}

output "node_security_group_id" {
  description = "Security group of the nodes."
  value       = aws_security_group.node.id
}

output "load_balancer_security_group_id" {
  description = "Security group of the load balancer: add rules to it to let others call."
  value       = aws_security_group.load_balancer.id
}

output "role_name" {
  description = "IAM role of the nodes."
  value       = aws_iam_role.node.name
}

output "join_tag" {
  description = "Tag that nodes find each other by."
  value       = { key = "clawd-cluster", value = var.name }
}

output "volume_ids" {
  description = "Data volumes, by zone and slot."
  value       = { for slot, volume in aws_ebs_volume.data : slot => volume.id }
}

output "shell" {
  description = "A command that lists the nodes; open a shell on one with: aws ssm start-session --target INSTANCE."
  value       = "aws ec2 describe-instances --region ${data.aws_region.current.region} --filters Name=tag:clawd-cluster,Values=${var.name} Name=instance-state-name,Values=running --query 'Reservations[].Instances[].[InstanceId,Placement.AvailabilityZone,PrivateIpAddress]' --output table"
}
