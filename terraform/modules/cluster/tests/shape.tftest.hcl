# What is asked of AWS, against a provider that knows the shape of its resources and makes their results up.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  name           = "prod"
  vpc_id         = "vpc-0123456789abcdef0"
  subnets        = { "eu-central-1a" = "subnet-a", "eu-central-1b" = "subnet-b", "eu-central-1c" = "subnet-c" }
  package_url    = "s3://packages.example.com/clawd/clawd-1.2.3.x86_64.rpm"
  package_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  gossip_key     = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  api_cidrs      = ["10.0.0.0/8"]
}

run "instances" {
  command = plan

  assert {
    condition     = aws_launch_template.node.instance_type == "t3.medium"
    error_message = "t3.medium is what the numbers are measured for."
  }
  assert {
    condition     = aws_launch_template.node.credit_specification[0].cpu_credits == "unlimited"
    error_message = "What happens when credits end has to be said."
  }
  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Instance metadata by token only (IMDSv2), one hop."
  }
  assert {
    condition     = aws_launch_template.node.block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.node.block_device_mappings[0].ebs[0].volume_type == "gp3"
    error_message = "The root volume is encrypted gp3."
  }
  assert {
    condition     = aws_launch_template.node.network_interfaces[0].associate_public_ip_address == "false"
    error_message = "Nodes have no public addresses."
  }
  assert {
    condition     = aws_launch_template.node.image_id == "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    error_message = "The default image is Amazon Linux 2023."
  }
}

run "data_volumes" {
  command = plan

  assert {
    condition     = length(aws_ebs_volume.data) == 3 && toset([for v in aws_ebs_volume.data : v.availability_zone]) == toset(keys(var.subnets))
    error_message = "Every zone has one data volume."
  }
  assert {
    condition     = alltrue([for v in aws_ebs_volume.data : v.encrypted && v.type == "gp3" && v.iops == 3000 && v.throughput == 125 && v.final_snapshot])
    error_message = "Data volumes are encrypted gp3, and leave a snapshot."
  }
  assert {
    condition     = alltrue([for v in aws_ebs_volume.data : v.tags["clawd-cluster"] == "prod"])
    error_message = "Nodes find their volumes by tag."
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.node.tag_specifications : !contains(keys(t.tags), "clawd-cluster") if t.resource_type == "volume"])
    error_message = "A root volume must not look like a data volume."
  }
}

run "group" {
  command = plan

  assert {
    condition     = aws_autoscaling_group.nodes.min_size == 3 && aws_autoscaling_group.nodes.max_size == 3 && length(aws_autoscaling_group.nodes.vpc_zone_identifier) == 3
    error_message = "Three nodes in three zones."
  }
  assert {
    condition     = aws_autoscaling_group.nodes.availability_zone_distribution[0].capacity_distribution_strategy == "balanced-only"
    error_message = "A node must start where its volume is."
  }
  assert {
    condition     = contains(aws_autoscaling_group.nodes.suspended_processes, "AZRebalance")
    error_message = "Nobody may start a node in another zone before one has left its volume."
  }
  assert {
    condition     = aws_autoscaling_group.nodes.instance_refresh[0].preferences[0].min_healthy_percentage == 66 && aws_autoscaling_group.nodes.instance_refresh[0].preferences[0].max_healthy_percentage == 100
    error_message = "Nodes are replaced one at a time, the old one first: a volume has one owner."
  }
  assert {
    condition     = aws_autoscaling_group.nodes.instance_maintenance_policy[0].max_healthy_percentage == 100
    error_message = "An unhealthy node goes before its replacement comes."
  }
  assert {
    condition = { for h in aws_autoscaling_group.nodes.initial_lifecycle_hook : h.name => [h.lifecycle_transition, h.default_result] } == {
      ready   = ["autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON"]
      drained = ["autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE"]
    }
    error_message = "One hook waits until a node is ready, one until it has drained."
  }
  assert {
    condition     = contains([for t in aws_autoscaling_group.nodes.tag : "${t.key}=${t.value}" if t.propagate_at_launch], "clawd-cluster=prod")
    error_message = "Nodes find each other by tag."
  }
  assert {
    condition     = length(aws_autoscaling_policy.requests) == 0
    error_message = "Nobody asked for scaling."
  }
}

run "rules" {
  command = plan

  assert {
    condition = { for name, r in aws_vpc_security_group_ingress_rule.between_nodes : name => "${r.ip_protocol}/${r.from_port}-${r.to_port}" } == {
      rows = "tcp/8081-8081", gossip-tcp = "tcp/7946-7946", gossip-udp = "udp/7946-7946"
    }
    error_message = "Nodes exchange rows on 8081 and gossip on 7946."
  }
  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.between_nodes : r.cidr_ipv4 == null])
    error_message = "Between nodes means by security group."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.api_cidr) == 1 && aws_vpc_security_group_ingress_rule.api_cidr["10.0.0.0/8"].from_port == 80
    error_message = "Callers come from where api_cidrs says, and nowhere else."
  }
  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.https) == ["0.0.0.0/0"] && aws_vpc_security_group_egress_rule.https["0.0.0.0/0"].to_port == 443
    error_message = "Nodes speak HTTPS to the outside and nothing else."
  }
}

