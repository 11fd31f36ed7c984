"""Pages and figures made from stored results; runs without torch."""
