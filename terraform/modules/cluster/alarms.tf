# What AWS alone can see. What the nodes can see is the observability module's.

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  alarm_name          = "${var.name}-node-not-ready"
  alarm_description   = "A node of the clawd cluster ${var.name} has not been ready for five minutes. The others go on answering with its share of the rate kept aside for it."
  namespace           = "AWS/NetworkELB"
  metric_name         = "UnHealthyHostCount"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags

  dimensions = {
    LoadBalancer = aws_lb.api.arn_suffix
    TargetGroup  = aws_lb_target_group.api.arn_suffix
  }
}

resource "aws_cloudwatch_metric_alarm" "none_healthy" {
  alarm_name          = "${var.name}-no-node-ready"
  alarm_description   = "No node of the clawd cluster ${var.name} is ready: callers get nothing."
  namespace           = "AWS/NetworkELB"
  metric_name         = "HealthyHostCount"
  statistic           = "Maximum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags

  dimensions = {
    LoadBalancer = aws_lb.api.arn_suffix
    TargetGroup  = aws_lb_target_group.api.arn_suffix
  }
}

resource "aws_cloudwatch_metric_alarm" "cpu_credits" {
  count = local.burstable ? 1 : 0

  alarm_name          = "${var.name}-cpu-credits-low"
  alarm_description   = "A node of the clawd cluster ${var.name} has used up most of its CPU credits: it is busier than its baseline (20 % of each vCPU of a t3.medium) for long. Then it slows down (standard) or costs more (unlimited): add nodes, or take a type that is not burstable."
  namespace           = "AWS/EC2"
  metric_name         = "CPUCreditBalance"
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 60 # an hour of one vCPU
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags

  dimensions = { AutoScalingGroupName = aws_autoscaling_group.nodes.name }
}

resource "aws_cloudwatch_metric_alarm" "cpu_surplus" {
  count = local.burstable && var.cpu_credits == "unlimited" ? 1 : 0

  alarm_name          = "${var.name}-cpu-credits-charged"
  alarm_description   = "A node of the clawd cluster ${var.name} is billed for CPU above its baseline."
  namespace           = "AWS/EC2"
  metric_name         = "CPUSurplusCreditsCharged"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 12
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags

  dimensions = { AutoScalingGroupName = aws_autoscaling_group.nodes.name }
}
