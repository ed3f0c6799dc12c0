output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Address range of the VPC: who may call the cluster, if nobody else does."
  value       = aws_vpc.this.cidr_block
}

output "private_subnets" {
  description = "Private subnets by zone, as the cluster module takes them."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "public_subnets" {
  description = "Public subnets by zone, for a public load balancer."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}
