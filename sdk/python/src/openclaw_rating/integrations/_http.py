"""What a web server says of a decision, the same under ASGI and WSGI."""

from __future__ import annotations

import json
import math

from .._models import Decision

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def denial(decision: Decision) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of a 429 for a denial. The body names no key: that is nobody's business but the server's."""
    problem: dict[str, object] = {
        "type": QUOTA_EXCEEDED,
        "title": "Quota exceeded",
        "status": 429,
        "detail": "Too many requests.",
    }
    headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
    if decision.retry_after is not None:
        problem["retry_after_ms"] = math.ceil(decision.retry_after * 1000)
        headers.append(("Retry-After", str(max(1, math.ceil(decision.retry_after)))))
    if decision.violated_policies:
        problem["violated-policies"] = list(decision.violated_policies)
    body = json.dumps(problem).encode()
    headers.append(("Content-Length", str(len(body))))
    return headers, body
