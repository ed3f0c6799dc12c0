"""Names of the OpenTelemetry conventions for generative AI. They are still in development: this is the one place."""

from __future__ import annotations

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
AGENT_ID: Final = "gen_ai.agent.id"
ERROR_TYPE: Final = "error.type"

INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

COUNTER_PREFIX: Final = "gen_ai.client.inference.usage."
TOKEN_UNIT: Final = "{token}"  # noqa: S105 - a unit, no secret
DURATION: Final = "gen_ai.client.operation.duration"

CHAT: Final = "chat"
