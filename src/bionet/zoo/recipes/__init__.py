"""The recipes, one file each. They are imported by the registry, and never by each other."""
