"""The contract of a captioner: what a generative retriever learns its gallery from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, get_args

from cart.captions import Captioned, Generated
from datasets.base import Item, Modality, Pairs
from retrievers.base import Availability, FloatArray, RetrieverSpec


@dataclass(frozen=True)
class Source:
    """Which captioner it is, with all that decides what it says; part of a retriever's spec.

    name         what results call it: "neighbours", "the file captions.csv", a hub id
    fingerprint  of the weights or the file that it reads, "" where it reads none
    modalities   what it can caption
    options      the settings that decide a caption; JSON scalars
    outside      True where the captions were made elsewhere and are only read
    """

    name: str
    fingerprint: str = ""
    modalities: tuple[Modality, ...] = get_args(Modality)
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    outside: bool = False


def captioned_by(source: Source, spec: RetrieverSpec) -> RetrieverSpec:
    """The spec of a retriever whose gallery this source captions."""
    fingerprint = {"captioner": source.fingerprint} if source.fingerprint else {}
    own = {f"captioner.{name}": value for name, value in source.options.items()}
    return replace(
        spec,
        modalities=tuple(one for one in spec.modalities if one in source.modalities),
        revision={**spec.revision, **fingerprint},
        options={**spec.options, "captioner": source.name, **own, "transductive": True},
    )


class Captioner(Protocol):
    """Says something of items, of which it is given media and embeddings and no human caption."""

    @property
    def source(self) -> Source: ...

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences that a reader of the results must see about what was said so far."""
        ...

    def fit(self, train: Pairs, captioned: Captioned) -> Mapping[str, float]:
        """Learn from the training pairs, or nothing; seconds by phase.

        ``captioned`` is the same pairs with their embeddings. The human captions of other items
        are never given, those of validation items neither.
        """
        ...

    def captions(self, items: Sequence[Item], embeddings: FloatArray) -> Generated:
        """What it says of items with ``embeddings`` [items, dim]; of some perhaps nothing.

        Raises ValueError where it must be fitted before, and what reading media raises.
        """
        ...


class CaptionerAdapter(Protocol):
    """How one captioner is built, as ``retrievers.base.Adapter`` for a retriever."""

    def availability(self) -> Availability: ...

    def describe(self) -> Source:
        """The source, without loading weights into memory. Raises WeightsAbsent."""
        ...

    def build(self) -> Captioner:
        """Raises WeightsAbsent, CheckpointError, DatasetError."""
        ...
