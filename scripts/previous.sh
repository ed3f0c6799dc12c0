#!/usr/bin/env bash
# Builds the version before this one, and prints the path of its binary: that of the newest tag v* that is behind this commit, or of the commit
# that internal/upgrade/previous names while there is no such tag. Exits with 3 when this clone does not have that commit.
set -euo pipefail

cd "$(dirname "$0")/.."
# The tag of this very commit is this version, not the one before.
if tag=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null); then
	name=$tag
	commit=$(git rev-list -n 1 "$tag")
else
	commit=$(grep -v '^#' internal/upgrade/previous)
	name=${commit:0:12}
fi
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
	echo "previous: commit $commit is not in this clone (a shallow one?)" >&2
	exit 3
fi
dir=$PWD/.tools/clawd-$name
if [ ! -x "$dir/clawd" ]; then
	echo "tools: building clawd $name into .tools/" >&2
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	git archive "$commit" | tar -x -C "$work"
	mkdir -p "$dir"
	(cd "$work" && CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X github.com/openclaw/clawd/internal/buildinfo.version=$name" -o "$dir/clawd.new" ./cmd/clawd)
	mv "$dir/clawd.new" "$dir/clawd"
fi
echo "$dir/clawd"
