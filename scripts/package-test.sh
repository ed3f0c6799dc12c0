#!/usr/bin/env bash
# Checks what is in dist/, and lives with it: the deb is installed, started, asked, upgraded, removed and purged. That happens on an overlay of this
# machine's files, so nothing of it stays; it needs root.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD
scripts/need.sh lintian=lintian rpm=rpm mandoc=mandoc
passed=0
step() { echo "package-test: $*" >&2; }
ok() { passed=$((passed + 1)); }

step "sums, lintian, rpm, manual"
(cd dist && sha256sum --check --quiet SHA256SUMS)
ok
for deb in dist/*.deb; do
	lintian --allow-root --fail-on error,warning "$deb"
	ok
done
for rpm in dist/*.rpm; do
	rpm -qp --requires --scripts "$rpm" >/dev/null 2>&1
	rpm -qpl "$rpm" 2>/dev/null | grep -x /usr/lib/systemd/system/clawd.service >/dev/null
	ok
done

step "unit: understood by systemd, exposure at most 2.0"
scripts/verify-units.sh deploy/systemd/clawd.service
systemd-analyze security --offline=true --threshold=20 deploy/systemd/clawd.service | tail -n 1
ok

deb=$root/dist/$(cd dist && echo *"_$(dpkg --print-architecture).deb")
inside=$(mktemp)
trap 'rm -f "$inside"' EXIT
cat >"$inside" <<'INSIDE'
set -euo pipefail
say() { echo "package-test:   $*" >&2; }
say "install"
dpkg -i "$DEB" >/dev/null
getent passwd clawd >/dev/null
[ "$(stat -c %U:%a /etc/clawd/clawd.yaml)" = root:644 ]
man -w clawd-serve >/dev/null
bash -c '. /usr/share/bash-completion/completions/clawd'
for page in /usr/share/man/man1/clawd*.1.gz; do zcat "$page" | mandoc -T lint -W error; done
install -d -o clawd -g clawd -m 0750 /var/lib/clawd # what StateDirectory= does
serve() { # CHECKS: as the unit starts it
	/usr/bin/python3 "$ROOT/scripts/notified.py" 30 setpriv --reuid clawd --regid clawd --clear-groups --no-new-privs --bounding-set=-all \
		/usr/bin/clawd serve --config /etc/clawd/clawd.yaml --http-addr 127.0.0.1:18080 --peer-addr 127.0.0.1:18081 --gossip-addr 127.0.0.1:17946 \
		--log-level warn
}
export CLAWD_ADDR=http://127.0.0.1:18080
say "start, limit, stop"
serve <<'CHECKS'
clawd healthcheck >/dev/null
clawd consume packaged --tokens 900 >/dev/null
code=0
clawd consume packaged --tokens 900 >/dev/null 2>&1 || code=$?
[ "$code" = 3 ] # denied
CHECKS
say "upgrade: configuration and data stay"
echo '# mine' >>/etc/clawd/clawd.yaml
dpkg -i "$DEB" >/dev/null
grep -qx '# mine' /etc/clawd/clawd.yaml
serve <<'CHECKS'
clawd peek packaged -o json | grep -Eq '"consumed": *900'
CHECKS
say "remove, purge: the data stays"
dpkg -r clawd >/dev/null
[ ! -e /usr/bin/clawd ] && [ -e /etc/clawd/clawd.yaml ]
dpkg -P clawd >/dev/null 2>&1
[ ! -e /etc/clawd/clawd.yaml ] && [ -n "$(ls -A /var/lib/clawd)" ]
INSIDE

step "the deb, on an overlay of this machine"
# The lower layer is read only through the overlay; everything is gone with the namespace.
# shellcheck disable=SC2016 # the inner shell expands it
DEB=$deb ROOT=$root unshare --mount bash -euo pipefail -c '
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/upper /mnt/work /mnt/root
	mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
	mount -t proc proc /mnt/root/proc
	mount --rbind /dev /mnt/root/dev
	PATH=/usr/sbin:/usr/bin:/sbin:/bin exec chroot /mnt/root bash "$0"' "$inside"
ok

echo "package-test: $passed passed, 0 failed"
