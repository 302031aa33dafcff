"""Schedules: which step of which node happens when, and what it sees."""
