"""What one result is: a retriever on a dataset under a protocol with a seed, and its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.spec_key import spec_key
from datasets.base import MediaToText, Modality
from retrievers.base import RetrieverSpec

SCHEMA = 3

Status = Literal["done", "failed"]


@dataclass(frozen=True)
class CellSpec:
    """Everything that decides a result, and nothing else.

    code  digest of the source that computes it, so that no result outlives its code
    """

    retriever: RetrieverSpec
    dataset: str
    protocol: str
    dataset_digest: str
    synthetic: bool
    seed: int
    k: int
    code: str

    @property
    def key(self) -> str:
        """32 hexadecimal digits naming the folder of this result."""
        return spec_key(self)


@dataclass(frozen=True)
class Measure:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cell:
    """One stored result.

    modality     what the gallery holds; "" in a failed cell
    media_to_text  the dataset's rule of the reverse direction; "" in a failed cell
    metrics      "R@1", "R@5", "R@10", "MRR@10" as fractions of 1, of a text that asks for items
    reverse      the same of an item that asks for texts; empty where the retriever ranks none
    counts       "gallery" (the largest searched at once), "distractors" in it, "folds",
                 "queries", "items_asked" (in the reverse direction), "train_items",
                 "train_captions", ..., and the work of the search for items as in
                 ``retrievers.base.Cost``
    seconds      phase -> seconds, prefixed "fit/", "index/", "search/"; those of the reverse
                 direction are "search/reverse"
    pace         "batch-100": queries a second in calls of 100, over this gallery; empty where the
                 retriever was not asked again
    memory       "peak_bytes" of the process, "index_bytes" needed to serve, and where an
                 accelerator was used "accelerator_peak_bytes"
    diagnostics  what the retriever says of itself (collision ceiling, accuracy per token, ...)
    ceilings     "R@1", ...: what a reader without mistakes could reach in this gallery, where
                 the dataset knows it
    machine      processor, cores, threads, accelerator, memory, system
    versions     package -> version
    revision     git commit, "+changes" where the tree was not clean, "" outside a checkout
    reason       why a failed cell failed, a sentence
    """

    spec: CellSpec
    status: Status
    created: str
    command: str
    reason: str = ""
    modality: Modality | Literal[""] = ""
    media_to_text: MediaToText | Literal[""] = ""
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    reverse: Mapping[str, Measure] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    pace: Mapping[str, Measure] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
