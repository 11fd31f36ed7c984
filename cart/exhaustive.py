"""Every item of a gallery scored for every query: what a beam is a short cut for.

The obvious reference of ``cart.beam`` and ``cart.engine``. It costs items x queries decodings of
whole identifiers, and knows nothing of prefixes but which tokens may follow them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cart.beam import renormalised
from cart.config import Renormalise
from cart.model import CartModel
from cart.prefix_tree import ENDED, PrefixTree
from cart.tokenizer import pad

FloatArray = npt.NDArray[np.float32]

PAIRS_AT_ONCE = 2048


@dataclass(frozen=True)
class Path:
    """What leads to each item of a gallery at one position.

    tokens   int64 [items], 0 where the identifier has ended
    allowed  bool [items, vocabulary], the tokens that may stand here behind the item's prefix
    ended    bool [items]
    """

    tokens: Tensor
    allowed: Tensor
    ended: Tensor


def paths(tree: PrefixTree, vocabularies: Sequence[int], device: str) -> list[Path]:
    """Position by position, read off the identifiers themselves."""
    found = []
    prefixes = np.zeros(len(tree.items), dtype=np.int64)
    for tokens, vocabulary in zip(tree.identifiers().T, vocabularies, strict=True):
        ended = tokens == ENDED
        allowed = np.zeros((prefixes.max() + 1, vocabulary), dtype=np.bool_)
        allowed[prefixes[~ended], tokens[~ended]] = True
        found.append(
            Path(
                torch.from_numpy(np.where(ended, 0, tokens)).to(device),
                torch.from_numpy(allowed[prefixes]).to(device),
                torch.from_numpy(ended).to(device),
            )
        )
        _, prefixes = np.unique(prefixes * (vocabulary + 1) + tokens + 1, return_inverse=True)
    return found


@torch.inference_mode()
def score_all(
    model: CartModel,
    tree: PrefixTree,
    tokens: Sequence[Sequence[int]],
    renormalise: Renormalise,
    device: str = "cpu",
) -> FloatArray:
    """Log-probability [queries, items] of each item's identifier, by teacher forcing; ``tokens``
    are the queries' token ids, and ``renormalise`` is the rule of ``cart.beam.beam_search``."""
    way = paths(tree, model.levels, device)
    items = len(tree.items)
    scores = np.empty((len(tokens), items), dtype=np.float32)
    for query, text in enumerate(tokens):
        encoded = model.encode(*pad([text], device))
        for start in range(0, items, PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            wanted = torch.stack([path.tokens[part] for path in way], dim=1)
            asked = encoded.some(torch.zeros(len(wanted), dtype=torch.int64, device=device))
            total = wanted.new_zeros(len(wanted), dtype=torch.float32)
            for level, logits in enumerate(model.decode(asked, wanted)):
                path, logits = way[level], logits.float()
                if renormalised(renormalise, level, tree.length):
                    logits = logits.masked_fill(~path.allowed[part], -torch.inf)
                step = logits.log_softmax(dim=-1).gather(1, wanted[:, level, None]).squeeze(1)
                total += step.masked_fill(path.ended[part], 0.0)
            scores[query, part] = total.cpu().numpy()
    return scores
