"""What a client was told, by arguments first and by the environment second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import httpx2

from ._errors import ConfigurationError

OnUnavailable = Literal["local", "deny", "allow", "raise"]
LocalShare = float | Literal["auto"]

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT = httpx2.Timeout(2.0, connect=1.0)
DEFAULT_AI_TIMEOUT = httpx2.Timeout(120.0, connect=5.0)
DEFAULT_SHARE = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one client; see `OpenClawClient` for what they mean."""

    urls: tuple[str, ...]
    api_key: str | None = None
    timeout: httpx2.Timeout = field(default_factory=lambda: DEFAULT_TIMEOUT)
    max_retries: int = 2
    on_unavailable: OnUnavailable = "local"
    local_share: Fraction | None = DEFAULT_SHARE  # None: one part for each known node
    max_local_keys: int = 10_000
    agent: str | None = None
    ai_url: str | None = None
    ai_key: str | None = None
    ai_timeout: httpx2.Timeout = field(default_factory=lambda: DEFAULT_AI_TIMEOUT)
    clock: Callable[[], int] = time.monotonic_ns


def settings(
    api_key: str | None,
    base_url: str | Sequence[str] | None,
    timeout: float | httpx2.Timeout | None,
    max_retries: int,
    on_unavailable: OnUnavailable,
    local_share: LocalShare,
    max_local_keys: int,
    agent: str | None,
    ai_base_url: str | None,
    ai_api_key: str | None,
    ai_timeout: float | httpx2.Timeout | None,
    clock: Callable[[], int] | None,
) -> Settings:
    """Check what was given, and fill in the rest."""
    if max_retries < 0:
        raise ValueError(f"max_retries must not be negative, not {max_retries}")
    if on_unavailable not in ("local", "deny", "allow", "raise"):
        raise ValueError(f"on_unavailable must be local, deny, allow or raise, not {on_unavailable!r}")
    if max_local_keys < 1:
        raise ValueError(f"max_local_keys must be at least 1, not {max_local_keys}")
    ai_url, ai_key = _upstream(ai_base_url, ai_api_key)
    return Settings(
        urls=_urls(base_url),
        api_key=api_key or os.environ.get("OPENCLAW_API_KEY") or None,
        timeout=_timeout(timeout, DEFAULT_TIMEOUT),
        max_retries=max_retries,
        on_unavailable=on_unavailable,
        local_share=_share(local_share),
        max_local_keys=max_local_keys,
        agent=agent or os.environ.get("OPENCLAW_AGENT") or None,
        ai_url=ai_url,
        ai_key=ai_key,
        ai_timeout=_timeout(ai_timeout, DEFAULT_AI_TIMEOUT),
        clock=clock or time.monotonic_ns,
    )


def _urls(base_url: str | Sequence[str] | None) -> tuple[str, ...]:
    """All base URLs, without a slash at the end. A string may hold several, separated by commas."""
    given = base_url or os.environ.get("OPENCLAW_URL") or DEFAULT_URL
    parts = given.split(",") if isinstance(given, str) else list(given)
    urls = tuple(dict.fromkeys(part.strip().rstrip("/") for part in parts if part.strip()))
    for url in urls:
        _check_url(url)
    if not urls:
        raise ConfigurationError("base_url names no node")
    return urls


def _check_url(url: str) -> None:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as exc:
        raise ConfigurationError(f"{url!r} is no URL: {exc}") from exc
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError(f"{url!r} is no http or https URL")


def _timeout(given: float | httpx2.Timeout | None, default: httpx2.Timeout) -> httpx2.Timeout:
    if given is None:
        return default
    if isinstance(given, httpx2.Timeout):
        return given
    return httpx2.Timeout(given, connect=min(given, default.connect or given))


def _share(given: LocalShare) -> Fraction | None:
    if given == "auto":
        return None
    if not (isinstance(given, (int, float)) and 0 < given <= 1):
        raise ValueError(f"local_share must be 'auto' or above 0 and at most 1, not {given!r}")
    return Fraction(given).limit_denominator(1_000_000)


def _upstream(url: str | None, key: str | None) -> tuple[str | None, str | None]:
    """Where models are called. A key from the environment is only sent to the URL it belongs with."""
    env = os.environ
    if url:
        pass
    elif env.get("OPENCLAW_AI_URL"):
        url, key = env["OPENCLAW_AI_URL"], key or env.get("OPENCLAW_AI_API_KEY")
    elif env.get("OPENAI_BASE_URL"):
        url, key = env["OPENAI_BASE_URL"], key or env.get("OPENAI_API_KEY")
    if not url:
        return None, key or None
    url = url.rstrip("/")
    _check_url(url)
    return url, key or None
