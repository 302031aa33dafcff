"""Reports of studies: statistics, tables, figures and comparisons."""
