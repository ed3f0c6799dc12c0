# One host with Prometheus and Grafana. It finds the nodes by tag; what it shows and when it calls comes from the clawd package.

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  arn   = "arn:${data.aws_partition.current.partition}"
  tags  = merge(var.tags, { "clawd-monitors" = var.name })
  image = coalesce(var.image_id, "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")

  package_bucket = try(regex("^s3://([^/]+)/(.+)$", var.package_url), null)

  statements = concat(
    [
      { Sid = "FindNodes", Effect = "Allow", Action = ["ec2:DescribeInstances", "ec2:DescribeAvailabilityZones"], Resource = "*" },
      {
        Sid      = "ReadPassword"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "${local.arn}:ssm:*:*:parameter${var.grafana_password_parameter}"
      },
    ],
    var.kms_key_arn == null ? [] : [{ Sid = "DecryptPassword", Effect = "Allow", Action = "kms:Decrypt", Resource = var.kms_key_arn }],
    local.package_bucket == null ? [] : [{
      Sid      = "FetchPackage", Effect = "Allow", Action = "s3:GetObject"
      Resource = "${local.arn}:s3:::${local.package_bucket[0]}/${local.package_bucket[1]}"
    }],
  )
}

module "user_data" {
  source = "./user-data"

  name                       = var.name
  region                     = data.aws_region.current.region
  volume_id                  = aws_ebs_volume.data.id
  package_url                = var.package_url
  package_sha256             = var.package_sha256
  prometheus_image           = var.prometheus_image
  grafana_image              = var.grafana_image
  api_port                   = var.api_port
  retention                  = var.retention
  grafana_password_parameter = var.grafana_password_parameter
}

resource "aws_ebs_volume" "data" {
  availability_zone = var.zone
  type              = "gp3"
  size              = var.volume_size
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  final_snapshot    = true
  tags              = merge(local.tags, { Name = "${var.name}-monitoring" })
}

resource "aws_volume_attachment" "data" {
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data.id
  instance_id                    = aws_instance.this.id
  stop_instance_before_detaching = true
}

resource "aws_instance" "this" {
  ami                         = local.image
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [aws_security_group.this.id]
  associate_public_ip_address = false
  iam_instance_profile        = aws_iam_instance_profile.this.name
  ebs_optimized               = true
  monitoring                  = true
  user_data_base64            = module.user_data.base64gzip
  user_data_replace_on_change = true
  tags                        = merge(local.tags, { Name = "${var.name}-monitoring" })

  # Prometheus asks for the role from inside a container: two hops.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  root_block_device {
    encrypted   = true
    kms_key_id  = var.kms_key_arn
    volume_type = "gp3"
    volume_size = 12
  }

  # 'Newest image' must not replace the host at every plan.
  lifecycle {
    ignore_changes = [ami]
  }
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-monitoring-"
  description = "Monitoring of the clawd cluster ${var.name}"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-monitoring" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "grafana" {
  for_each = toset(var.viewer_cidrs)

  security_group_id = aws_security_group.this.id
  description       = "Grafana from ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 3000
  to_port           = 3000
  tags              = local.tags
}

# The nodes may be anywhere in the VPC; that they answer is their group's rule.
resource "aws_vpc_security_group_egress_rule" "scrape" {
  security_group_id = aws_security_group.this.id
  description       = "Metrics of the nodes"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = var.api_port
  to_port           = var.api_port
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to AWS, the package and the container images"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}

resource "aws_iam_role" "this" {
  name_prefix = "${var.name}-monitoring-"
  tags        = local.tags

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "this" {
  name_prefix = "monitoring-"
  role        = aws_iam_role.this.name
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.this.name
  policy_arn = "${local.arn}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "this" {
  name_prefix = "${var.name}-monitoring-"
  role        = aws_iam_role.this.name
  tags        = local.tags
}
