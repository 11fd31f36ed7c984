"""Beam search over packed rows: the prefixes that ``cart.beam`` keeps, fewer of them decoded.

No step raises a score, since each adds a log-probability. That is why what is left out is left
out exactly: a prefix whose own score does not exceed the k-th best of the identifiers that are
finished has none among the k best. In a beam that is widened that k-th is known from the start,
so that of a wider beam only the prefixes above it are decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cart.beam import Found, renormalised
from cart.config import Renormalise
from cart.engine.decoder import Decoder, Past, Written
from cart.engine.memories import Memories
from cart.engine.slots import Slots
from cart.prefix_tree import Children, PrefixTree


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

    def best(self, count: int) -> tuple[Prefixes, Tensor | None]:
        """The ``count`` best, and the best score [queries] of the others, or None without any."""
        if self.scores.shape[1] <= count:
            return self, None
        kept = Prefixes(
            self.nodes[:, :count],
            self.scores[:, :count],
            tuple(token[:, :count] for token in self.tokens),
            self.past,
            tuple(row[:, :count] for row in self.rows),
        )
        return kept, self.scores[:, count]

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

    @staticmethod
    def none(prefixes: Prefixes) -> Offers:
        """No child of any."""
        scores, nodes = prefixes.scores[:, :0], prefixes.nodes[:, :0]
        return Offers(scores, nodes, nodes, nodes)

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
    """What all steps of a search share; of the queries a score each [queries, 1] that a prefix must
    exceed to be of use."""

    decoder: Decoder
    tree: PrefixTree
    memories: Memories
    renormalise: Renormalise
    to_exceed: Tensor | float = -torch.inf

    def expand(
        self, prefixes: Prefixes, chosen: Tensor | None, keep: int
    ) -> tuple[Offers, Written]:
        """Decode the prefixes that are ``chosen`` bool [queries, beams], or all, and give the
        ``keep`` best of their children."""
        level = len(prefixes.tokens)
        queries, beams = prefixes.scores.shape
        slots = Slots(queries, beams) if chosen is None else Slots.some(chosen)
        places = None if chosen is None else chosen.flatten().nonzero().squeeze(1)

        def packed(values: Tensor) -> Tensor:
            flat = values.flatten()
            return flat if places is None else flat.index_select(0, places)

        y, written = self.decoder.step(
            self.memories,
            slots,
            [packed(token) for token in prefixes.tokens],
            [Past(one, packed(row)) for one, row in zip(prefixes.past, prefixes.rows, strict=True)],
        )
        children = self.tree.children(level, packed(prefixes.nodes))
        steps = self._steps(level, self.decoder.logits(level, y), children)
        totals = slots.spread(steps.add_(packed(prefixes.scores).unsqueeze(1)), -torch.inf)
        scores, order = totals.flatten(1).topk(min(keep, totals[0].numel()), dim=1)
        rows = slots.row(order // totals.shape[2])
        child = order % totals.shape[2]
        parents = rows % beams if places is None else places[rows] % beams
        return (
            Offers(scores, parents, children.tokens[rows, child], children.nodes[rows, child]),
            written,
        )

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
    offers, written = search.expand(prefixes, None, keep)
    rows = torch.arange(prefixes.scores.numel(), device=prefixes.scores.device)
    return prefixes.extended(offers, written, rows.view_as(prefixes.scores)), rows.numel()


def where_it_matters(search: Search, prefixes: Prefixes, keep: int) -> tuple[Prefixes, int]:
    """Decode only the prefixes of use whose children are not known already and may be kept.

    With renormalised counters an item alone below its prefix has the prefix's score, and what
    does not exceed enough of these is hopeless.
    """
    level = len(prefixes.tokens)
    due = prefixes.scores > search.to_exceed
    known = None
    if level + 1 == search.tree.length and renormalised(search.renormalise, level, level + 1):
        known = search.finished(prefixes, keep)
        due &= search.tree.items_below(prefixes.nodes) > 1
        due &= prefixes.scores > known.to_exceed(keep)
    count = int(due.sum())
    rows = torch.zeros_like(prefixes.nodes)
    if not count:
        return prefixes.extended(known or Offers.none(prefixes), Written(()), rows), 0
    rows[due] = torch.arange(count)
    offers, written = search.expand(prefixes, None if count == due.numel() else due, keep)
    if known is not None:
        offers = known.joined(offers, keep)
    return prefixes.extended(offers, written, rows), count


def beam_search(search: Search, k: int, beam: int, step: Step) -> Found:
    """The k best identifiers of the queries that ``search`` holds the memories of; ``beam``
    prefixes are kept a step (at least k)."""
    tree, beam = search.tree, max(beam, k)
    queries, device = search.memories.queries, tree.items.device
    prefixes = Prefixes.root(queries, device)
    let_go = torch.full((queries,), -torch.inf, device=device)
    decoded = 0
    for level in range(tree.length):
        last = level + 1 == tree.length
        # One more than is kept, to know the best that is not.
        prefixes, rows = step(search, prefixes, k if last else beam + 1)
        decoded += rows
        if not last:
            prefixes, others = prefixes.best(beam)
            let_go = let_go if others is None else torch.maximum(let_go, others)
    items = tree.items[prefixes.nodes].long()
    items = items.masked_fill(prefixes.scores == -torch.inf, -1)
    short = (0, k - items.shape[1])
    return Found(
        F.pad(items, short, value=-1),
        F.pad(prefixes.scores, short, value=-torch.inf),
        decoded,
        let_go,
        torch.full((queries,), beam, dtype=torch.int64, device=device),
    )
