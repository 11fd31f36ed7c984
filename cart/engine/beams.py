"""Beam search over packed rows: the prefixes that ``cart.beam`` keeps, fewer of them decoded.

No step raises a score, since each adds a log-probability. That is why what is left out is left
out exactly: a prefix whose own score does not exceed the last of as many children as are kept has
no child that would be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cart.beam import Found, renormalised
from cart.config import Renormalise
from cart.engine.decoder import Decoder, Past, Slots, Written
from cart.engine.encoder import Memories
from cart.prefix_tree import Children, PrefixTree

# Prefixes of a query that are decoded before it is asked which of the others may matter.
FIRST_WAVE = 3


@dataclass(frozen=True)
class Prefixes:
    """Live prefixes, the best first.

    nodes, scores  [queries, beams]
    tokens         position -> int64 [queries, beams]
    past           what was written at each position
    rows           position -> int64 [queries, beams], the prefixes' places in it
    """

    nodes: Tensor
    scores: Tensor
    tokens: tuple[Tensor, ...]
    past: tuple[Written, ...]
    rows: tuple[Tensor, ...]

    @staticmethod
    def root(queries: int, device: torch.device) -> Prefixes:
        """The empty prefix of every query."""
        nodes = torch.zeros((queries, 1), dtype=torch.int64, device=device)
        return Prefixes(nodes, nodes.float(), (), (), ())

    def extended(self, offers: Offers, written: Written, rows: Tensor) -> Prefixes:
        """The prefixes that ``offers`` lead to; ``written`` of these has them at ``rows``."""
        return Prefixes(
            offers.nodes.masked_fill(offers.scores == -torch.inf, 0),
            offers.scores,
            (*(token.gather(1, offers.parents) for token in self.tokens), offers.tokens),
            (*self.past, written),
            tuple(row.gather(1, offers.parents) for row in (*self.rows, rows)),
        )


@dataclass(frozen=True)
class Offers:
    """Children that may be kept, the best first: scores, and parents (which of the beams), tokens
    and nodes int64, each [queries, offers]."""

    scores: Tensor
    parents: Tensor
    tokens: Tensor
    nodes: Tensor

    def joined(self, others: Offers, count: int) -> Offers:
        """The ``count`` best of both."""
        scores = torch.cat([self.scores, others.scores], dim=1)
        scores, order = scores.topk(min(count, scores.shape[1]), dim=1)
        return Offers(
            scores,
            torch.cat([self.parents, others.parents], dim=1).gather(1, order),
            torch.cat([self.tokens, others.tokens], dim=1).gather(1, order),
            torch.cat([self.nodes, others.nodes], dim=1).gather(1, order),
        )

    def to_exceed(self, count: int) -> Tensor:
        """What a child's score must exceed to be of the ``count`` best, [queries, 1]."""
        if self.scores.shape[1] < count:
            return self.scores.new_full((len(self.scores), 1), -torch.inf)
        return self.scores[:, count - 1 : count]


@dataclass(frozen=True)
class Search:
    """What all steps of a search share."""

    decoder: Decoder
    tree: PrefixTree
    memories: Memories
    renormalise: Renormalise

    def expand(
        self, prefixes: Prefixes, beams: slice, due: Tensor | None, keep: int
    ) -> tuple[Offers, Written]:
        """Decode some of the prefixes: those of ``beams``, and of them those that are ``due``
        bool [queries, beams of the slice], or all. Gives the ``keep`` best of their children."""
        level = len(prefixes.tokens)
        queries, width = prefixes.scores[:, beams].shape
        slots = Slots(queries, width)
        if due is not None:
            slots = Slots.some(due.flatten().nonzero().squeeze(1), queries, width)

        def packed(values: Tensor) -> Tensor:
            flat = values[:, beams].flatten()
            return flat if slots.back is None else flat.index_select(0, slots.back)

        y, written = self.decoder.step(
            self.memories,
            slots,
            [packed(token) for token in prefixes.tokens],
            [Past(one, packed(row)) for one, row in zip(prefixes.past, prefixes.rows, strict=True)],
        )
        children = self.tree.children(level, packed(prefixes.nodes))
        steps = self._steps(level, self.decoder.logits(level, y), children)
        totals = steps.add_(packed(prefixes.scores).unsqueeze(1))
        if slots.back is not None:
            some = totals
            totals = some.new_full((queries * width, some.shape[1]), -torch.inf)
            totals.index_copy_(0, slots.back, some)
        totals = totals.view(queries, -1)
        scores, order = totals.topk(min(keep, totals.shape[1]), dim=1)
        widest = children.nodes.shape[1]
        parents, child = order // widest, order % widest
        places = parents + torch.arange(queries, device=order.device).unsqueeze(1) * width
        rows = places if slots.fill is None else slots.fill[places]
        offers = Offers(
            scores, parents + beams.start, children.tokens[rows, child], children.nodes[rows, child]
        )
        return offers, written

    def _steps(self, level: int, logits: Tensor, children: Children) -> Tensor:
        """Log-probability fp32 [rows, widest] of each child, -inf where there is none."""
        widest = children.nodes.shape[1]
        spread = renormalised(self.renormalise, level, self.tree.length)
        if not spread:
            logits = logits.log_softmax(dim=1)
        steps = logits[:, :widest] if children.dense else logits.gather(1, children.tokens)
        if spread:
            steps = steps.masked_fill(~children.valid, -torch.inf).log_softmax(dim=1)
        # After the softmax too: of a node without children, which no item reached, it is no number.
        steps = steps.masked_fill(~children.valid, -torch.inf)
        return steps if children.dense else steps.masked_fill_(children.ended & children.valid, 0.0)

    def finished(self, prefixes: Prefixes, keep: int) -> Offers:
        """The ``keep`` best of the prefixes that lack their counter alone and have one item,
        which costs nothing where counters are renormalised."""
        alone = self.tree.items_below(prefixes.nodes) == 1
        scores = prefixes.scores.masked_fill(~alone, -torch.inf)
        scores, parents = scores.topk(min(keep, scores.shape[1]), dim=1)
        children = self.tree.children(len(prefixes.tokens), prefixes.nodes.gather(1, parents))
        only = children.valid.int().argmax(dim=-1, keepdim=True)
        return Offers(
            scores,
            parents,
            children.tokens.gather(-1, only).squeeze(-1),
            children.nodes.gather(-1, only).squeeze(-1),
        )


