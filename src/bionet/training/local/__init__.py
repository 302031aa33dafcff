"""Local methods: signals at the synapse, and at most a broadcast."""
