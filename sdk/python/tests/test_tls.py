"""A node behind TLS: whom a client believes, and that it asks nobody else."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from openclaw_rating import APIConnectionError, AsyncOpenClawClient, AsyncTokenBucket, OpenClawClient, TokenBucket
from openclaw_rating.testing import ClawdProcess
from waiting import PATIENT


@dataclass
class Secured:
    """Where TLS ends in front of a node, and the authority that vouches for it."""

    url: str
    authority: Path


class Terminator:
    """Takes TLS off connections and passes the bytes on, as a load balancer does."""

    def __init__(self, certificate: Path, key: Path, target: tuple[str, int]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = ExitStack()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return  # closed
            with suppress(OSError):
                inside = self._open.enter_context(self._context.wrap_socket(plain, server_side=True))
                outside = self._open.enter_context(socket.create_connection(self._target))
                for source, target in ((inside, outside), (outside, inside)):
                    self._threads.append(threading.Thread(target=self._pass, args=(source, target)))
                    self._threads[-1].start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self._open.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def secured(clawd: ClawdProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    here = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", here / "key.pem", "-out", here / "ca.pem", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    node = urlsplit(clawd.url)
    terminator = Terminator(here / "ca.pem", here / "key.pem", (node.hostname or "", node.port or 0))
    yield Secured(f"https://127.0.0.1:{terminator.port}", here / "ca.pem")
    terminator.close()


def test_an_authority_of_ones_own(secured: Secured, key: str) -> None:
    context = ssl.create_default_context(cafile=str(secured.authority))
    with (
        httpx2.Client(verify=context) as http,
        OpenClawClient(base_url=secured.url, timeout=PATIENT, http_client=http) as client,
    ):
        bucket = TokenBucket(client=client, capacity=10, refill_rate=1, interval_seconds=3600)
        assert [bucket.try_consume(key, 5).source for _ in range(2)] == ["node"] * 2
        assert not bucket.consume(key)


def test_the_environment_names_the_authority(secured: Secured, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.authority))
    with OpenClawClient(base_url=secured.url, timeout=PATIENT) as client:
        assert TokenBucket(client=client, capacity=10).try_consume(key).source == "node"


async def test_awaiting_too(secured: Secured, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.authority))
    async with AsyncOpenClawClient(base_url=secured.url, timeout=PATIENT) as client:
        assert (await AsyncTokenBucket(client=client, capacity=10).try_consume(key)).source == "node"


def test_nobody_vouches(secured: Secured, key: str) -> None:
    """A certificate that is not believed is no node: what is decided here is decided without it."""
    with OpenClawClient(base_url=secured.url, timeout=PATIENT) as client:
        assert TokenBucket(client=client, capacity=10).try_consume(key).source == "local"
        client.close()
    with (
        OpenClawClient(base_url=secured.url, timeout=PATIENT, on_unavailable="raise", max_retries=0) as client,
        pytest.raises(APIConnectionError, match="certificate"),
    ):
        TokenBucket(client=client, capacity=10).consume(key)
