"""Constrained beam search over the prefix tree (section 3.5), for any model that writes.

This is the plain one, made to be read; ``cart.engine`` is checked against it. The beam is the
query length of the cross-attention: encoder keys and values are made once a query and never
copied to the beams. Nothing is read back to the host before the end.

A step adds a log-probability, which is never positive, so that no item scores higher than any
prefix of its identifier. Where the k-th item found scores no less than every prefix that was let
go, the answer is certified: no item outside it scores higher than its last, though one may tie.
Rounding does not weaken that. To add what is not positive never raises a floating-point number,
since rounding keeps order and the number itself is one; and a log-softmax, a difference to the
largest logit less the logarithm of a sum that holds exp(0) = 1, rounds to nothing positive. So the
bound holds for scores as they are computed here, in the numbers that they are computed in. It says
nothing of other numbers: what fp32 or 8 bits make of the same model in batches of another shape
differs by a rounding, within which items may change places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cart.config import Renormalise
from cart.model import DecoderLayer, Encoded
from cart.prefix_tree import Children, PrefixTree


class Writer(Protocol):
    """An encoder-decoder that writes identifiers a token at a time."""

    @property
    def begin(self) -> Tensor:
        """What the decoder reads before the first token [width]."""
        ...

    def encode(self, ids: Tensor, mask: Tensor) -> Encoded:
        """Queries ids int64 [batch, length], mask bool [batch, length]."""
        ...

    def decoder_layers(self) -> list[DecoderLayer]: ...

    def embed(self, level: int, tokens: Tensor) -> Tensor:
        """What the decoder reads [..., width] after tokens [...] of the position ``level``."""
        ...

    def logits(self, level: int, y: Tensor) -> Tensor:
        """Of the tokens of ``level`` [..., vocabulary], from the last layer's y [..., width]."""
        ...


@dataclass(frozen=True)
class Found:
    """The best items of each query.

    items    int64 [queries, k], -1 where fewer were found
    scores   [queries, k], log-probabilities of the identifiers, descending, -inf at -1
             (behind the end of a short identifier nothing is written and nothing lost)
    decoded  decoder positions computed, padding beams included
    let_go   [queries], the best score among the prefixes that the beam had no room for, -inf where
             it had room for all
    beams    int64 [queries], how wide the beam was at last
    """

    items: Tensor
    scores: Tensor
    decoded: int
    let_go: Tensor
    beams: Tensor

    @property
    def certified(self) -> Tensor:
        """bool [queries]: no item that is left out scores higher than the k-th, so that these are
        the model's own k best up to ties. A gallery of fewer than k is certified once all of it
        is found."""
        return self.scores[:, -1] >= self.let_go


@dataclass(frozen=True)
class Beams:
    """Live prefixes: tree nodes and scores [queries, beams], past a decoder layer, and the best
    score [queries] let go so far."""

    nodes: Tensor
    scores: Tensor
    past: tuple[tuple[Tensor, Tensor], ...]
    let_go: Tensor

    @staticmethod
    def start(model: Writer, queries: int, device: torch.device) -> Beams:
        """The empty prefix of each query."""
        return Beams(
            nodes=torch.zeros((queries, 1), dtype=torch.int64, device=device),
            scores=model.begin.new_zeros((queries, 1)),
            past=(),
            let_go=model.begin.new_full((queries,), -torch.inf),
        )


@dataclass(frozen=True)
class Weighed:
    """Every live prefix's children, of which none is let go yet.

    children  [queries, beams, widest]
    scores    [queries, beams, widest] of the whole prefixes, -inf where there is no such child
    past      of the prefixes that they extend
    """

    children: Children
    scores: Tensor
    past: tuple[tuple[Tensor, Tensor], ...]


@torch.inference_mode()
def beam_search(
    model: Writer,
    tree: PrefixTree,
    ids: Tensor,
    mask: Tensor,
    k: int,
    beam: int,
    renormalise: Renormalise,
) -> Found:
    """The k best identifiers of queries ids [queries, length] that the tree allows.

    ``beam`` prefixes are kept a step (at least k). Where a step is renormalised its probability
    is spread over the valid children only, so that a prefix's children sum to one; where none
    is, a score is the model's own log-probability of the whole identifier.
    """
    return search_encoded(model, tree, model.encode(ids, mask), k, beam, renormalise)


