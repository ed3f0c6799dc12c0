import uuid
import time
def call_ai_agent(prompt: str, agent_id: str) -> str:
    # Each agent gets its own CRDT counter key
    counter_key = f"agent:{agent_id}:tokens"
    # Attempt to consume a token
    allowed = bucket.consume(counter_key, tokens=1)
    if not allowed:
        raise RuntimeError(f"Rate limit exceeded for agent {agent_id}")
    # Proceed with the actual AI call (e.g., OpenAI, Anthropic)
    response = client.invoke_ai(prompt=prompt, model="gpt-4")
    return response["text"]
