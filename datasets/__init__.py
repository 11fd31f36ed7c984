"""Items, captions and queries: the datasets, their protocol cards and media decoding."""
