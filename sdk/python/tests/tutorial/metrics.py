from prometheus_client import start_http_server, Counter
# Expose metrics on port 8000
start_http_server(8000)
# Custom counter for token consumption per agent
tokens_used = Counter(
"openclaw_tokens_used_total",
"Total tokens consumed per AI agent",
["agent_id"]
)
def call_ai_agent(prompt: str, agent_id: str) -> str:
    # ... token bucket logic ...
    tokens_used.labels(agent_id=agent_id).inc()
    # ... rest of the function ...
