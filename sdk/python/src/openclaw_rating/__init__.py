"""Rate limits for AI agents: the Python client of clawd.

    from openclaw_rating import OpenClawClient, TokenBucket

    client = OpenClawClient()
    bucket = TokenBucket(client=client, capacity=1000, refill_rate=1000, interval_seconds=3600)
    if bucket.consume("agent:42:tokens"):
        ...

`OpenClawClient` and `TokenBucket` block, `AsyncOpenClawClient` and `AsyncTokenBucket` await; otherwise they are the
same.
"""

from ._async.bucket import AsyncReservation, AsyncTokenBucket
from ._async.client import AsyncOpenClawClient
from ._errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    FeatureUnavailableError,
    InternalServerError,
    NotFoundError,
    OpenClawError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitError,
    UnprocessableEntityError,
    UpstreamError,
)
from ._models import (
    Agent,
    AgentSummary,
    BatchDecision,
    Change,
    Charge,
    Check,
    Cluster,
    Completion,
    Decision,
    Entry,
    Health,
    InlinePolicy,
    KVResult,
    Member,
    Origin,
    Page,
    Policy,
    Price,
    Refund,
    Settlement,
    TokenUsage,
    UsageEvent,
    UsageReport,
)
from ._observe import ModelCall, Observer
from ._sync.bucket import Reservation, TokenBucket
from ._sync.client import OpenClawClient
from ._usage import usage_of
from ._version import __version__

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "Agent",
    "AgentSummary",
    "AsyncOpenClawClient",
    "AsyncReservation",
    "AsyncTokenBucket",
    "AuthenticationError",
    "BadRequestError",
    "BatchDecision",
    "Change",
    "Charge",
    "Check",
    "Cluster",
    "Completion",
    "ConfigurationError",
    "ConflictError",
    "Decision",
    "Entry",
    "FeatureUnavailableError",
    "Health",
    "InlinePolicy",
    "InternalServerError",
    "KVResult",
    "Member",
    "ModelCall",
    "NotFoundError",
    "Observer",
    "OpenClawClient",
    "OpenClawError",
    "Origin",
    "Page",
    "PermissionDeniedError",
    "Policy",
    "PreconditionFailedError",
    "Price",
    "RateLimitError",
    "Refund",
    "Reservation",
    "Settlement",
    "TokenBucket",
    "TokenUsage",
    "UnprocessableEntityError",
    "UpstreamError",
    "UsageEvent",
    "UsageReport",
    "__version__",
    "usage_of",
]
