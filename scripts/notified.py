"""Stands in for systemd: notified.py SECONDS COMMAND... runs a Type=notify service until it has said READY=1 and WATCHDOG=1, then runs the checks on
standard input with bash while it runs, stops it by SIGTERM, and wants STOPPING=1 and exit code 0."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time


def main() -> int:
    patience, command = float(sys.argv[1]), sys.argv[2:]
    checks = sys.stdin.read()
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    path = os.path.join(directory, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(path)
        os.chmod(path, 0o777)
        service = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"})
        heard = ""
        code = 1
        try:
            heard = listen(inbox, heard, ("READY=1", "WATCHDOG=1"), patience)
            code = subprocess.run(["bash", "-euo", "pipefail", "-c", checks], check=False).returncode
        finally:
            service.send_signal(signal.SIGTERM)
            stopped = service.wait(timeout=patience)
        listen(inbox, heard, ("STOPPING=1",), patience)
    if stopped != 0:
        print(f"notified: the service ended with {stopped}", file=sys.stderr)
    return code or stopped


def listen(inbox: socket.socket, heard: str, wanted: tuple[str, ...], patience: float) -> str:
    end = time.monotonic() + patience
    while not all(word in heard for word in wanted):
        inbox.settimeout(max(0.01, end - time.monotonic()))
        try:
            heard += inbox.recv(4096).decode() + "\n"
        except TimeoutError:
            raise SystemExit(f"notified: heard only {heard!r}, wanted {wanted}") from None
    return heard


sys.exit(main())
