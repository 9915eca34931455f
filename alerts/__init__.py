"""Bring findings to people: incidents, notifications, channels and proposed controls."""
