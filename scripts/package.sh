#!/usr/bin/env bash
# Builds dist/clawd_VERSION_ARCH.deb and .rpm for amd64 and arm64 (or for PACKAGE_ARCHS), and their checksums.
#   scripts/package.sh NFPM VERSION LDFLAGS
# Times in the packages are those of the commit, so that the same commit gives the same packages.
set -euo pipefail

cd "$(dirname "$0")/.."
nfpm=$1 ldflags=$3
version=${2#v}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# The manual and the completions are the program's own, so it is built for this machine first.
CGO_ENABLED=0 go build -trimpath -ldflags "$ldflags" -o "$stage/native" ./cmd/clawd
mkdir "$stage/man" "$stage/completions" "$stage/share"
"$stage/native" man "$stage/man"
gzip -9n "$stage"/man/*.1
for shell in bash zsh fish; do "$stage/native" completion "$shell" >"$stage/completions/clawd.$shell"; done
# What a monitoring host needs, when it is there.
for dir in prometheus grafana; do
	if [ -d "deploy/$dir" ]; then cp -r "deploy/$dir" "$stage/share/"; fi
done
cp api/openapi.yaml "$stage/share/"
chmod -R u=rwX,go=rX "$stage/share"
cat >"$stage/copyright" <<-TEXT
	Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
	Upstream-Name: clawd
	Source: https://github.com/openclaw/clawd

	Files: *
	Copyright: 2026 the clawd authors
	License: Apache-2.0
	 On Debian systems, the full text of the Apache License 2.0 is in
	 /usr/share/common-licenses/Apache-2.0.
TEXT
cat >"$stage/lintian-overrides" <<-TEXT
	# A Go program is one static binary.
	clawd: statically-linked-binary
	# Not uploaded to Debian, so no bug there asked for it.
	clawd: initial-upload-closes-no-bugs
	# The license is also in a field of the control file.
	clawd: unknown-field License
	# Scripts speak to systemd only where it runs, without debhelper's snippets.
	clawd: maintainer-script-calls-systemctl
TEXT
cat >"$stage/changelog.yaml" <<-TEXT
	- semver: $version-1
	  date: $date
	  packager: OpenClaw <clawd@openclaw.example>
	  deb:
	    urgency: medium
	    distributions: [stable]
	  changes:
	    - note: See CHANGELOG.md at https://github.com/openclaw/clawd.
TEXT

pack() { # FORMAT UNIT-DIRECTORY: nfpm itself puts variables into a few fields only
	sed -e "s|\${STAGE}|$stage|g; s|\${UNIT_DIR}|$2|g; s|\${ARCH}|$arch|g; s|\${VERSION}|$version|g" deploy/package/nfpm.yaml >"$stage/nfpm.yaml"
	"$nfpm" package --config "$stage/nfpm.yaml" --packager "$1" --target dist/ >&2
}

rm -rf dist
mkdir dist
for arch in ${PACKAGE_ARCHS:-amd64 arm64}; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=auto -ldflags "$ldflags" -o "$stage/clawd" ./cmd/clawd
	# Debian 12 has not merged the two in its packages: units belong under /lib there.
	pack deb /lib/systemd/system
	pack rpm /usr/lib/systemd/system
done
(cd dist && sha256sum ./*.deb ./*.rpm >SHA256SUMS)
ls -l dist >&2
