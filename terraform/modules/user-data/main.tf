# User data is built as a value and encoded, not pasted together: whatever the inputs are, it is one valid YAML document.

locals {
  data_dir = "/var/lib/clawd"
  lib      = "/usr/local/lib/clawd"
  run_dir  = "/run/clawd-aws"

  # What clawd.yaml says when nobody asks for more. Addresses are the instance's own; 0.0.0.0 is advertised as its private one.
  defaults = {
    cluster     = var.name
    data_dir    = local.data_dir
    http_addr   = "0.0.0.0:8080"
    peer_addr   = "0.0.0.0:8081"
    gossip_addr = "0.0.0.0:7946"
    insecure    = var.insecure
    log_format  = "json"
    # Half of the 4 GiB of a t3.medium is left to the system's file cache.
    cache_size    = "512MiB"
    drain_timeout = "30s"
    # The instances that carry the cluster's tag; clawd asks EC2 with the instance's role, again while it is alone.
    join = ["aws:tag=clawd-cluster:${var.name},tag=clawd-role:node,port=${local.gossip_port}"]
  }
  gossip_port = try(element(split(":", var.settings.gossip_addr), -1), "7946")
  config      = merge(local.defaults, var.settings)

  environment = {
    CLUSTER        = var.name
    GROUP          = var.group
    DATA_DIR       = local.data_dir
    METRICS        = "http://127.0.0.1:${element(split(":", local.config.http_addr), -1)}/metrics"
    CLAWD_ADDR     = "http://127.0.0.1:${element(split(":", local.config.http_addr), -1)}"
    LAUNCH_HOOK    = var.launch_hook
    TERMINATE_HOOK = var.terminate_hook
    SECRETS        = join("\n", [for file, parameter in var.secrets : "${file}=${parameter}"])
  }

  scripts = ["claim-volume", "fetch-secrets", "install-package", "lifecycle", "mount-volume", "publish-load"]

  # Every secret is a credential of the service: readable by it alone, and never in its environment.
  drop_in = <<-EOT
    [Unit]
    Requires=clawd-prepare.service
    After=clawd-prepare.service
    RequiresMountsFor=${local.data_dir}

    [Service]
    Environment=CLAWD_GOSSIP_KEY_FILE=%d/gossip.key
    Environment=GOMEMLIMIT=3GiB
    %{for file in keys(var.secrets)~}
    LoadCredential=${file}:${local.run_dir}/${file}
    %{endfor~}
  EOT

  prepare = <<-EOT
    [Unit]
    Description=Volume and secrets for clawd
    Wants=network-online.target
    After=network-online.target
    Before=clawd.service

    [Service]
    Type=oneshot
    TimeoutStartSec=900
    ExecStart=${local.lib}/claim-volume
    ExecStart=${local.lib}/fetch-secrets
  EOT

  lifecycle = <<-EOT
    [Unit]
    Description=Lifecycle of this instance in its autoscaling group
    Wants=network-online.target
    After=network-online.target

    [Service]
    EnvironmentFile=/etc/clawd/aws.env
    ExecStart=${local.lib}/lifecycle
    Restart=on-failure
    RestartSec=5

    [Install]
    WantedBy=multi-user.target
  EOT

  load = <<-EOT
    [Unit]
    Description=Requests per second of clawd, for the scaling policy

    [Service]
    Type=oneshot
    ExecStart=${local.lib}/publish-load
  EOT

  load_timer = <<-EOT
    [Unit]
    Description=Requests per second of clawd, every minute

    [Timer]
    OnActiveSec=60
    OnUnitActiveSec=60
    AccuracySec=1

    [Install]
    WantedBy=timers.target
  EOT

  files = concat(
    [for script in local.scripts : {
      path        = "${local.lib}/${script}"
      permissions = "0755"
      content     = file("${path.module}/files/${script}")
    }],
    [
      { path = "${local.lib}/aws.sh", permissions = "0644", content = file("${path.module}/files/aws.sh") },
      { path = "/etc/clawd/aws.env", permissions = "0644", content = join("", [for k, v in local.environment : "${k}='${v}'\n"]) },
      { path = "/etc/clawd/clawd.yaml", permissions = "0644", content = yamlencode(local.config) },
      { path = "/etc/systemd/system/clawd.service.d/aws.conf", permissions = "0644", content = local.drop_in },
      { path = "/etc/systemd/system/clawd-prepare.service", permissions = "0644", content = local.prepare },
      { path = "/etc/systemd/system/clawd-lifecycle.service", permissions = "0644", content = local.lifecycle },
      { path = "/etc/systemd/system/clawd-load.service", permissions = "0644", content = local.load },
      { path = "/etc/systemd/system/clawd-load.timer", permissions = "0644", content = local.load_timer },
    ],
  )

  cloud_config = {
    package_update = false
    write_files    = [for f in local.files : merge(f, { owner = "root:root" })]
    runcmd = [
      ["${local.lib}/install-package", var.package_url, var.package_sha256],
      ["systemctl", "daemon-reload"],
      ["systemctl", "enable", "--now", "clawd-lifecycle.service", "clawd-load.timer"],
      ["systemctl", "enable", "--now", "clawd.service"],
    ]
  }
}
