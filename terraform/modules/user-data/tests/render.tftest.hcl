# No provider is involved here: what is rendered is the real thing.

variables {
  name           = "prod"
  group          = "prod"
  package_url    = "https://packages.example.com/clawd-1.2.3.x86_64.rpm"
  package_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  secrets        = { "gossip.key" = "/clawd/prod/gossip-key", "tls.pem" = "/clawd/prod/tls" }
}

run "is_one_cloud_config" {
  command = apply

  assert {
    condition     = startswith(output.text, "#cloud-config\n")
    error_message = "cloud-init knows cloud-config by its first line."
  }
  assert {
    condition     = yamldecode(output.text).write_files != null
    error_message = "The user data is not YAML."
  }
  assert {
    # base64 is four thirds of what EC2 counts.
    condition     = length(output.base64gzip) * 3 / 4 <= 16384
    error_message = "EC2 takes 16384 bytes of user data."
  }
}

run "secrets_are_references" {
  command = apply

  assert {
    condition     = strcontains(output.text, "gossip.key=/clawd/prod/gossip-key")
    error_message = "The node is not told where its gossip key is."
  }
  assert {
    condition     = strcontains(output.text, "LoadCredential=tls.pem:/run/clawd-aws/tls.pem")
    error_message = "A secret is not handed to the service as a credential."
  }
}

run "package_is_pinned" {
  command = apply

  assert {
    condition     = yamldecode(output.text).runcmd[0] == ["/usr/local/lib/clawd/install-package", var.package_url, var.package_sha256]
    error_message = "The package must be installed first, by its sum."
  }
}

run "nodes_find_each_other_by_tag" {
  command = apply

  assert {
    condition     = output.config.join == ["aws:tag=clawd-cluster:prod,tag=clawd-role:node,port=7946"]
    error_message = "Nodes are found by the tags the launch template gives them."
  }
}

run "another_gossip_port" {
  command = apply

  variables {
    settings = { gossip_addr = "0.0.0.0:7000" }
  }
  assert {
    condition     = endswith(output.config.join[0], ",port=7000")
    error_message = "Nodes have to be called where they listen."
  }
}

run "settings_win" {
  command = apply

  variables {
    settings = { http_addr = "0.0.0.0:9000", default_policy = { capacity = 5, refill_rate = 5, interval_seconds = 60 } }
  }
  assert {
    condition     = output.config.http_addr == "0.0.0.0:9000" && output.config.default_policy.capacity == 5 && output.config.cluster == "prod"
    error_message = "Settings are laid over the module's."
  }
  assert {
    condition     = strcontains(output.text, "http://127.0.0.1:9000/metrics")
    error_message = "Scripts on the node have to follow the port."
  }
}
