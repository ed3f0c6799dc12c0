"""Reading what a model says it used, from answers of whatever shape: mappings or objects, of several makers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._models import TokenUsage


def usage_of(answer: Any) -> TokenUsage | None:
    """The usage that an answer, or an event of a stream, carries; None when it carries none.

    Understands the `usage` of OpenAI's chat completions, responses and embeddings, of Anthropic's messages and of their
    streams (`message_start`, `message_delta`, `response.completed`), of what imitates them, and `usage_metadata` as
    LangChain has it.
    """
    for holder in (answer, member(answer, "response"), member(answer, "message")):
        for name in ("usage", "usage_metadata"):
            found = member(holder, name)
            if found is not None and (usage := _read(found)) is not None:
                return usage
    return None


def _read(usage: Any) -> TokenUsage | None:
    inputs = number(usage, "prompt_tokens", "input_tokens")
    outputs = number(usage, "completion_tokens", "output_tokens")
    if inputs is None and outputs is None:
        return None
    inputs = inputs or 0
    details_in = _first(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    details_out = _first(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    cached = number(details_in, "cached_tokens", "cache_read") or 0
    written = 0
    # Anthropic counts what came from the cache, or went there, beside the input and not in it.
    read = number(usage, "cache_read_input_tokens")
    created = number(usage, "cache_creation_input_tokens")
    if read is not None or created is not None:
        cached, written = read or 0, created or 0
        if number(usage, "prompt_tokens") is None:
            inputs += cached + written
    reasoning = number(details_out, "reasoning_tokens", "reasoning") or 0
    return TokenUsage(inputs, outputs or 0, cached, written, reasoning)


def merged(so_far: TokenUsage | None, news: TokenUsage | None) -> TokenUsage | None:
    """The usage of a stream from the usages of its events: each number is a total so far."""
    if so_far is None or news is None:
        return news or so_far
    return TokenUsage(
        max(so_far.input_tokens, news.input_tokens),
        max(so_far.output_tokens, news.output_tokens),
        max(so_far.cached_input_tokens, news.cached_input_tokens),
        max(so_far.cache_write_tokens, news.cache_write_tokens),
        max(so_far.reasoning_tokens, news.reasoning_tokens),
    )


def estimate(prompt: Any, max_tokens: int | None, default_output: int = 512) -> int:
    """Tokens a call may cost, before it is made: four bytes to a token, and all it may answer with."""
    return max(1, -(-text_bytes(prompt) // 4) + (max_tokens or default_output))


def text_bytes(value: Any) -> int:
    """Bytes of all text in a prompt, a list of messages, or whatever else goes to a model."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping):
        return sum(text_bytes(one) for one in value.values())
    if isinstance(value, (list, tuple)):
        return sum(text_bytes(one) for one in value)
    content = getattr(value, "content", None)
    return 0 if content is None or content is value else text_bytes(content)


def member(holder: Any, name: str) -> Any:
    """A member of a mapping or an attribute of an object; None when there is none."""
    if holder is None:
        return None
    if isinstance(holder, Mapping):
        return holder.get(name)
    return getattr(holder, name, None)


def number(holder: Any, *names: str) -> int | None:
    """The first of these members that is a whole number."""
    for name in names:
        value = member(holder, name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _first(holder: Any, *names: str) -> Any:
    return next((found for name in names if (found := member(holder, name)) is not None), None)
