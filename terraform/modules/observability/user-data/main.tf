# As in ../../user-data: built as a value, encoded once.

locals {
  lib   = "/usr/local/lib/clawd"
  data  = "/var/lib/clawd-monitoring"
  files = "/usr/share/clawd" # of the package

  prometheus = {
    global     = { scrape_interval = "15s", evaluation_interval = "15s", external_labels = { cluster = var.name } }
    rule_files = ["/etc/clawd/rules/*.rules.yml"]
    scrape_configs = [{
      job_name = "clawd"
      ec2_sd_configs = [{
        region = var.region
        port   = var.api_port
        filters = [
          { name = "tag:clawd-cluster", values = [var.name] },
          { name = "tag:clawd-role", values = ["node"] },
          { name = "instance-state-name", values = ["running"] },
        ]
      }]
      relabel_configs = [
        { source_labels = ["__meta_ec2_private_ip", "__meta_ec2_instance_id"], separator = "/", target_label = "instance" },
        { source_labels = ["__meta_ec2_availability_zone"], target_label = "zone" },
      ]
    }]
  }

  datasources = {
    apiVersion = 1
    datasources = [{
      name = "Prometheus", uid = "prometheus", type = "prometheus", access = "proxy", isDefault = true, url = "http://127.0.0.1:9090"
    }]
  }

  dashboards = {
    apiVersion = 1
    providers  = [{ name = "clawd", type = "file", options = { path = "/etc/clawd/dashboards" } }]
  }

  # Containers in the host's network: Prometheus on loopback only, Grafana in front of it. Both read-only but for their data.
  container = "docker run --rm --network host --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp"

  prometheus_unit = <<-EOT
    [Unit]
    Description=Prometheus for clawd
    Requires=docker.service
    After=docker.service
    RequiresMountsFor=${local.data}

    [Service]
    ExecStartPre=-/usr/bin/docker rm -f prometheus
    ExecStart=/usr/bin/${local.container} --name prometheus -v ${local.data}/prometheus:/prometheus -v /etc/clawd/monitoring:/etc/prometheus:ro -v ${local.files}/prometheus:/etc/clawd/rules:ro ${var.prometheus_image} --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus --storage.tsdb.retention.time=${var.retention} --web.listen-address=127.0.0.1:9090
    ExecStop=/usr/bin/docker stop prometheus
    Restart=always
    RestartSec=10

    [Install]
    WantedBy=multi-user.target
  EOT

  grafana_unit = <<-EOT
    [Unit]
    Description=Grafana for clawd
    Requires=docker.service
    After=docker.service prometheus.service
    RequiresMountsFor=${local.data}

    [Service]
    ExecStartPre=-/usr/bin/docker rm -f grafana
    ExecStartPre=/usr/bin/bash -c 'umask 077; aws ssm get-parameter --region ${var.region} --with-decryption --name ${var.grafana_password_parameter} --query Parameter.Value --output text >/run/grafana-password && chown 472 /run/grafana-password'
    ExecStart=/usr/bin/${local.container} --name grafana -v ${local.data}/grafana:/var/lib/grafana -v /run/grafana-password:/run/password:ro -v /etc/clawd/monitoring/provisioning:/etc/grafana/provisioning:ro -v ${local.files}/grafana:/etc/clawd/dashboards:ro -e GF_SECURITY_ADMIN_PASSWORD__FILE=/run/password -e GF_ANALYTICS_REPORTING_ENABLED=false -e GF_USERS_ALLOW_SIGN_UP=false ${var.grafana_image}
    ExecStop=/usr/bin/docker stop grafana
    Restart=always
    RestartSec=10

    [Install]
    WantedBy=multi-user.target
  EOT

  cloud_config = {
    package_update = false
    packages       = ["docker"]
    write_files = [for f in [
      { path = "${local.lib}/install-package", permissions = "0755", content = file("${path.module}/../../user-data/files/install-package") },
      { path = "${local.lib}/mount-volume", permissions = "0755", content = file("${path.module}/../../user-data/files/mount-volume") },
      { path = "/etc/clawd/monitoring/prometheus.yml", permissions = "0644", content = yamlencode(local.prometheus) },
      { path = "/etc/clawd/monitoring/provisioning/datasources/clawd.yml", permissions = "0644", content = yamlencode(local.datasources) },
      { path = "/etc/clawd/monitoring/provisioning/dashboards/clawd.yml", permissions = "0644", content = yamlencode(local.dashboards) },
      { path = "/etc/systemd/system/prometheus.service", permissions = "0644", content = local.prometheus_unit },
      { path = "/etc/systemd/system/grafana.service", permissions = "0644", content = local.grafana_unit },
    ] : merge(f, { owner = "root:root" })]
    # The device is named after the volume, so a restart of the host finds it by the same line in fstab.
    runcmd = [
      ["${local.lib}/mount-volume", var.volume_id, local.data],
      ["bash", "-c", "echo '/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(var.volume_id, "-", "")} ${local.data} ext4 noatime,nodev,nosuid,noexec,nofail 0 2' >>/etc/fstab"],
      # The users of the two images.
      ["install", "-d", "-o", "65534", "-g", "65534", "${local.data}/prometheus"],
      ["install", "-d", "-o", "472", "-g", "0", "${local.data}/grafana"],
      ["${local.lib}/install-package", var.package_url, var.package_sha256],
      ["systemctl", "daemon-reload"],
      ["systemctl", "enable", "--now", "docker.service", "prometheus.service", "grafana.service"],
    ]
  }
}
