#!/usr/bin/env bash
# Renews requirements-dev.txt from requirements-dev.in: exact versions with hashes, for every Python that is supported.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" install --quiet uv==0.13.9
"$tool/bin/uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	--no-header --output-file requirements-dev.txt requirements-dev.in
