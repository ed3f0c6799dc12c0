#!/usr/bin/env bash
# Prints the path of moto_server, a double of AWS's APIs, installing it into .tools/ when it is not there yet.
set -euo pipefail

cd "$(dirname "$0")/.."
version=5.2.5
venv=$PWD/.tools/moto-$version
if [ ! -e "$venv/made" ]; then
	echo "tools: installing moto $version into .tools/" >&2
	rm -rf "$venv"
	python3 -m venv "$venv"
	# uv installs in parallel what pip would one after the other.
	"$venv/bin/pip" install --quiet uv==0.13.9
	"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "moto[ec2,iam,server]==$version"
	touch "$venv/made"
fi
echo "$venv/bin/moto_server"
