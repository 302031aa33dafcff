"""Private plumbing without domain words: errors, array checks, keys, trees, files."""
