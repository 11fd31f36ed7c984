"""The contract between the throughput sweep and whatever answers texts under load.

A row of the sweep is the query side of a retriever at full size. Its gallery is drawn
(``datasets.candidates``), so nothing here says how well it finds anything. Nothing here imports
torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from datasets.candidates import CandidateSet
from datasets.candidates.drawn import Say as Say
from retrievers.base import Paradigm, Ranking

# "auto" is the fastest that the device computes without rounding to whole numbers.
Numbers = Literal["auto", "fp32", "bf16", "fp16", "int8"]


class CannotServe(Exception):
    """A row cannot run here, at this size or in these numbers; the message is the reason."""


@dataclass(frozen=True)
class Place:
    """Where a row runs.

    device   "cpu", "cuda" or "cuda:N"
    numbers  as the user asked for them
    threads  of each numerical library
    cache    folder for what is built once: drawn candidates, identifiers, trained indexes
    """

    device: str
    numbers: Numbers
    threads: int
    cache: Path


@dataclass(frozen=True)
class Needs:
    """An estimate, made without building anything.

    seconds_to_build  from nothing; what lies in the cache is not counted off
    seconds_a_query   of two cores in a batch of 100
    host_bytes        resident at its peak, the process itself included
    device_bytes      on the accelerator; 0 on a processor
    kept              of seconds_to_build, what then lies in the cache: what it is -> seconds; of
                      rows that name the same, the first to run builds it
    """

    seconds_to_build: float
    seconds_a_query: float
    host_bytes: int
    device_bytes: int = 0
    kept: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """What a gallery took.

    seconds       phase -> seconds; a phase that the cache answered is named "... (kept)"
    gallery_bytes what serving holds for the gallery alone
    model_bytes   what it holds whatever the gallery
    facts         what was chosen in building, as the lists and probes of an index, and measured
                  there, as "recall@10" against exact search of the same candidates
    """

    seconds: Mapping[str, float]
    gallery_bytes: int
    model_bytes: int
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """One call's answers.

    seconds  phase -> seconds of this call, of "tokenise", "encode", "search", "decode", "score";
             on an accelerator each phase has ended when its clock is read
    part     the share of the work that was done: below 1 the row is extrapolated, and its time
             is to be divided by this
    """

    ranking: Ranking
    seconds: Mapping[str, float]
    part: float = 1.0


class Served(Protocol):
    """One row of the sweep, in a process of its own."""

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        """Every choice that decides its speed: widths, beam, padding, index, numbers in use."""
        ...

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """Take the gallery. Raises CannotServe."""
        ...

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """The k best candidates of each text; host arrays, so all work has finished."""
        ...

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """The same, the slow and obvious way, by another route than ``answer`` takes.

        Answers that were given under load are compared with it. Where ``answer`` approximates
        (an index, whole numbers), this is what it approximates.
        """
        ...


@dataclass(frozen=True)
class ServedRow:
    """What is known of a row before its code is loaded.

    name       "cart", "clip:paper": a system and, behind a colon, the form in which it serves
    target     "module:Class", made with a Place
    system     the retriever's name in ``retrievers.systems``, whose query side this is; "" where
               it is none of them
    form       how it serves, a sentence
    weights    "random", and what that leaves untouched, as the tables say it
    dim        width of the drawn candidates that it searches
    agreement  the least share of ``reference``'s first ten that a sample of ``answer``'s must
               hold: 1 for an exact way, less for an index, whose recall is measured where it is
               built: a sample under load is smaller, and only tells a broken index from a whole one
    in_default whether a sweep holds it that names no rows
    """

    name: str
    target: str
    system: str
    paradigm: Paradigm
    form: str
    weights: str = "random"
    dim: int = 512
    agreement: float = 1.0
    in_default: bool = True


class ServedClass(Protocol):
    """What a target names."""

    def __call__(self, place: Place) -> Served:
        """Raises CannotServe where the device or the numbers are not for it."""
        ...

    def needs(self, place: Place, candidates: int) -> Needs:
        """Raises CannotServe where the device or the numbers are not for it."""
        ...
