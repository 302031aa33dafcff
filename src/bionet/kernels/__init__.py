"""Numerics without a network: products, gathers, low-rank factors, linear recurrences.

What modules, rules and methods compute with, each file on its own arrays and nothing else.
"""
