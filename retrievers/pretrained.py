"""Adapters of systems whose weights are read and never trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from datasets.base import Modality
from retrievers.base import Availability, Paradigm, Retriever, RetrieverSpec, Settings
from retrievers.weights import releases
from retrievers.weights.releases import Located, Release

if TYPE_CHECKING:
    from torch import nn

# The role under which every system takes its weights: --checkpoint clip=... or clip.model=...
ROLE = "model"

Options = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True)
class PretrainedAdapter:
    """Builds one system from a release, or a small form of it with random weights.

    open       (spec, weights, settings) -> the retriever; it fills the model strictly
    open_tiny  (spec, seed) -> the same with a small configuration and random weights
    network    the full-size model without weights, for its parameter count: built under
               ``torch.device("meta")``
    options    what decides a result besides the weights: preparation, pooling, scoring; "depth"
               is that of a cascade as published, which the settings may change
    told       weights -> the options that they decide, where a release comes in several forms
    """

    name: str
    paradigm: Paradigm
    modalities: tuple[Modality, ...]
    licence: str
    release: Release
    open: Callable[[RetrieverSpec, Located, Settings], Retriever]
    open_tiny: Callable[[RetrieverSpec, int], Retriever]
    network: Callable[[], nn.Module]
    options: Options = field(default_factory=dict)
    told: Callable[[Located], Options] = lambda located: {}

    def availability(self, settings: Settings) -> Availability:
        source = settings.checkpoint.get(ROLE)
        state = releases.availability("its weights", source, self.release, self.name)
        return replace(state, sentence=_sentence(state.sentence))

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent, CheckpointError; a hub id that was never fetched is fetched."""
        source = releases.named(settings.checkpoint.get(ROLE), self.release)
        located = releases.locate(source, self.release)
        return replace(
            self._spec({**self.options, **self.told(located), **self._chosen(settings)}),
            weights="pretrained",
            checkpoint={ROLE: source},
            revision={ROLE: located.fingerprint(self.release)},
        )

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError."""
        source = releases.named(settings.checkpoint.get(ROLE), self.release)
        located = releases.locate(source, self.release)
        return self.open(self.describe(settings), located, settings)

    def tiny(self, seed: int) -> Retriever:
        return self.open_tiny(self._spec({**self.options, "seed": seed}), seed)

    def _chosen(self, settings: Settings) -> dict[str, str | int]:
        chosen: dict[str, str | int] = {"precision": settings.precision}
        if "depth" in self.options and settings.depth != "published":
            chosen["depth"] = settings.depth
        return chosen

    def _spec(self, options: Options) -> RetrieverSpec:
        return RetrieverSpec(
            name=self.name,
            paradigm=self.paradigm,
            modalities=self.modalities,
            weights="random",
            licence=self.licence,
            options=dict(options),
        )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
