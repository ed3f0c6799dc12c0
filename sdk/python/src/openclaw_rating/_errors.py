"""What can go wrong, as one tree of exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from ._models import Decision


class OpenClawError(Exception):
    """Everything this package raises, but for mistakes in arguments (`ValueError`, `TypeError`)."""


class ConfigurationError(OpenClawError):
    """Something that the call needs was not configured."""


class APIConnectionError(OpenClawError):
    """No node gave an answer.

    Attributes:
        maybe_done: the request may have reached a node, which may have done what it asked for.
    """

    def __init__(self, message: str, *, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class APITimeoutError(APIConnectionError):
    """No node gave an answer in time."""


class APIStatusError(OpenClawError):
    """A node answered with something other than a success.

    Attributes:
        status_code: the HTTP status.
        problem: the RFC 9457 problem document, or `{}` when the body was none.
        request_id: what the node's log calls the request.
        retry_after: seconds after which the same question may fare better, if the node said so.
        field: what in the request was wrong, if the node named it.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        problem: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        response: httpx2.Response | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.problem: Mapping[str, Any] = problem or {}
        self.request_id = request_id
        self.retry_after = retry_after
        self.response = response

    @property
    def field(self) -> str | None:
        """Path into the body, or name of the parameter or header, that was wrong."""
        value = self.problem.get("field")
        return value if isinstance(value, str) else None


class BadRequestError(APIStatusError):
    """400: something in the request is wrong, and `field` names it."""


class AuthenticationError(APIStatusError):
    """401: no API key, or not a valid one."""


class PermissionDeniedError(APIStatusError):
    """403: the API key's role does not allow it."""


class NotFoundError(APIStatusError):
    """404: there is no such thing."""


class FeatureUnavailableError(NotFoundError):
    """404: the node does not have this part of the interface (yet)."""


class ConflictError(APIStatusError):
    """409: the state of the thing forbids it."""


class PreconditionFailedError(APIStatusError):
    """412: `if_match` or `if_none_match` does not hold."""


class UnprocessableEntityError(APIStatusError):
    """422: understood, and refused for what it says."""


class RateLimitError(APIStatusError, RuntimeError):
    """429: a limit said no.

    It is a `RuntimeError` too, so that code which answers a `RuntimeError` with 429 does the same for a denial that
    the package raises by itself.

    Attributes:
        decision: the denial, when it is one of an agent's bucket.
        violated_policies: the policies that denied.
    """

    def __init__(
        self,
        message: str,
        *,
        decision: Decision | None = None,
        status_code: int = 429,
        problem: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        response: httpx2.Response | None = None,
    ) -> None:
        super().__init__(
            message,
            status_code=status_code,
            problem=problem,
            request_id=request_id,
            retry_after=retry_after,
            response=response,
        )
        self.decision = decision

    @property
    def violated_policies(self) -> tuple[str, ...]:
        """Names of the policies that denied."""
        if self.decision is not None and self.decision.violated_policies:
            return self.decision.violated_policies
        names = self.problem.get("violated-policies")
        return tuple(str(name) for name in names) if isinstance(names, list) else ()

    @classmethod
    def of(cls, decision: Decision) -> RateLimitError:
        """The error that says what a denial says."""
        wait = "" if decision.retry_after is None else f"; try again in {decision.retry_after:.3g} s"
        return cls(
            f"{decision.agent} may not take {decision.tokens} tokens now{wait}",
            decision=decision,
            retry_after=decision.retry_after,
        )


class InternalServerError(APIStatusError):
    """5xx: a fault of the node, or 503: it cannot do it now."""


class UpstreamError(OpenClawError):
    """The model's own API did not give an answer that can be used.

    Attributes:
        status_code: its HTTP status, or None when there was no answer.
        body: the beginning of what it said.
    """

    def __init__(self, message: str, *, status_code: int | None = None, body: str = "") -> None:
        super().__init__(message)
        self.status_code = status_code
        self.body = body


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def class_of(status: int) -> type[APIStatusError]:
    """The class of errors for a status that is no success."""
    if status >= 500:
        return InternalServerError
    return _BY_STATUS.get(status, APIStatusError)
