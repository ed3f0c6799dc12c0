variable "name" {
  description = "Name of the cluster. Nodes refuse others of another name, and a data volume belongs to one name for ever."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}$", var.name))
    error_message = "name must begin with a letter and have at most 24 lower-case letters, digits and dashes: load balancers take no more."
  }
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
}

variable "subnets" {
  description = "Where nodes run: private subnet by availability zone, such as { \"eu-central-1a\" = \"subnet-0a…\" }. One node can be lost with its zone; three zones are the shape this is made for."
  type        = map(string)

  validation {
    condition     = length(var.subnets) >= 1 && alltrue([for zone, subnet in var.subnets : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "subnets must map availability zones (eu-central-1a) to subnet ids."
  }
}

variable "load_balancer_subnets" {
  description = "Where the load balancer listens, by zone. Default: the subnets of the nodes."
  type        = map(string)
  default     = null
}

variable "instance_type" {
  description = "Type of the instances. The numbers in docs/ are measured for t3.medium: 2 vCPU, 4 GiB."
  type        = string
  default     = "t3.medium"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type must look like t3.medium."
  }
}

variable "cpu_credits" {
  description = "What a burstable instance does when its credits are used up: 'unlimited' pays for more (about $0.05 per vCPU hour), 'standard' slows down to the baseline (20 % of each vCPU for t3.medium). Ignored for other instance types."
  type        = string
  default     = "unlimited"

  validation {
    condition     = contains(["unlimited", "standard"], var.cpu_credits)
    error_message = "cpu_credits must be unlimited or standard."
  }
}

variable "image_id" {
  description = "AMI. Default: the newest Amazon Linux 2023 at the time an instance starts. Another image needs systemd, cloud-init, curl and the AWS CLI."
  type        = string
  default     = null

  validation {
    condition     = var.image_id == null || can(regex("^(ami-[0-9a-f]{8,17}|resolve:ssm:.+)$", var.image_id))
    error_message = "image_id must be an AMI id (ami-…) or resolve:ssm:PARAMETER."
  }
}

variable "architecture" {
  description = "Of the default image; must fit the instance type and the package."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "package_url" {
  description = "Where the clawd package is, https:// or s3://. Instances need a way there."
  type        = string

  validation {
    condition     = can(regex("^(https|s3)://.+\\.(rpm|deb)$", var.package_url))
    error_message = "package_url must be an https:// or s3:// address of an .rpm or .deb."
  }
}

variable "package_sha256" {
  description = "SHA-256 of the package; an instance installs nothing else."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "package_sha256 must be 64 hex digits, as sha256sum prints them."
  }
}

variable "size" {
  description = "How many nodes: at first and at least (min), and at most (max). Each possible node has a data volume."
  type        = object({ min = number, max = number })
  default     = { min = 3, max = 3 }

  validation {
    condition     = var.size.min >= 1 && var.size.max >= var.size.min && var.size.max <= 48 && floor(var.size.min) == var.size.min && floor(var.size.max) == var.size.max
    error_message = "size must be whole numbers with 1 <= min <= max <= 48."
  }
}

variable "target_requests_per_node" {
  description = "Requests per second and node that scaling aims at. Without it the number of nodes stays at size.min."
  type        = number
  default     = null

  validation {
    condition     = var.target_requests_per_node == null || try(var.target_requests_per_node > 0, false)
    error_message = "target_requests_per_node must be above 0."
  }
  validation {
    condition     = var.target_requests_per_node == null || var.size.max > var.size.min
    error_message = "target_requests_per_node needs room to scale: size.max above size.min."
  }
}

variable "volume" {
  description = "The gp3 data volume of each node. It is encrypted, and survives the instance."
  type        = object({ size = optional(number, 20), iops = optional(number, 3000), throughput = optional(number, 125) })
  default     = {}

  validation {
    condition     = var.volume.size >= 4 && var.volume.size <= 16384
    error_message = "volume.size must be 4 to 16384 GiB."
  }
  validation {
    condition     = var.volume.iops >= 3000 && var.volume.iops <= 80000 && var.volume.iops <= 500 * max(var.volume.size, 6)
    error_message = "volume.iops of gp3 must be 3000 to 80000, and at most 500 per GiB."
  }
  validation {
    condition     = var.volume.throughput >= 125 && var.volume.throughput <= 2000 && var.volume.throughput <= var.volume.iops / 4
    error_message = "volume.throughput of gp3 must be 125 to 2000 MiB/s, and at most a quarter of iops."
  }
}

variable "final_snapshot" {
  description = "Keep a snapshot of each data volume that Terraform deletes."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "Key for volumes and parameters. Default: the account's own keys for EBS and SSM."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "gossip_key" {
  description = "Key of the gossip between nodes: base64 of 32 bytes, as 'openssl rand -base64 32' prints it. It goes to a SecureString parameter and is kept neither in the plan nor in the state."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.gossip_key == null || can(regex("^[A-Za-z0-9+/]{43}=$", var.gossip_key))
    error_message = "gossip_key must be the base64 form of 32 bytes: openssl rand -base64 32."
  }
  validation {
    condition     = (var.gossip_key == null) != (var.gossip_key_parameter == null)
    error_message = "Give either gossip_key or gossip_key_parameter: nodes do not gossip in clear."
  }
}

variable "gossip_key_version" {
  description = "Raise it to have a changed gossip_key written. See the operations page on how keys are rotated."
  type        = number
  default     = 1
}

variable "gossip_key_parameter" {
  description = "Name of an existing SecureString parameter with the key. Then gossip_key is not needed."
  type        = string
  default     = null

  validation {
    condition     = var.gossip_key_parameter == null || can(regex("^/", var.gossip_key_parameter))
    error_message = "gossip_key_parameter must begin with a slash."
  }
}

variable "secrets" {
  description = "More files for the nodes, by name, each with the SecureString parameter it is read from at every start, such as certificates. A node finds them in its credentials directory."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for file, parameter in var.secrets : can(regex("^[a-z0-9._-]+$", file)) && can(regex("^/[A-Za-z0-9._/-]+$", parameter)) && file != "gossip.key"])
    error_message = "secrets must map file names (lower case, not gossip.key) to parameter names that begin with a slash."
  }
}

