"""Checks at the door: data, targets, options, and the first batch."""
