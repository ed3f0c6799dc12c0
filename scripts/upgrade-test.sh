#!/usr/bin/env bash
# A rolling upgrade from the version before, under load: scripts/upgrade-test.sh [go test flags].
# A clone without that version's commit cannot check it, and is told so.
set -euo pipefail

cd "$(dirname "$0")/.."
code=0
previous=$(scripts/previous.sh) || code=$?
if [ "$code" -eq 3 ]; then
	echo "upgrade-test: NOT CHECKED: whether this version works beside the one before. Get the history (git fetch --unshallow --tags) and run it again." >&2
	exit 0
fi
[ "$code" -eq 0 ] || exit "$code"
UPGRADE_FROM=$previous go test -tags upgrade -count=1 -timeout 30m "$@" ./internal/upgrade
