"""The two drivers: what a flow asks for is done blocking or awaiting, and one round after the other goes on behind it.

Each driver owns at most one thread or task. It exists only while there is something to probe or to report, and
`close` waits for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import httpx2

from ._flow import Close, Flow, Pause, Send
from ._http import AsyncHttp, Http, connect, connect_async
from ._observe import log

if TYPE_CHECKING:
    from ._core import Core

T = TypeVar("T")

ROUND_AFTER_FAULT = 1.0
CLOSE_WAIT = 5.0


class Driver:
    """Runs flows in the calling thread."""

    def __init__(self, core: Core, http_client: httpx2.Client | None) -> None:
        self._core = core
        self._given = http_client
        self._http: Http = http_client or connect()
        self._inherited: list[Http] = []
        self._reset()
        core.wake, core.forked = self.wake, self._forked

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, flow: Flow[T]) -> T:
        """Carry a flow to its end."""
        if self._closed:
            raise RuntimeError("the client was closed")
        return self._carry(flow)

    def _carry(self, flow: Flow[T]) -> T:
        http = self._http
        try:
            effect = flow.send(None)
            while True:
                outcome: httpx2.Response | None = None
                try:
                    if type(effect) is Send:
                        outcome = http.send(effect.request, stream=effect.stream)
                    elif type(effect) is Pause:
                        time.sleep(effect.seconds)
                    elif type(effect) is Close:
                        effect.response.close()
                except BaseException as exc:  # noqa: BLE001 - the flow decides what it means
                    effect = flow.throw(exc)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def wake(self) -> None:
        """See to it that a round in the background comes soon."""
        with self._lock:
            if self._closed:
                return
            self._woken.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._rounds, name="openclaw-rating", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is going down
                    self._thread = None

    def _rounds(self) -> None:
        while True:
            self._woken.clear()
            try:
                pause = self._carry(self._core.background())
            except Exception:  # noqa: BLE001 - the next round may fare better
                log.exception("a round in the background failed")
                pause = ROUND_AFTER_FAULT
            with self._lock:
                if self._closed or (pause is None and not self._woken.is_set()):
                    self._thread = None
                    return
            self._woken.wait(pause)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Stop what goes on in the background, and close the connections, unless the HTTP client was given."""
        with self._lock:
            self._closed = True
            self._woken.set()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_WAIT)
        if self._given is None:
            self._http.close()

    def _forked(self) -> None:
        closed = self._closed
        self._reset()
        self._closed = closed
        if self._given is None:
            # The parent's connections stay open here, unused: to close them could be seen at their other end.
            self._inherited.append(self._http)
            self._http = connect()


class AsyncDriver:
    """Runs flows in the running event loop."""

    def __init__(self, core: Core, http_client: httpx2.AsyncClient | None) -> None:
        self._core = core
        self._given = http_client
        self._http: AsyncHttp = http_client or connect_async()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        core.wake, core.forked = self.wake, self._leave_loop

    def _enter(self) -> AsyncHttp:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                self._leave_loop()
            self._loop = loop
        return self._http

    def _leave_loop(self) -> None:
        """Begin anew in another loop or process: connections and tasks belong to the loop they were made in."""
        self._loop = None
        self._task = None
        self._woken = asyncio.Event()
        if self._given is None:
            self._http = connect_async()

    async def run(self, flow: Flow[T]) -> T:
        """Carry a flow to its end."""
        if self._closed:
            raise RuntimeError("the client was closed")
        return await self._carry(flow)

    async def _carry(self, flow: Flow[T]) -> T:
        http = self._enter()
        try:
            effect = flow.send(None)
            while True:
                outcome: httpx2.Response | None = None
                try:
                    if type(effect) is Send:
                        outcome = await http.send(effect.request, stream=effect.stream)
                    elif type(effect) is Pause:
                        await asyncio.sleep(effect.seconds)
                    elif type(effect) is Close:
                        await effect.response.aclose()
                except BaseException as exc:  # noqa: BLE001 - the flow decides what it means
                    effect = flow.throw(exc)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def wake(self) -> None:
        """See to it that a round in the background comes soon."""
        if self._closed or self._loop is None or self._loop.is_closed():
            return
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._rounds(), name="openclaw-rating")

    async def _rounds(self) -> None:
        while True:
            self._woken.clear()
            try:
                pause = await self._carry(self._core.background())
            except Exception:  # noqa: BLE001 - the next round may fare better
                log.exception("a round in the background failed")
                pause = ROUND_AFTER_FAULT
            if self._closed or (pause is None and not self._woken.is_set()):
                return
            await self._pause(pause)

    async def _pause(self, seconds: float | None) -> None:
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with the event.
        alarm = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    async def close(self) -> None:
        """Stop what goes on in the background, and close the connections, unless the HTTP client was given."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None and self._loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._given is None:
            await self._http.aclose()
