"""Cells, neurons and recurrent layers that run over time."""
