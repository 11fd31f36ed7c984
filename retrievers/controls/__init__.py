"""What a generative retriever is held against: ceilings of its parts, and controls of its own."""
