#!/usr/bin/env bash
# Runs make targets one after the other, each with a heading and its time, and stops at the first that fails.
#   scripts/steps.sh TARGET...
set -euo pipefail

cd "$(dirname "$0")/.."
for step in "$@"; do
	echo "==> make $step"
	started=$SECONDS
	if ! "${MAKE:-make}" "$step"; then
		echo "==> make $step FAILED after $((SECONDS - started)) s" >&2
		exit 1
	fi
	echo "==> make $step: ok, $((SECONDS - started)) s"
done
