"""Pretrained weights: where they are, what they are, and whether they were read whole."""
