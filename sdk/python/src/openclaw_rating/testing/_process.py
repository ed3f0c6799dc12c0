"""A clawd node as a process."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

STARTUP = 60.0
STOPPING = 30.0
POLL = 0.02


class ClawdError(Exception):
    """The node did not do what it was told; the end of its log is in the message."""


class ClawdProcess:
    """A node on loopback, with its data in a directory of its own. A context manager that starts and stops it.

    Args:
        binary: the program; the environment's `OPENCLAW_CLAWD_BIN`, else `clawd` on the path, when None.
        data_dir: where the data stays when the node is stopped; a temporary directory, removed by `close`, when None.
        join: gossip addresses of nodes to join.
        flags: further flags of `clawd serve`.

    Attributes:
        url: base URL; the same after a restart.
        gossip_addr: address for others to join.
    """

    def __init__(
        self,
        binary: str | os.PathLike[str] | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        join: Sequence[str] = (),
        flags: Sequence[str] = (),
    ) -> None:
        self._binary = _find(binary)
        self._own = None if data_dir is not None else tempfile.mkdtemp(prefix="clawd-")
        self._dir = Path(data_dir if data_dir is not None else self._own or "")
        self._flags = [*flags, *(f"--join={address}" for address in join)]
        self._http_addr = f"127.0.0.1:{_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self._dir / "log"
        self.url = f"http://{self._http_addr}"
        self.gossip_addr = ""

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._running().pid

    def start(self) -> ClawdProcess:
        """Start the node, and wait until it is ready."""
        self._dir.mkdir(parents=True, exist_ok=True)
        argv = [
            str(self._binary), "serve", "--data-dir", str(self._dir / "data"), "--log-format", "json",
            "--http-addr", self._http_addr, "--peer-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0", *self._flags,
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + STARTUP
        with httpx2.Client(trust_env=False, timeout=5) as http:
            while time.monotonic() < deadline:
                if self._running().poll() is not None:
                    raise ClawdError(f"clawd ended with {self._running().returncode}:\n{self.log()}")
                with contextlib.suppress(httpx2.TransportError):
                    if http.get(f"{self.url}/readyz").status_code == 200 and self._said_addresses():
                        return
                time.sleep(POLL)
        raise ClawdError(f"clawd was not ready within {STARTUP:.0f} s:\n{self.log()}")

    def _said_addresses(self) -> bool:
        for line in self._log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry: Any = json.loads(line)
                if isinstance(entry, dict) and entry.get("msg") == "serving":
                    self.gossip_addr = str(entry.get("gossip", ""))
                    return True
        return False

    def log(self, lines: int = 20) -> str:
        """The end of what the node logged."""
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        except OSError as exc:
            return f"no log: {exc}"

    def kill(self) -> None:
        """End the process as a crash would."""
        self._signal(signal.SIGKILL)
        self._ended(STOPPING)

    def stop(self) -> None:
        """Have the node finish what it does, and end."""
        self._signal(signal.SIGTERM)
        if not self._ended(STOPPING):
            self.kill()
            raise ClawdError(f"clawd did not stop within {STOPPING:.0f} s:\n{self.log()}")

    def pause(self) -> None:
        """Stop the process where it is: it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process, however it is, and remove its data if that was temporary."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self.kill()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ClawdError("clawd was not started")
        return self._process

    def _signal(self, number: int) -> None:
        if self._running().poll() is None:
            self._running().send_signal(number)

    def _ended(self, seconds: float) -> bool:
        try:
            self._running().wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def __enter__(self) -> ClawdProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _find(binary: str | os.PathLike[str] | None) -> str:
    found = os.fspath(binary) if binary is not None else os.environ.get("OPENCLAW_CLAWD_BIN") or shutil.which("clawd")
    if not found or not Path(found).exists():
        raise ClawdError("there is no clawd: name it, set OPENCLAW_CLAWD_BIN, or put it on the PATH")
    return found


def _environment() -> dict[str, str]:
    """Without settings of a node that somebody else meant for theirs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLAWD_")}


def _free_port() -> int:
    """A port that is free now, and no outgoing connection will take: those come from above 32768 on Linux."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise ClawdError("no free port")
