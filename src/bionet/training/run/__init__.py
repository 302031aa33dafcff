"""One run of `fit`: its checkpoints, its fingerprint, its end, its devices."""
