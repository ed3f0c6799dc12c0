"""An agent that works through questions, streams its answers, and stays within its budget of tokens.

    OPENCLAW_AI_URL=http://127.0.0.1:11434/v1 python agent_loop.py llama3 "Why is the sky blue?" "And at dusk?"

The budget is 20 000 tokens an hour. What an answer may cost is reserved before it is asked for, and what it did cost is
settled when it ended; when the budget is used up the loop waits for as long as the limit says.
"""

from __future__ import annotations

import sys

from openclaw_rating import OpenClawClient, RateLimitError, TokenBucket

AGENT = "agent:researcher:tokens"


def answer(client: OpenClawClient, bucket: TokenBucket, model: str, question: str) -> str:
    """Ask until the budget allows it, and print the answer as it comes."""
    while True:
        try:
            words = []
            for text in client.stream_ai(question, model, agent=AGENT, bucket=bucket, max_tokens=500):
                print(text, end="", flush=True)
                words.append(text)
            print()
            return "".join(words)
        except RateLimitError as denied:
            print(f"budget used up; waiting {denied.retry_after or 1:.0f} s", file=sys.stderr)
            bucket.acquire(AGENT, wait=True)


def main(model: str, questions: list[str]) -> None:
    """Answer all questions with one client."""
    with OpenClawClient() as client:
        bucket = TokenBucket(client=client, capacity=20_000, refill_rate=20_000, interval_seconds=3600)
        for question in questions:
            answer(client, bucket, model, question)
        used = client.agents.get(AGENT)
        print(f"{used.consumed - used.refunded} tokens used, {used.level} left")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
