"""Frozen controls: networks of which no hidden weight is trained."""
