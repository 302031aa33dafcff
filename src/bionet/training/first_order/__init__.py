"""First-order methods: gradients of the loss."""
