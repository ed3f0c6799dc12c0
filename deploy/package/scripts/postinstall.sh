#!/bin/sh
# After installing (deb: configure OLD-VERSION; rpm: number of versions installed).
set -e

getent group clawd >/dev/null || groupadd --system clawd
getent passwd clawd >/dev/null ||
	useradd --system --gid clawd --home-dir /var/lib/clawd --no-create-home --shell /usr/sbin/nologin --comment "clawd node" clawd

# Without systemd as init (a container, an image being built) there is nothing to tell.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi

if [ "$1" = configure ]; then
	if [ -z "$2" ]; then
		# Debian starts what it installs; one node on loopback harms nobody.
		if [ -d /run/systemd/system ]; then
			systemctl enable --now clawd.service || true
		fi
		exit 0
	fi
	upgrade=1
elif [ "$1" -gt 1 ] 2>/dev/null; then
	upgrade=1
fi
# The old process drains, the new one is ready when this returns: upgrading node after node is a rolling upgrade.
if [ -n "$upgrade" ] && [ -d /run/systemd/system ]; then
	systemctl try-restart clawd.service
fi
