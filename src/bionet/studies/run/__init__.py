"""Runs the trials of a study: workers, engines, meters, tuning and the store."""
