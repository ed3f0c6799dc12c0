# One autoscaling group over all zones. It launches into the zone with the fewest nodes and nowhere else ('balanced-only'), where the volume of the
# node that went is waiting; so a group can be one and still find its data. Nodes are replaced by terminating first: a volume has one owner.

locals {
  tags  = merge(var.tags, { "clawd-cluster" = var.name })
  zones = sort(keys(var.subnets))
  slots = ceil(var.size.max / length(local.zones))

  # zone/slot, one volume each.
  volumes = { for pair in setproduct(local.zones, range(local.slots)) : "${pair[0]}/${pair[1]}" => pair[0] }

  burstable = startswith(var.instance_type, "t")
  image     = coalesce(var.image_id, "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}")

  hooks = { ready = "ready", drained = "drained" }

  # One node at a time while the group has its smallest size, never more than a third of a larger one.
  healthy_percentage = max(0, floor(100 * (var.size.min - 1) / var.size.min))

  api_port = try(tonumber(element(split(":", module.user_data.config.http_addr), -1)), 8080)
  # What nodes say to each other, by port and protocol.
  node_ports = {
    rows       = { port = try(tonumber(element(split(":", module.user_data.config.peer_addr), -1)), 8081), protocol = "tcp" }
    gossip-tcp = { port = try(tonumber(element(split(":", module.user_data.config.gossip_addr), -1)), 7946), protocol = "tcp" }
    gossip-udp = { port = try(tonumber(element(split(":", module.user_data.config.gossip_addr), -1)), 7946), protocol = "udp" }
  }
}

module "user_data" {
  source = "../user-data"

  name           = var.name
  group          = var.name
  package_url    = var.package_url
  package_sha256 = var.package_sha256
  secrets        = merge(var.secrets, { "gossip.key" = local.gossip_key_parameter })
  settings       = var.settings
  insecure       = var.insecure
  launch_hook    = local.hooks.ready
  terminate_hook = local.hooks.drained
}

resource "aws_ebs_volume" "data" {
  for_each = local.volumes

  availability_zone = each.value
  type              = "gp3"
  size              = var.volume.size
  iops              = var.volume.iops
  throughput        = var.volume.throughput
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  final_snapshot    = var.final_snapshot
  tags              = merge(local.tags, { Name = "${var.name}-data-${each.key}", "clawd-role" = "data" })
}

resource "aws_launch_template" "node" {
  name_prefix            = "${var.name}-"
  description            = "A node of the clawd cluster ${var.name}"
  image_id               = local.image
  instance_type          = var.instance_type
  update_default_version = true
  ebs_optimized          = "true"
  user_data              = module.user_data.base64gzip

  # What runs on a node may ask for its role by token only, and no container beside it may.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "credit_specification" {
    for_each = local.burstable ? [var.cpu_credits] : []
    content {
      cpu_credits = credit_specification.value
    }
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = 8
      encrypted             = "true"
      kms_key_id            = var.kms_key_arn
      delete_on_termination = "true"
    }
  }

  network_interfaces {
    associate_public_ip_address = "false"
    delete_on_termination       = "true"
    security_groups             = [aws_security_group.node.id]
  }

  iam_instance_profile {
    arn = aws_iam_instance_profile.node.arn
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]
    content {
      resource_type = tag_specifications.value
      # The root volume is no data volume: it must not be claimed, so it goes without the cluster's tag.
      tags = merge(
        tag_specifications.value == "volume" ? var.tags : local.tags,
        { Name = var.name },
        tag_specifications.value == "instance" ? { "clawd-role" = "node" } : {},
      )
    }
  }

  tags = local.tags

  lifecycle {
    create_before_destroy = true

    precondition {
      # base64 is four thirds of what EC2 counts.
      condition     = length(module.user_data.base64gzip) * 3 / 4 <= 16384
      error_message = "The user data is larger than the 16 KiB that EC2 takes: make settings smaller."
    }
  }
}

resource "aws_autoscaling_group" "nodes" {
  name                = var.name
  min_size            = var.size.min
  max_size            = var.size.max
  desired_capacity    = var.target_requests_per_node == null ? var.size.min : null
  vpc_zone_identifier = [for zone in local.zones : var.subnets[zone]]
  target_group_arns   = [aws_lb_target_group.api.arn]

  health_check_type         = "ELB"
  health_check_grace_period = 300
  default_cooldown          = 60
  default_instance_warmup   = 60
  capacity_rebalance        = false
  # It would start a node in another zone before it ends one, without asking whether a volume is free there.
  suspended_processes  = ["AZRebalance"]
  termination_policies = ["OldestLaunchTemplate", "Default"]
  # Terraform waits for the first nodes to be ready, and on destroy for the last to drain.
  wait_for_capacity_timeout = "15m"

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  availability_zone_distribution {
    capacity_distribution_strategy = "balanced-only"
  }

  instance_maintenance_policy {
    min_healthy_percentage = local.healthy_percentage
    max_healthy_percentage = 100
  }

  # A new launch template is rolled out at once: terminate, drain, launch, ready, next. An alarm stops it and rolls back.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage       = local.healthy_percentage
      max_healthy_percentage       = 100
      instance_warmup              = "60"
      skip_matching                = true
      auto_rollback                = true
      scale_in_protected_instances = "Wait"
      standby_instances            = "Wait"
      alarm_specification {
        alarms = [aws_cloudwatch_metric_alarm.unhealthy.alarm_name]
      }
    }
  }

  # Part of the group itself, so that its very first instances are held as well.
  initial_lifecycle_hook {
    name                 = local.hooks.ready
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    default_result       = "ABANDON"
    heartbeat_timeout    = 900
  }

  initial_lifecycle_hook {
    name                 = local.hooks.drained
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    default_result       = "CONTINUE"
    heartbeat_timeout    = 180
  }

  dynamic "tag" {
    for_each = merge(local.tags, { Name = var.name, "clawd-role" = "node" })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  depends_on = [
    aws_ebs_volume.data,
    aws_iam_role_policy.node,
    aws_ssm_parameter.gossip_key,
    aws_vpc_security_group_ingress_rule.between_nodes,
    aws_vpc_security_group_egress_rule.between_nodes,
    aws_vpc_security_group_egress_rule.https,
  ]
}

resource "aws_autoscaling_policy" "requests" {
  count = var.target_requests_per_node == null ? 0 : 1

  name                   = "${var.name}-requests-per-node"
  autoscaling_group_name = aws_autoscaling_group.nodes.name
  policy_type            = "TargetTrackingScaling"

  # A node more takes its share of the rate at once; a node less drains first, which the 'drained' hook waits for.
  target_tracking_configuration {
    target_value = var.target_requests_per_node
    customized_metric_specification {
      namespace   = "clawd"
      metric_name = "RequestsPerSecond"
      statistic   = "Average"
      unit        = "Count/Second"
      metric_dimension {
        name  = "AutoScalingGroupName"
        value = aws_autoscaling_group.nodes.name
      }
    }
  }
}