# One level further: the prefixes kept, and how many were decoded for it.
Step = Callable[[Search, Prefixes, int], tuple[Prefixes, int]]


def at_once(search: Search, prefixes: Prefixes, keep: int) -> tuple[Prefixes, int]:
    """Decode every prefix: no shape follows the data, and nothing is read back."""
    offers, written = search.expand(prefixes, slice(0, prefixes.scores.shape[1]), None, keep)
    rows = torch.arange(prefixes.scores.numel(), device=prefixes.scores.device)
    return prefixes.extended(offers, written, rows.view_as(prefixes.scores)), rows.numel()


def in_waves(search: Search, prefixes: Prefixes, keep: int) -> tuple[Prefixes, int]:
    """Decode the best prefixes, and then those of the others that are not hopeless.

    Of prefixes that lack their counter alone, those whose counter is forced are not decoded.
    """
    queries, beams = prefixes.scores.shape
    level = len(prefixes.tokens)
    last = level + 1 == search.tree.length
    offers = None
    due = prefixes.scores > -torch.inf
    if last and renormalised(search.renormalise, level, search.tree.length):
        offers = search.finished(prefixes, keep)
        due &= search.tree.items_below(prefixes.nodes) > 1
    rows = torch.zeros((queries, beams), dtype=torch.int64)
    waves: list[Written] = []
    decoded = 0
    for wave in (slice(0, min(FIRST_WAVE, beams)), slice(min(FIRST_WAVE, beams), beams)):
        chosen = due[:, wave]
        if offers is not None:
            chosen = chosen & (prefixes.scores[:, wave] > offers.to_exceed(keep))
        count = int(chosen.sum())
        if not count:
            continue
        everyone = count == chosen.numel()
        found, written = search.expand(prefixes, wave, None if everyone else chosen, keep)
        offers = found if offers is None else offers.joined(found, keep)
        rows[:, wave][chosen] = torch.arange(decoded, decoded + count)
        waves.append(written)
        decoded += count
    assert offers is not None
    return prefixes.extended(offers, _joined(waves), rows), decoded


def _joined(waves: Sequence[Written]) -> Written:
    if len(waves) == 1:
        return waves[0]
    layers = zip(*(wave.both for wave in waves), strict=True)
    return Written(tuple(torch.cat(layer) for layer in layers))


def beam_search(search: Search, k: int, beam: int, step: Step) -> Found:
    """The k best identifiers of the queries that ``search`` holds the memories of; ``beam``
    prefixes are kept a step (at least k)."""
    tree = search.tree
    prefixes = Prefixes.root(search.memories.queries, tree.items.device)
    decoded = 0
    for level in range(tree.length):
        keep = k if level + 1 == tree.length else max(beam, k)
        prefixes, rows = step(search, prefixes, keep)
        decoded += rows
    items = tree.items[prefixes.nodes].long()
    items = items.masked_fill(prefixes.scores == -torch.inf, -1)
    short = k - items.shape[1]
    if short:
        items = torch.nn.functional.pad(items, (0, short), value=-1)
        prefixes_scores = torch.nn.functional.pad(prefixes.scores, (0, short), value=-torch.inf)
        return Found(items, prefixes_scores, decoded)
    return Found(items, prefixes.scores, decoded)
