"""Where a CART loses its answers: figures of its identifiers and of each token it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from cart.identifiers import collision_ceiling, collision_rate, perplexity, used_share
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.search import QUERIES_AT_ONCE
from cart.tokenizer import pad

IntArray = npt.NDArray[np.int64]


def token_names(length: int) -> list[str]:
    """Of the positions of identifiers of ``length`` tokens: k, v1, ..., u. One alone is u."""
    return [*["k", *(f"v{m + 1}" for m in range(length - 2))][: length - 1], "u"]


@torch.inference_mode()
def token_accuracy(
    model: CartModel,
    tree: PrefixTree,
    gallery: IntArray,
    tokens: Sequence[Sequence[int]],
    relevant: IntArray,
    device: str,
) -> dict[str, float]:
    """By token: ``token_accuracy``, the share of queries whose right token is the likeliest valid
    one, given the right prefix; and ``greedy_share``, that of queries of which every token up to
    it is, so that the last is R@1 of greedy decoding.

    gallery   identifiers [items, length]
    tokens    of each query
    relevant  gallery row of each query [queries]
    """
    wanted = torch.from_numpy(gallery[relevant]).to(device)
    right = torch.zeros(tree.length, device=device)
    survived = torch.zeros(tree.length, device=device)
    for start in range(0, len(tokens), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        ids, mask = pad(tokens[part], device)
        logits = model.decode(model.encode(ids, mask), wanted[part])
        node = torch.zeros(len(ids), dtype=torch.int64, device=device)
        alive = torch.ones(len(ids), dtype=torch.bool, device=device)
        for level, scores in enumerate(logits):
            children = tree.children(level, node)
            valid = scores.gather(-1, children.tokens)
            valid = valid.masked_fill(~children.valid, -torch.inf)
            chosen = children.tokens.gather(1, valid.argmax(dim=1, keepdim=True)).squeeze(1)
            goal = wanted[part][:, level]
            right[level] += (chosen == goal).sum()
            alive &= chosen == goal
            survived[level] += alive.sum()
            matches = (children.tokens == goal[:, None]) & children.valid
            taken = matches.int().argmax(dim=1, keepdim=True)
            node = children.nodes.gather(1, taken).squeeze(1)
    figures = {"token_accuracy": right, "greedy_share": survived}
    return {
        f"{figure}/{name}": value
        for figure, counted in figures.items()
        for name, value in zip(
            token_names(tree.length), (counted / max(1, len(tokens))).tolist(), strict=True
        )
    }


def identifier_figures(
    gallery: IntArray, sizes: Sequence[int], unexplained: float | None = None
) -> Mapping[str, float]:
    """Of identifiers [items, length], whose vocabularies ``sizes`` are.

    How far code prefixes tell items apart, how much of each vocabulary is in use, and
    ``unexplained``, the share of the embeddings' variance that codes do not keep, where known.
    """
    prefixes = gallery[:, :-1]
    collisions = collision_rate(prefixes)
    figures = {
        "collision_ceiling": collision_ceiling(prefixes),
        "collision_rate": collisions,
        "distinct_prefixes": 1 - collisions,
    }
    for level, name in enumerate(token_names(gallery.shape[1])[:-1]):
        figures[f"perplexity/{name}"] = perplexity(prefixes[:, level], sizes[level])
        figures[f"used_share/{name}"] = used_share(prefixes[:, level], sizes[level])
    if unexplained is not None:
        figures["unexplained_variance_share"] = unexplained
    return figures
