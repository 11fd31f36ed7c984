"""What a prefix tree answers: which tokens may follow."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

# Stands behind the last token of an identifier that is shorter than the others.
ENDED = -1


@dataclass(frozen=True)
class Children:
    """The children of some nodes, padded to the widest node of their level.

    tokens, nodes  int64 [..., widest]; arbitrary, but in range, where ``valid`` is False
    valid          bool [..., widest]
    ended          bool [..., widest]: the identifier ended before, and this child, the only one,
                   has no token
    dense          child j is token j, for all nodes: the first ``widest`` logits of the level
                   are those of the children as they lie
    """

    tokens: Tensor
    nodes: Tensor
    valid: Tensor
    ended: Tensor
    dense: bool
