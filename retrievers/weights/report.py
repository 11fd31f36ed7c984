"""How the names in a checkpoint met the names in a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_NAMED = 3


class CheckpointError(Exception):
    """Weights that are there but cannot be used as they stand; the message says why."""


@dataclass(frozen=True)
class LoadReport:
    """What a strict load found.

    missing     parameters of the model that the checkpoint lacks, and that its output needs
    unexpected  parameters of the checkpoint that the model has no place for
    misfits     parameters whose shapes differ
    """

    source: str
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.source}: {listed(self.missing)} missing, "
            f"{listed(self.unexpected)} not used, {listed(self.misfits)} of another shape"
        )


def listed(names: Iterable[str]) -> str:
    """How many there are and the first few, for a sentence."""
    found = list(names)
    if not found:
        return "none"
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)} ({', '.join(found[:_NAMED])}{more})"
