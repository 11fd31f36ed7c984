"""Speed of the hot paths: ``python -m pytest --benchmark-only``."""
