"""Zeroth-order methods: values of the loss."""
