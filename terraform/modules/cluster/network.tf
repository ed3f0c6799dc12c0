# Who may speak to whom: callers to the load balancer, the load balancer to the nodes' API, nodes to each other. Rules are resources of their own,
# so that one can be added from outside.

locals {
  # A network load balancer with a certificate ends TLS; the last hop stays in the VPC.
  listener_port = var.certificate_arn == null ? 80 : 443
}

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-lb-"
  description = "Callers of the clawd cluster ${var.name}"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-lb" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "api_cidr" {
  for_each = toset(var.api_cidrs)

  security_group_id = aws_security_group.load_balancer.id
  description       = "API from ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.listener_port
  to_port           = local.listener_port
  tags              = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "api_group" {
  for_each = var.api_security_groups

  security_group_id            = aws_security_group.load_balancer.id
  description                  = "API from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.listener_port
  to_port                      = local.listener_port
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "Calls and health checks to the nodes"
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = local.api_port
  to_port                      = local.api_port
  tags                         = local.tags
}

resource "aws_security_group" "node" {
  name_prefix = "${var.name}-node-"
  description = "Nodes of the clawd cluster ${var.name}"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-node" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  security_group_id            = aws_security_group.node.id
  description                  = "API from the load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.api_port
  to_port                      = local.api_port
  tags                         = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  for_each = var.metrics_security_groups

  security_group_id            = aws_security_group.node.id
  description                  = "Metrics to ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.api_port
  to_port                      = local.api_port
  tags                         = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "between_nodes" {
  for_each = local.node_ports

  security_group_id            = aws_security_group.node.id
  description                  = "Between nodes: ${each.key}"
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.port
  to_port                      = each.value.port
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "between_nodes" {
  for_each = local.node_ports

  security_group_id            = aws_security_group.node.id
  description                  = "Between nodes: ${each.key}"
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.port
  to_port                      = each.value.port
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = toset(var.egress_cidrs)

  security_group_id = aws_security_group.node.id
  description       = "HTTPS to AWS and the package at ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}

resource "aws_lb" "api" {
  #checkov:skip=CKV_AWS_91:logs of a network load balancer cover its TLS listeners only; nodes log what matters, and a bucket is yours to choose
  name                             = var.name
  load_balancer_type               = "network"
  internal                         = !var.public
  security_groups                  = [aws_security_group.load_balancer.id]
  subnets                          = values(coalesce(var.load_balancer_subnets, var.subnets))
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
  tags                             = merge(local.tags, { Name = var.name })
}

resource "aws_lb_target_group" "api" {
  name_prefix            = "clawd-"
  port                   = local.api_port
  protocol               = "TCP"
  target_type            = "instance"
  vpc_id                 = var.vpc_id
  preserve_client_ip     = "true"
  deregistration_delay   = "30"
  connection_termination = true
  tags                   = merge(local.tags, { Name = var.name })

  # Ready means joined and caught up; a degraded node is ready, so that a full disk does not take nodes away one after the other.
  health_check {
    protocol            = "HTTP"
    path                = "/readyz"
    port                = "traffic-port"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "api" {
  load_balancer_arn = aws_lb.api.arn
  port              = local.listener_port
  protocol          = var.certificate_arn == null ? "TCP" : "TLS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = var.certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  tags              = local.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}
