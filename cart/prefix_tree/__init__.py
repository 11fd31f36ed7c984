"""The prefix tree of all identifiers, in flat tensors (section 3.5)."""

from cart.prefix_tree.children import ENDED, Children
from cart.prefix_tree.tree import PrefixTree

__all__ = ["ENDED", "Children", "PrefixTree"]
