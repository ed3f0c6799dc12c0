# shellcheck shell=bash
# Sourced by the scripts beside it: what a node knows of itself. Instance metadata is asked with a session token (IMDSv2).
set -euo pipefail

# CLUSTER, DATA_DIR, SECRETS (lines of FILE=PARAMETER) and the like; written by cloud-init.
# shellcheck source=/dev/null
. "${CLAWD_AWS_ENV:-/etc/clawd/aws.env}"

IMDS=${IMDS:-http://169.254.169.254}
RUN_DIR=${RUN_DIR:-/run/clawd-aws}

say() { echo "$(basename "$0"): $*" >&2; }

imds() {
	local token
	token=$(curl -sf --max-time 3 --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$IMDS/latest/api/token")
	curl -sf --max-time 3 --retry 5 -H "X-aws-ec2-metadata-token: $token" "$IMDS/latest/meta-data/$1"
}

instance_id() { imds instance-id; }
zone() { imds placement/availability-zone; }

AWS_REGION=${AWS_REGION:-$(imds placement/region)}
export AWS_REGION AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=
