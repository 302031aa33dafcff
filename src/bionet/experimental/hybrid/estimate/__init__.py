"""Estimates of a gradient from pairs of loss values, as vectors."""