variable "settings" {
  description = "Lines of clawd.yaml on top of the module's, as 'clawd serve --help' lists them with '_' for '-'."
  type        = any
  default     = {}
}

variable "insecure" {
  description = "Listen in the VPC although nothing authenticates callers but the security groups. Set it to false once settings and secrets give the nodes keys and certificates."
  type        = bool
  default     = true
}

variable "api_cidrs" {
  description = "IPv4 ranges that may call the API through the load balancer."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.api_cidrs : can(cidrhost(cidr, 0))])
    error_message = "api_cidrs must be IPv4 ranges such as 10.0.0.0/8."
  }
}

variable "api_security_groups" {
  description = "Security groups whose members may call the API, by a name of your choice."
  type        = map(string)
  default     = {}
}

variable "metrics_security_groups" {
  description = "Security groups whose members may scrape the nodes, by a name of your choice."
  type        = map(string)
  default     = {}
}

variable "certificate_arn" {
  description = "ACM certificate of the load balancer. With it the API is TLS on port 443, without it plain HTTP on port 80, which only an internal load balancer may have."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:(acm|iam):", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate."
  }
}

variable "public" {
  description = "Give the load balancer public addresses."
  type        = bool
  default     = false

  validation {
    condition     = !var.public || var.certificate_arn != null
    error_message = "A public load balancer needs certificate_arn: keys must not travel in clear."
  }
  validation {
    condition     = !var.public || !var.insecure
    error_message = "A public load balancer needs insecure = false: nothing would authenticate callers."
  }
  validation {
    condition     = !var.public || var.load_balancer_subnets != null
    error_message = "A public load balancer needs load_balancer_subnets, which are public."
  }
}

variable "egress_cidrs" {
  description = "Where nodes may open HTTPS connections to: AWS's APIs and the package. Narrow it when the VPC has endpoints for them."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "session_manager" {
  description = "Let operators open a shell by SSM Session Manager. There is no SSH."
  type        = bool
  default     = true
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds the nodes' role."
  type        = string
  default     = null
}

variable "alarm_actions" {
  description = "ARNs that alarms notify, such as an SNS topic."
  type        = list(string)
  default     = []
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of everything that is created."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.tags), ["clawd-cluster", "clawd-role", "Name"])) == 0
    error_message = "tags must leave clawd-cluster, clawd-role and Name to the module: nodes find each other and their volumes by them."
  }
}