@torch.inference_mode()
def search_encoded(
    model: Writer, tree: PrefixTree, encoded: Encoded, k: int, beam: int, renormalise: Renormalise
) -> Found:
    """The same of queries that are encoded already."""
    beam = max(beam, k)
    queries, device = len(encoded.mask), encoded.mask.device
    y = model.begin.expand(queries, 1, -1)
    beams = Beams.start(model, queries, device)
    decoded = 0
    for level in range(tree.length):
        decoded += y.shape[0] * y.shape[1]
        spread = renormalised(renormalise, level, tree.length)
        weighed = weigh(model, tree, encoded, y, beams, level, spread)
        beams, tokens = keep(weighed, beams.let_go, beam, last=level + 1 == tree.length)
        if level + 1 < tree.length:
            y = model.embed(level, tokens)
    top = min(k, beams.scores.shape[1])
    scores, order = beams.scores.topk(top, dim=1)
    items = tree.items[beams.nodes.gather(1, order)].long()
    items = items.masked_fill(scores == -torch.inf, -1)
    short = k - top
    if short:
        items = torch.nn.functional.pad(items, (0, short), value=-1)
        scores = torch.nn.functional.pad(scores, (0, short), value=-torch.inf)
    beam_of_all = torch.full((queries,), beam, dtype=torch.int64, device=device)
    return Found(items, scores, decoded, beams.let_go, beam_of_all)


def renormalised(renormalise: Renormalise, level: int, length: int) -> bool:
    """Whether the step of ``level`` in identifiers of ``length`` tokens is renormalised."""
    return renormalise == "everything" or (renormalise == "counter" and level + 1 == length)


def weigh(
    model: Writer,
    tree: PrefixTree,
    encoded: Encoded,
    y: Tensor,
    beams: Beams,
    level: int,
    spread: bool,
) -> Weighed:
    """Score the children of every beam, which is read as y [queries, beams, width].

    spread  whether the probability of this step is spread over the valid children only
    """
    past = []
    for index, layer in enumerate(model.decoder_layers()):
        before = beams.past[index] if beams.past else None
        y, kept = layer.step(y, before, encoded.keys[index], encoded.values[index], encoded.mask)
        past.append(kept)
    logits = model.logits(level, y).float()
    children = tree.children(level, beams.nodes)
    if spread:
        steps = logits.gather(-1, children.tokens).masked_fill(~children.valid, -torch.inf)
        steps = steps.log_softmax(dim=-1)
    else:
        steps = logits.log_softmax(dim=-1).gather(-1, children.tokens)
    # After the softmax too: of a node without children, which no item reached, it is no number.
    steps = steps.masked_fill(~children.valid, -torch.inf)
    steps = steps.masked_fill(children.ended & children.valid, 0.0)
    return Weighed(children, beams.scores.unsqueeze(-1) + steps, tuple(past))


def keep(weighed: Weighed, let_go: Tensor, beam: int, last: bool) -> tuple[Beams, Tensor]:
    """The best ``beam`` of what a step weighed, and their tokens [queries, beams].

    let_go  [queries], the best score let go before
    last    whether it was the last step: what is let go behind it are items, of which k better
            ones are kept
    """
    children, total = weighed.children, weighed.scores.flatten(1)
    scores, best = total.topk(min(beam + 1, total.shape[1]), dim=1)
    if not last and scores.shape[1] > beam:
        let_go = torch.maximum(let_go, scores[:, beam])
    scores, best = scores[:, :beam], best[:, :beam]
    parents = best // children.nodes.shape[-1]
    nodes = children.nodes.flatten(1).gather(1, best)
    tokens = children.tokens.flatten(1).gather(1, best)
    rows = torch.arange(len(parents), device=parents.device).unsqueeze(1)
    kept_past = tuple((key[rows, parents], value[rows, parents]) for key, value in weighed.past)
    # A beam that had too few children holds -inf; its node is any one.
    nodes = nodes.masked_fill(scores == -torch.inf, 0)
    return Beams(nodes, scores, kept_past, let_go), tokens
