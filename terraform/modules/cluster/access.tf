# What a node may do in the account: find its peers and a volume by tag, read its own secrets, answer its own group's hooks, publish one metric.

locals {
  gossip_key_parameter = coalesce(var.gossip_key_parameter, "/clawd/${var.name}/gossip-key")
  secret_parameters    = distinct(concat([local.gossip_key_parameter], values(var.secrets)))
  arn                  = "arn:${data.aws_partition.current.partition}"
  package_bucket       = try(regex("^s3://([^/]+)/(.+)$", var.package_url), null)

  statements = concat(
    [
      {
        Sid      = "FindPeersAndVolumes"
        Effect   = "Allow"
        Action   = ["ec2:DescribeInstances", "ec2:DescribeVolumes"]
        Resource = "*" # these two know no narrower one
      },
      {
        Sid       = "ClaimVolume"
        Effect    = "Allow"
        Action    = "ec2:AttachVolume"
        Resource  = ["${local.arn}:ec2:*:*:volume/*", "${local.arn}:ec2:*:*:instance/*"]
        Condition = { StringEquals = { "aws:ResourceTag/clawd-cluster" = var.name } }
      },
      {
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = [for name in local.secret_parameters : "${local.arn}:ssm:*:*:parameter${name}"]
      },
      {
        Sid      = "AnswerHooks"
        Effect   = "Allow"
        Action   = "autoscaling:CompleteLifecycleAction"
        Resource = "${local.arn}:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/${var.name}"
      },
      {
        Sid       = "PublishLoad"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*" # as above; bounded by the namespace
        Condition = { StringEquals = { "cloudwatch:namespace" = "clawd" } }
      },
    ],
    var.kms_key_arn == null ? [] : [{
      Sid      = "DecryptSecrets"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = var.kms_key_arn
    }],
    local.package_bucket == null ? [] : [{
      Sid      = "FetchPackage"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.arn}:s3:::${local.package_bucket[0]}/${local.package_bucket[1]}"
    }],
  )
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_iam_role" "node" {
  name_prefix          = "${var.name}-node-"
  description          = "Nodes of the clawd cluster ${var.name}"
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "node" {
  name_prefix = "node-"
  role        = aws_iam_role.node.name
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  count = var.session_manager ? 1 : 0

  role       = aws_iam_role.node.name
  policy_arn = "${local.arn}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "node" {
  name_prefix = "${var.name}-node-"
  role        = aws_iam_role.node.name
  tags        = local.tags
}

# The value is write-only: it is sent to AWS, and is in no plan and no state.
resource "aws_ssm_parameter" "gossip_key" {
  count = var.gossip_key_parameter == null ? 1 : 0

  name             = local.gossip_key_parameter
  description      = "Gossip key of the clawd cluster ${var.name}"
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.gossip_key
  value_wo_version = var.gossip_key_version
  tags             = local.tags
}
