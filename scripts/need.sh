#!/usr/bin/env bash
# Makes sure that commands from Debian packages are there; installs only what is missing.
#   scripts/need.sh COMMAND=PACKAGE...
# As root with apt-get it installs. Anywhere else it names the package and fails, rather than going on without.
set -euo pipefail

missing=()
for pair in "$@"; do
	PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "need: MISSING: install the packages ${missing[*]} (commands: $*)" >&2
	exit 1
fi
echo "need: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# The package list of a new machine is empty or old, so a first failure only means: refresh it.
apt-get install -y -qq "${missing[@]}" >/dev/null 2>&1 && exit 0
apt-get update -qq >&2 || true
if ! apt-get install -y -qq "${missing[@]}" >&2; then
	echo "need: CANNOT INSTALL ${missing[*]}: the step that needs them fails here" >&2
	exit 1
fi
