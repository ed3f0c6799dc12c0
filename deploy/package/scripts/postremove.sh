#!/bin/sh
# After removing. What clawd knows stays in /var/lib/clawd, also when purged: it may be the only copy.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
