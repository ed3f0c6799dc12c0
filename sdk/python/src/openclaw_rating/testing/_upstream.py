"""A double of a model interface, over real HTTP: OpenAI's chat completions and Anthropic's messages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass
class Reply:
    """What the double answers.

    Attributes:
        text: what the model says, one word a chunk when streamed.
        input_tokens: usage to state; None to state none.
        status: an error instead, when not 200.
        break_after: break the connection after so many chunks of a stream; 0 before any answer.
    """

    text: str = "Hello there, general."
    input_tokens: int | None = 9
    output_tokens: int = 5
    status: int = 200
    break_after: int | None = None


@dataclass(frozen=True)
class Request:
    """What the double was asked."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)


class FakeUpstream:
    """A model interface on loopback. A context manager.

    Attributes:
        url: base URL as OpenAI's clients take it, with `/v1`.
        reply: what is answered from now on.
        requests: what was asked so far.
        gate: requests wait here while it is cleared.
    """

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply or Reply()
        self.requests: list[Request] = []
        self.gate = threading.Event()
        self.gate.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = self.root + "/v1"

    def __enter__(self) -> FakeUpstream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer nothing any more."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(upstream: FakeUpstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
            upstream.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            upstream.gate.wait(60)
            reply = upstream.reply
            if reply.break_after == 0:
                self.close_connection = True
            elif reply.status != 200:
                self._json(reply.status, {"error": {"message": "the double was told to fail", "type": "fake"}})
            elif body.get("stream"):
                self._stream(_events(self.path, body, reply), reply.break_after)
            else:
                self._json(200, _whole(self.path, body, reply))

        def _json(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, events: Iterator[str], break_after: int | None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for number, event in enumerate(events):
                    if number == break_after:
                        self.close_connection = True
                        return
                    raw = event.encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # the other side has heard enough
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    return Handler


def _whole(path: str, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    model = body.get("model", "fake")
    if path.endswith("/messages"):
        usage = {"input_tokens": reply.input_tokens or 0, "output_tokens": reply.output_tokens}
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": reply.text}], "usage": usage,
        }  # fmt: skip
    answer = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": f"{model}-0001",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": reply.text}, "finish_reason": "stop"}
        ],
    }  # fmt: skip
    if reply.input_tokens is not None:
        answer["usage"] = _usage(reply)
    return answer


def _usage(reply: Reply) -> dict[str, int]:
    inputs = reply.input_tokens or 0
    return {
        "prompt_tokens": inputs,
        "completion_tokens": reply.output_tokens,
        "total_tokens": inputs + reply.output_tokens,
    }


def _events(path: str, body: dict[str, Any], reply: Reply) -> Iterator[str]:
    words = [word + " " for word in reply.text.split(" ")]
    if path.endswith("/messages"):
        yield from _message_events(body, reply, words)
        return
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": f"{body.get('model')}-0001"}
    for word in words:
        yield _data({**head, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
    yield _data({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if reply.input_tokens is not None and (body.get("stream_options") or {}).get("include_usage"):
        yield _data({**head, "choices": [], "usage": _usage(reply)})
    yield "data: [DONE]\n\n"


def _message_events(body: dict[str, Any], reply: Reply, words: list[str]) -> Iterator[str]:
    start = _whole("/messages", body, reply)
    start.update(content=[], stop_reason=None, usage={"input_tokens": reply.input_tokens or 0, "output_tokens": 1})
    yield _named("message_start", {"message": start})
    yield _named("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    for word in words:
        yield _named("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}})
    yield _named("content_block_stop", {"index": 0})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _named("message_delta", {"delta": delta, "usage": {"output_tokens": reply.output_tokens}})
    yield _named("message_stop", {})


def _data(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body)}\n\n"


def _named(event: str, body: dict[str, Any]) -> str:
    return f"event: {event}\n{_data({'type': event, **body})}"
