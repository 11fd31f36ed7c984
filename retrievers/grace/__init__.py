"""GRACE (Li et al., ACL 2024) in small, over the prefix tree and the beam of ``cart``."""
