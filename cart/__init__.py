"""CART: generative cross-modal retrieval with coarse-to-fine identifiers (ACL 2025)."""
