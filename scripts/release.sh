#!/usr/bin/env bash
# Builds all that a release has into dist/: packages, archives, what the binaries are made of (CycloneDX), the licenses of that, and the sums.
#   scripts/release.sh NFPM VERSION LDFLAGS
# Then builds it a second time from a clone elsewhere, and fails unless every file is the same.
set -euo pipefail

cd "$(dirname "$0")/.."
nfpm=$1 version=$2 ldflags=$3
case $version in
*-dirty) echo "release: $version: commit first; a release is what a commit says" >&2 && exit 1 ;;
v*-*-g* | v0.0.0-dev) echo "release: $version is no tag: this is a rehearsal" >&2 ;;
esac

all() { # NFPM VERSION LDFLAGS: everything, into dist/ of this directory
	scripts/package.sh "$1" "$2" "$3"
	epoch=$(git log -1 --format=%ct)
	for arch in amd64 arm64; do
		name=clawd-${2#v}-linux-$arch
		stage=$(mktemp -d)
		mkdir "$stage/$name"
		# As in the packages: the same flags give the same bytes.
		CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=auto -ldflags "$3" -o "$stage/$name/clawd" ./cmd/clawd
		cp LICENSE README.md CHANGELOG.md "$stage/$name/"
		go run ./internal/release licenses "$stage/$name/clawd" >"$stage/$name/THIRD-PARTY-LICENSES"
		go run ./internal/release sbom "$stage/$name/clawd" >"dist/$name.cdx.json"
		chmod -R u=rwX,go=rX "$stage/$name"
		tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -C "$stage" -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
		rm -rf "$stage"
	done
	(cd dist && sha256sum -- *.deb *.rpm *.tar.gz *.cdx.json >SHA256SUMS)
}

if [ "${RELEASE_ONCE:-}" = yes ]; then
	all "$nfpm" "$version" "$ldflags"
	exit 0
fi
all "$nfpm" "$version" "$ldflags"

echo "release: once more, from a clone elsewhere" >&2
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
git clone --quiet --no-hardlinks . "$again/elsewhere"
git -C "$again/elsewhere" checkout --quiet --detach "$(git rev-parse HEAD)"
RELEASE_ONCE=yes "$again/elsewhere/scripts/release.sh" "$nfpm" "$version" "$ldflags" 2>/dev/null
if ! diff "dist/SHA256SUMS" "$again/elsewhere/dist/SHA256SUMS" >&2; then
	echo "release: two builds of one commit differ" >&2
	exit 1
fi
echo "release: $version, $(wc -l <dist/SHA256SUMS) files in dist/, the same in two builds" >&2
