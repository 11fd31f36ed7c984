"""What the beam wrote for one query, step by step: to be looked at, not to be fast.

It goes by the steps of the plain beam (``cart.beam``), and keeps what they weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cart.beam import Beams, Writer, keep, renormalised, weigh
from cart.config import Renormalise
from cart.prefix_tree import ENDED, PrefixTree
from cart.tokenizer import pad

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """The prefixes that one step weighed: first those that the beam kept, then those that it let
    go, both with the likeliest first.

    prefixes  [weighed, level + 1] tokens, ENDED behind the end of a short identifier
    scores    [weighed] log-probabilities of the whole prefixes
    kept      how many the beam kept
    """

    prefixes: IntArray
    scores: FloatArray
    kept: int


@dataclass(frozen=True)
class Written:
    """The steps of one search, and the row of the item [weighed by the last step] whose identifier
    each of its prefixes is."""

    steps: tuple[Step, ...]
    items: IntArray


@torch.inference_mode()
def beam_tree(
    model: Writer,
    tree: PrefixTree,
    tokens: Sequence[int],
    beam: int,
    renormalise: Renormalise,
    device: str,
) -> Written:
    """Search for the query of these token ids with ``beam`` prefixes a step.

    The first k items of the last step are those that ``cart.beam.beam_search`` finds with this
    beam, with their scores, up to the order of ties.
    """
    encoded = model.encode(*pad([tokens], device))
    y = model.begin.expand(1, 1, -1)
    beams = Beams.start(model, 1, torch.device(device))
    live: IntArray = np.empty((1, 0), dtype=np.int64)
    steps = []
    for level in range(tree.length):
        spread = renormalised(renormalise, level, tree.length)
        weighed = weigh(model, tree, encoded, y, beams, level, spread)
        last = level + 1 == tree.length
        beams, chosen = keep(weighed, beams.let_go, beam, last=last)
        scores = weighed.scores[0].float().cpu().numpy()
        parents, places = np.nonzero(scores > -np.inf)
        children = weighed.children
        codes = np.where(children.ended[0].cpu(), ENDED, children.tokens[0].cpu())
        nodes = children.nodes[0].cpu().numpy()[parents, places]
        found = scores[parents, places]
        prefixes = np.column_stack([live[parents], codes[parents, places]])
        # Every node of a level is the child of one prefix, so it names what was kept.
        held = beams.nodes[0][beams.scores[0] > -torch.inf].cpu().numpy()
        kept = np.isin(nodes, held)
        order = np.lexsort((-found, ~kept))
        steps.append(Step(prefixes[order], found[order], int(kept.sum())))
        row_of = {int(node): row for row, node in enumerate(nodes)}
        # Of a beam that holds no prefix, whose children score -inf, any row will do.
        live = prefixes[[row_of.get(int(node), 0) for node in beams.nodes[0]]]
        if not last:
            y = model.embed(level, chosen)
    items = tree.items[torch.from_numpy(nodes[order]).to(tree.items.device)]
    return Written(tuple(steps), items.cpu().numpy().astype(np.int64))
