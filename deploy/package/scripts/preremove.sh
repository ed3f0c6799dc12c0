#!/bin/sh
# Before removing (deb: remove; rpm: 0), not before upgrading.
set -e

if [ "$1" = remove ] || [ "$1" = 0 ]; then
	if [ -d /run/systemd/system ]; then
		systemctl disable --now clawd.service || true
	fi
fi
