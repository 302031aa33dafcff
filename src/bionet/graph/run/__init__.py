"""Runs a compiled schedule: slots, rows of slots, windows and records."""