run "load_balancer" {
  command = plan

  assert {
    condition     = aws_lb.api.internal && aws_lb.api.load_balancer_type == "network" && aws_lb.api.enable_cross_zone_load_balancing
    error_message = "An internal network load balancer over all zones."
  }
  assert {
    condition     = aws_lb_target_group.api.health_check[0].path == "/readyz" && aws_lb_target_group.api.health_check[0].protocol == "HTTP"
    error_message = "Traffic goes to ready nodes."
  }
  assert {
    condition     = tonumber(aws_lb_target_group.api.deregistration_delay) >= 30
    error_message = "Open calls are finished before a node goes."
  }
  assert {
    condition     = aws_lb_listener.api.port == 80 && aws_lb_listener.api.protocol == "TCP"
    error_message = "Without a certificate: plain HTTP inside."
  }
}

run "tls" {
  command = plan
  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
  }

  assert {
    condition     = aws_lb_listener.api.port == 443 && aws_lb_listener.api.protocol == "TLS" && strcontains(aws_lb_listener.api.ssl_policy, "TLS13")
    error_message = "With a certificate the listener is TLS."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.api_cidr["10.0.0.0/8"].to_port == 443
    error_message = "The rule has to follow the listener."
  }
}

run "permissions" {
  command = apply

  assert {
    condition     = !strcontains(aws_iam_role_policy.node.policy, "\"Action\":\"*\"") && !strcontains(aws_iam_role_policy.node.policy, ":*\"]")
    error_message = "No action is a wildcard."
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "ReadSecrets"][0] == ["arn:aws:ssm:*:*:parameter/clawd/prod/gossip-key"]
    error_message = "A node reads its own secrets only."
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Condition.StringEquals["aws:ResourceTag/clawd-cluster"] if s.Sid == "ClaimVolume"] == ["prod"]
    error_message = "A node attaches its own cluster's volumes only."
  }
  assert {
    condition     = join(" ", sort([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Sid if s.Resource == "*"])) == "FindPeersAndVolumes PublishLoad"
    error_message = "Only what AWS cannot bound by resource is unbounded."
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "FetchPackage"] == ["arn:aws:s3:::packages.example.com/clawd/clawd-1.2.3.x86_64.rpm"]
    error_message = "A package on S3 is readable, nothing beside it."
  }
}

run "secrets" {
  command = apply

  assert {
    condition     = aws_ssm_parameter.gossip_key[0].type == "SecureString" && aws_ssm_parameter.gossip_key[0].value_wo == null && aws_ssm_parameter.gossip_key[0].name == "/clawd/prod/gossip-key"
    error_message = "The key is written, and kept nowhere."
  }
  assert {
    condition     = !strcontains(module.user_data.text, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    error_message = "The key must not be in user data."
  }
}

run "an_existing_key" {
  command = plan
  variables {
    gossip_key           = null
    gossip_key_parameter = "/shared/gossip"
  }

  assert {
    condition     = length(aws_ssm_parameter.gossip_key) == 0 && strcontains(module.user_data.text, "gossip.key=/shared/gossip")
    error_message = "An existing parameter is read, not made."
  }
}

run "scaling" {
  command = plan
  variables {
    size                     = { min = 3, max = 7 }
    target_requests_per_node = 2000
  }

  assert {
    condition     = length(aws_ebs_volume.data) == 9
    error_message = "Seven nodes in three zones are at most three in one: each of these needs a volume."
  }
  assert {
    condition     = aws_autoscaling_policy.requests[0].target_tracking_configuration[0].target_value == 2000 && aws_autoscaling_policy.requests[0].target_tracking_configuration[0].customized_metric_specification[0].metric_name == "RequestsPerSecond"
    error_message = "Scaling follows the requests per node."
  }
}

run "not_burstable" {
  command = plan
  variables {
    instance_type = "m7g.large"
    architecture  = "arm64"
  }

  assert {
    condition     = length(aws_launch_template.node.credit_specification) == 0 && length(aws_cloudwatch_metric_alarm.cpu_credits) == 0
    error_message = "There are no credits to speak of."
  }
}

run "alarms" {
  command = apply

  assert {
    condition     = aws_cloudwatch_metric_alarm.cpu_credits[0].metric_name == "CPUCreditBalance" && aws_cloudwatch_metric_alarm.cpu_surplus[0].metric_name == "CPUSurplusCreditsCharged"
    error_message = "Credits are watched."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.none_healthy.treat_missing_data == "breaching"
    error_message = "No data on healthy nodes is no good news."
  }
}

run "tells_how_to_call_it" {
  command = apply

  assert {
    condition     = strcontains(output.try, "/v1/agents/demo/consume") && startswith(output.url, "http://")
    error_message = "The outputs tell how to call it."
  }
}
