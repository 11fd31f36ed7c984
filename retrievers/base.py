"""The contract between the harness and everything that can rank media for a text.

A retriever is built by its adapter (see ``retrievers.registry``), learns from training pairs,
indexes a gallery and answers text queries. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from datasets.base import Item, Modality, Pairs

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

Paradigm = Literal["dual tower", "single tower", "generative"]
Weights = Literal["trained here", "pretrained", "imported", "random"]
Precision = Literal["fp32", "bf16", "fp16"]
# How many of the first stage's candidates a single tower scores again: a number, as its authors
# published it, or the whole gallery.
Depth = int | Literal["published", "all"]


class WeightsAbsent(Exception):
    """Weights that a retriever needs are not there; the message says how to get them."""


@dataclass(frozen=True)
class RetrieverSpec:
    """Everything that names a retriever and decides what it answers.

    checkpoint  role -> hub id or local path as the user gave it
    revision    role -> fingerprint of the weights that were read (empty when trained here)
    options     every setting that decides a result; values are JSON scalars
    """

    name: str
    paradigm: Paradigm
    modalities: tuple[Modality, ...]
    weights: Weights
    licence: str
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    revision: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """Work done by one search, summed over its queries."""

    vectors_compared: int = 0
    pairs_scored: int = 0
    tokens_decoded: int = 0


@dataclass(frozen=True)
class Ranking:
    """The best ``k`` indexed items for each query.

    ids     [queries, k] row numbers of the indexed items, -1 where fewer than k were found
    scores  [queries, k] descending, -inf where ids is -1
    """

    ids: IntArray
    scores: FloatArray
    cost: Cost = Cost()

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.scores.shape:
            raise ValueError(f"ids {self.ids.shape} and scores {self.scores.shape} differ")


def check_depth(k: int) -> None:
    """Raises ValueError unless at least one answer is asked for."""
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")


def unfilled(queries: int, k: int) -> tuple[IntArray, FloatArray]:
    """The ids and scores [queries, k] of a ranking in which nothing was found yet."""
    return np.full((queries, k), -1, np.int64), np.full((queries, k), -np.inf, np.float32)


@dataclass(frozen=True)
class IndexStats:
    """What indexing cost: seconds by phase, and the bytes that serving needs per gallery."""

    seconds: Mapping[str, float]
    bytes: int


class Retriever(Protocol):
    """Ranks gallery items for text queries."""

    @property
    def spec(self) -> RetrieverSpec: ...

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Learn from pairs, choosing on ``validation``; a zero-shot retriever does nothing.

        Returns seconds by phase.
        """
        ...

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Replace the gallery. A generative retriever learns its gallery here."""
        ...

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Rank the gallery. Host arrays: when it returns, all device work has finished.

        Raises ValueError when k < 1 or when nothing was indexed.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write all that ``search`` needs, without pickle."""
        ...

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote into a retriever built with the same settings."""
        ...


@runtime_checkable
class Updatable(Protocol):
    """A retriever whose gallery can change without indexing it anew."""

    def add(self, items: Sequence[Item]) -> None: ...

    def remove(self, ids: Sequence[str]) -> None: ...


@runtime_checkable
class Adaptable(Protocol):
    """An updatable retriever that can learn items which were added to its gallery."""

    def adapt(self, ids: Sequence[str]) -> Mapping[str, float]:
        """A short training on what can be said of these items without people; seconds by phase.

        Raises ValueError where an id is not in the gallery, or when nothing was fitted here.
        """
        ...


@runtime_checkable
class TextRanker(Protocol):
    """A retriever that can also rank texts for an item: the reverse direction."""

    def index_texts(self, texts: Sequence[str]) -> None:
        """Replace the texts that are ranked; the gallery of items stays."""
        ...

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        """Rank the texts; ``ids`` are their row numbers.

        Raises ValueError when k < 1 or when no texts were indexed.
        """
        ...


@runtime_checkable
class Diagnosable(Protocol):
    """A retriever that can say where its answers are lost.

    The harness calls it after the ranking is taken, since it is shown the right answers.
    """

    def diagnose(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        """Named figures for queries whose right row is ``relevant`` [queries]."""
        ...


@dataclass(frozen=True)
class ItemMap:
    """Where the gallery's items lie, and the codes that were made of that.

    embeddings  [items, dim]
    prefixes    [items, length] the identifiers without the counter that tells equal ones apart
    sizes       how many codes each position has to choose from; empty where that is not told
    """

    embeddings: FloatArray
    prefixes: IntArray
    sizes: tuple[int, ...] = ()


@runtime_checkable
class Mapped(Protocol):
    """A retriever that names its items by codes of their embeddings."""

    def item_map(self, items: Sequence[Item]) -> ItemMap:
        """Of the items of its gallery, in their order. Raises ValueError when none is indexed."""
        ...


@runtime_checkable
class Named(Protocol):
    """A retriever that answers by writing an item's identifier."""

    def identifiers(self, items: Sequence[Item]) -> IntArray:
        """[items, length] the codes that are written, -1 behind a shorter one.

        With the counter that tells equal ones apart. Raises ValueError for an item that is not
        in the gallery.
        """
        ...


