"""A clearly synthetic month of LLM request logs, made by a seeded generator."""
