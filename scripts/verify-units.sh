#!/usr/bin/env bash
# Has systemd read units as if what they start were installed here.
#   scripts/verify-units.sh UNIT...
set -euo pipefail

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
units=$root/etc/systemd/system
mkdir -p "$units" "$root/usr/lib/systemd"
# The units of the system itself, which ours name.
for dir in /lib/systemd/system /usr/lib/systemd/system; do
	if [ -d "$dir" ] && [ ! -e "$root/usr/lib/systemd/system" ]; then cp -r "$dir" "$root/usr/lib/systemd/system"; fi
done
names=()
for unit in "$@"; do
	cp "$unit" "$units/"
	if [ -d "$unit.d" ]; then cp -r "$unit.d" "$units/"; fi
	names+=("$(basename "$unit")")
	while read -r program; do
		mkdir -p "$root$(dirname "$program")"
		install -m 0755 /bin/true "$root$program"
	done < <(sed -nE 's/^Exec[A-Za-z]*=[-+!@:]*(\/[^ ]+).*/\1/p' "$unit")
done
# A unit that only another package has.
docker=$root/usr/lib/systemd/system/docker.service
if [ ! -e "$docker" ]; then printf '[Service]\nExecStart=/bin/true\n' >"$docker"; fi
install -D -m 0755 /bin/true "$root/bin/true"

cd "$root"
out=$(systemd-analyze verify --man=no --recursive-errors=no --root="$root" "${names[@]}" 2>&1) || { echo "$out" >&2 && exit 1; }
if [ -n "$out" ]; then
	echo "$out" >&2
	exit 1
fi
