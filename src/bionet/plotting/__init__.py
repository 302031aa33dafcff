"""Pictures: the only importer of matplotlib, and each file imported where it is used."""
