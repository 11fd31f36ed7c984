"""Two sets of stored results held against each other: what became worse, better, or is gone."""