@dataclass(frozen=True)
class BeamStep:
    """The prefixes of identifiers that one step of a beam search weighed: first those that the
    beam kept, then those that it let go, both with the likeliest first.

    prefixes  [weighed, tokens so far], -1 behind the end of a short identifier
    scores    [weighed] log-probabilities of the whole prefixes
    kept      how many the beam kept
    """

    prefixes: IntArray
    scores: FloatArray
    kept: int


@dataclass(frozen=True)
class BeamTree:
    """How an identifier was written for one query.

    steps        one a token
    items        [weighed by the last step] the gallery row that each of its prefixes names; those
                 that it kept are the ranking
    identifiers  [items, length] of the gallery, by row
    """

    steps: tuple[BeamStep, ...]
    items: IntArray
    identifiers: IntArray


@runtime_checkable
class Explaining(Protocol):
    """A retriever that writes identifiers token by token and can show how."""

    def explain(self, query: str, k: int) -> BeamTree:
        """The search for one query that ``search`` makes for its best ``k``, step by step.

        Raises ValueError when k < 1 or when nothing was indexed.
        """
        ...


@dataclass(frozen=True)
class GalleryCaptions:
    """What was said of the items of a gallery without people, and by whom.

    texts    of each gallery row; an item may have none
    source   who said it, as a table may show it
    outside  True where it was read and not made here: whose words they are is then unknown
    remarks  sentences that a reader of the results must see
    """

    texts: Sequence[Sequence[str]]
    source: str
    outside: bool = False
    remarks: tuple[str, ...] = ()


@runtime_checkable
class Transductive(Protocol):
    """A retriever that learns captions of its gallery, which no person may have written.

    The harness asks for them when the gallery was searched, and compares them with the queries.
    """

    def gallery_captions(self) -> GalleryCaptions | None:
        """By row of the gallery as it is now; None where nothing was said of it."""
        ...


class Encoder(Protocol):
    """Maps items and texts into one vector space; rows are L2-normalised."""

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever an embedding could: weights, preprocessing, seed, training data."""
        ...

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Seconds by phase; empty for a pretrained encoder."""
        ...

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]"""
        ...

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]"""
        ...

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


class PairScorer(Protocol):
    """Scores texts against items together (a single tower)."""

    def prepare(self, items: Sequence[Item]) -> None:
        """Take the gallery; features of items that do not depend on the text may be kept."""
        ...

    def score(self, texts: Sequence[str], rows: IntArray) -> FloatArray:
        """Scores [texts, depth] of the gallery rows [texts, depth]; -inf where a row is -1."""
        ...

    def score_texts(
        self, items: Sequence[Item], texts: Sequence[str], rows: IntArray
    ) -> FloatArray:
        """Scores [items, depth] of the texts whose rows [items, depth] are given.

        -inf where a row is -1. The items need not be in the gallery. A pair has one score,
        whichever way it is asked for.
        """
        ...


class VectorIndex(Protocol):
    """Finds the stored vectors with the largest inner product."""

    def build(self, vectors: FloatArray) -> None:
        """Take vectors [items, dim]."""
        ...

    def search(self, queries: FloatArray, k: int) -> Ranking:
        """Rank for queries [queries, dim]."""
        ...

    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True)
class Settings:
    """What an adapter is told when a retriever is built.

    device      "cpu", "cuda" or "cuda:N"; already resolved from "auto"
    checkpoint  role -> hub id or local path, from ``--checkpoint``; naming a hub id is the
                user's consent to fetch it, nothing else reaches the network
    cache       folder for trained towers, embeddings and training checkpoints
    precision   the numbers that pretrained networks compute in
    depth       of a cascade
    train_processes  that train one model together, where it can be so trained: a matter of time
    """

    seed: int
    device: str
    cache: Path
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    precision: Precision = "fp32"
    depth: Depth = "published"
    train_processes: int = 1


@dataclass(frozen=True)
class Availability:
    """Whether a retriever can run, and if not, what the user must do."""

    ready: bool
    sentence: str


class Adapter(Protocol):
    """How the registry's target builds one retriever; a class or a module may serve."""

    def availability(self, settings: Settings) -> Availability: ...

    def describe(self, settings: Settings) -> RetrieverSpec:
        """The spec, without loading weights into memory."""
        ...

    def build(self, settings: Settings) -> Retriever: ...

    def tiny(self, seed: int) -> Retriever:
        """A small form with random weights for the conformance suite; needs no files."""
        ...


@runtime_checkable
class Variable(Protocol):
    """An adapter whose retriever can be had with other settings (see ``retrievers.variants``)."""

    @property
    def fields(self) -> Mapping[str, str | int | float | bool | None]:
        """Every setting that can be changed, by its name, as it is."""
        ...

    def variant(self, changes: Mapping[str, str]) -> Adapter:
        """The same with some fields set from text, under the name that says so.

        Raises ValueError with a sentence for a field or a value that there is not.
        """
        ...
