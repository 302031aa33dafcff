"""The bridge from a layer map: its rows as nodes, its edges with delays."""
