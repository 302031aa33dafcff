"""Modules between buffers that have the shape of an image."""
