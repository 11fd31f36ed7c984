"""Procedural twins of the datasets: drawn here, in each dataset's own layout."""
