"""Dual towers under load: a text is encoded, and its nearest candidates are looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import torch
from torch import Tensor, nn

from datasets.candidates import CandidateSet, query_texts
from retrievers.base import Ranking
from retrievers.serving import drawn_queries
from retrievers.serving.contract import Answered, Built, CannotServe, Needs, Place, Say
from retrievers.serving.drawn_queries import DrawnQueries, exact_ranking
from retrievers.serving.dual_needs import dual_needs
from retrievers.serving.galleries import BEST, EXACT, FLAT, GPU, HNSW, IVF, PQ, Gallery, Search
from retrievers.serving.numbers import Computed, computed, dtype
from retrievers.serving.text_towers import LONGEST, PaddedEncoder, TextTower, TokenRows, trimmed

_SEED = 0
# Texts that are encoded both ways before anything is served.
_COMPARED = 4
# Of what tells texts apart; fp32 rounds to about a millionth of it.
_LARGEST_ERROR = 1e-3
# Tokens of a caption, with those that begin and end it.
_CAPTION = 16


class Encoder(Protocol):
    @property
    def bytes(self) -> int: ...

    def encode(self, rows: TokenRows) -> Tensor:
        """[texts, dim] on the device, not normalised."""
        ...


@dataclass(frozen=True)
class TextSide:
    """How a tower's texts are encoded.

    told     how long a text is to the network
    tokens   that the network is given of a caption
    numbers  in use at a place. Raises CannotServe
    encoder  (tower, its network on the device, numbers, device) -> what serves
    """

    told: str
    tokens: int
    numbers: Callable[[Place], Computed]
    encoder: Callable[[TextTower, nn.Module, Computed, torch.device], Encoder]


def only_fp32(place: Place) -> Computed:
    """Raises CannotServe where other numbers are asked for."""
    if place.numbers not in ("auto", "fp32"):
        raise CannotServe(
            f"This form runs in fp32, as the paper ran it: ask for another form in {place.numbers}."
        )
    return "fp32"


PADDED = TextSide(f"padded to {LONGEST} tokens", LONGEST, only_fp32, PaddedEncoder)
TRIMMED = TextSide("its real length, texts of one length together", _CAPTION, computed, trimmed)


class Dual:
    """A tower of texts with random weights before an index of drawn candidates."""

    def __init__(self, place: Place, tower: TextTower, side: TextSide, search: Search) -> None:
        """Raises CannotServe."""
        self._place = place
        self._tower = tower
        self._side = side
        self._search = search
        self._numbers = side.numbers(place)
        self._built: _BuiltDual | None = None

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        return {
            "model": self._tower.model,
            "width": self._tower.width,
            "layers": self._tower.layers,
            "tokens": self._tower.tokens,
            "text": self._side.told,
            "numbers": self._numbers,
            "search": self._search.told,
            "query vectors": drawn_queries.TOLD,
        }

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """Raises CannotServe where the candidates are not of the tower's width or do not fit."""
        if candidates.dim != self._tower.dim:
            raise CannotServe(
                f"{self._tower.model} searches vectors of {self._tower.dim} dimensions, and the "
                f"candidates have {candidates.dim}: draw them of that width."
            )
        torch.set_num_threads(self._place.threads)
        say("making the tower of texts", 0, 1)
        start = perf_counter()
        encoder, error = self._encoder()
        made = perf_counter() - start
        say("making the tower of texts", 1, 1)
        gallery = self._search.build(self._place, candidates, say)
        self._built = _BuiltDual(candidates, DrawnQueries(candidates), encoder, gallery)
        return Built(
            seconds={"tower": made, **gallery.seconds},
            gallery_bytes=gallery.index.bytes,
            model_bytes=encoder.bytes,
            facts={"encoder's error": error, **gallery.facts},
        )

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Raises ValueError when k < 1 or before ``build``."""
        built = self._whole()
        start = perf_counter()
        rows = self._tower.tokenise(texts)
        tokenised = perf_counter()
        with torch.inference_mode():
            vectors = built.encoder.encode(rows).float().cpu()
        if not vectors.isfinite().all():
            raise RuntimeError(
                f"{self._tower.model} gave numbers that are not finite in {self._numbers}: "
                "ask for other numbers."
            )
        encoded = perf_counter()
        ranking = built.gallery.index.search(built.queries.of(texts), k)
        return Answered(
            ranking,
            seconds={
                "tokenise": tokenised - start,
                "encode": encoded - tokenised,
                "search": perf_counter() - encoded,
            },
        )

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """Exact, in fp32, by numpy over the candidates as they lie on disk.

        That the encoder gives what the padded network in fp32 gives was measured in ``build``.
        """
        built = self._whole()
        return exact_ranking(built.candidates, built.queries.of(texts), k)

    def _whole(self) -> _BuiltDual:
        if self._built is None:
            raise ValueError("the row holds no candidates: call build first")
        return self._built

    def _encoder(self) -> tuple[Encoder, float]:
        """What serves, and how far its vectors lie from those of the padded network in fp32.

        Raises CannotServe where they lie further than rounding can bring them.
        """
        tower, device = self._tower, torch.device(self._place.device)
        network = tower.random(_SEED).eval().requires_grad_(False)
        rows = tower.tokenise(query_texts(_COMPARED))
        with torch.inference_mode():
            plain = PaddedEncoder(tower, network, "fp32", torch.device("cpu")).encode(rows)
            network.to(device=device, dtype=dtype(self._numbers))
            encoder = self._side.encoder(tower, network, self._numbers, device)
            served = encoder.encode(rows).float().cpu()
        error = relative_error(served, plain)
        if self._numbers == "fp32" and not error <= _LARGEST_ERROR:
            raise CannotServe(
                f"{tower.model} as it is served differs from its own padded network by "
                f"{error:.1e} of what tells texts apart: this machine's torch computes it wrongly."
            )
        return encoder, error


def relative_error(vectors: Tensor, plain: Tensor) -> float:
    """How far vectors [texts, dim] lie from ``plain``, as a share of the spread of the texts.

    Random weights give all texts nearly one vector, so that a cosine would always be near 1.
    """
    spread = (plain - plain.mean(dim=0)).norm()
    return float((vectors - plain).norm() / spread)


@dataclass(frozen=True)
class _BuiltDual:
    candidates: CandidateSet
    queries: DrawnQueries
    encoder: Encoder
    gallery: Gallery


@dataclass(frozen=True)
class DualRow:
    """One form of one tower: what a target of ``retrievers.serving.rows`` names."""

    tower: TextTower
    side: TextSide
    search: Search

    def __call__(self, place: Place) -> Dual:
        """Raises CannotServe."""
        return Dual(place, self.tower, self.side, self.search)

    def needs(self, place: Place, candidates: int) -> Needs:
        """Raises CannotServe where the device is not for this form or these numbers."""
        numbers = self.side.numbers(place)
        cost = self.search.cost(place, candidates, self.tower.dim)
        return dual_needs(place, self.tower, self.side.tokens, numbers, cost)


def forms(tower: TextTower) -> tuple[DualRow, ...]:
    """Paper, exact, best, IVF, HNSW, PQ and GPU, as ``retrievers.serving.rows`` names them."""
    trimmed_forms = (EXACT, BEST, IVF, HNSW, PQ, GPU)
    return (
        DualRow(tower, PADDED, FLAT),
        *(DualRow(tower, TRIMMED, search) for search in trimmed_forms),
    )
