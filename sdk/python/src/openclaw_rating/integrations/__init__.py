"""Other people's clients and frameworks, metered. None of them is imported here: what has the shape is taken."""

from .asgi import RateLimitMiddleware
from .langchain import LangChainRateLimiter
from .litellm import litellm_callback
from .sdk import wrap_anthropic, wrap_openai
from .wsgi import WSGIRateLimitMiddleware

__all__ = [
    "LangChainRateLimiter",
    "RateLimitMiddleware",
    "WSGIRateLimitMiddleware",
    "litellm_callback",
    "wrap_anthropic",
    "wrap_openai",
]
