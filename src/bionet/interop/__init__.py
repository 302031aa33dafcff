"""Bridges to other libraries, each in a file of its own and imported where it is used."""
