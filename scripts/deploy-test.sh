#!/usr/bin/env bash
# Checks what is for containers, without an engine: the Helm chart is linted and rendered, its configuration and the compose file's are read by clawd.
#   scripts/deploy-test.sh HELM
set -euo pipefail

cd "$(dirname "$0")/.."
helm=$1 chart=deploy/helm/clawd
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -c 'import yaml' 2>/dev/null || scripts/need.sh python3-yaml=python3-yaml
CGO_ENABLED=0 go build -o "$work/clawd" ./cmd/clawd
head -c 32 /dev/zero | base64 >"$work/gossip.key"
passed=0
ok() { passed=$((passed + 1)); }

"$helm" lint --strict --quiet "$chart"
ok
"$helm" template prod "$chart" >"$work/plain.yaml"
"$helm" template prod "$chart" --set gossip.secretName=k,serviceMonitor.enabled=true,replicas=5,settings.default_policy=50/1m >"$work/full.yaml"
for bad in replicas=0 storage.size=big image.pullPolicy=Sometimes replica=3; do
	if "$helm" template prod "$chart" --set "$bad" >/dev/null 2>&1; then
		echo "deploy-test: the chart takes $bad" >&2
		exit 1
	fi
	ok
done

/usr/bin/python3 scripts/check_deploy.py "$work"
ok
for config in plain full; do
	sed -i "s|/secrets/gossip.key|$work/gossip.key|" "$work/$config.clawd.yaml"
	"$work/clawd" config check --config "$work/$config.clawd.yaml" >/dev/null
	ok
done
# The nodes of the compose file, by their environment.
# shellcheck disable=SC2046 # one variable a word
env -i $(cat "$work/compose.env") "$work/clawd" config check >/dev/null
ok
echo "deploy-test: $passed passed, 0 failed"
