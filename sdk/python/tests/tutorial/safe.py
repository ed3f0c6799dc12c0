def safe_call_ai(prompt: str, agent_id: str) -> str:
    try:
        return call_ai_agent(prompt, agent_id)
    except RuntimeError as e:
        # Log and re‑raise as HTTP 429
        logger.warning(str(e))
        raise HTTPException(status_code=429, detail="Rate limit exceeded")
    except Exception as exc:
        logger.error(f"Unexpected error: {exc}")
        raise HTTPException(status_code=500, detail="Internal server error")
