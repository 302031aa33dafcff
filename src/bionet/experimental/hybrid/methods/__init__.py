"""The hybrid methods: each a file, on one base."""
