#!/usr/bin/env bash
# Prints the path of a pinned Go tool, installing it first when it is missing.
#   scripts/tool.sh NAME MODULE-PATH VERSION
# The version is part of the path under .tools/, so raising it in the Makefile is enough to get the new one.
set -euo pipefail

if [ $# -ne 3 ]; then
	echo "usage: scripts/tool.sh NAME MODULE-PATH VERSION" >&2
	exit 2
fi
name=$1 path=$2 version=$3
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$root/.tools/$name-$version

if [ ! -x "$dir/$name" ]; then
	echo "tools: installing $name $version into .tools/ (the first build of a machine takes minutes, later ones seconds)" >&2
	# Flags meant for this module (-race, -tags, -mod) must not reach the tool's build.
	if ! GOFLAGS='' GOBIN=$dir CGO_ENABLED=0 go install "$path@$version" >&2; then
		echo "tools: CANNOT INSTALL $name $version: the step that needs it fails here" >&2
		exit 1
	fi
fi
echo "$dir/$name"
