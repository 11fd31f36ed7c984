"""What is known of a retriever before its code is loaded. Nothing here imports anything heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from datasets.base import Modality
from retrievers.base import Paradigm


@dataclass(frozen=True)
class PublishedRow:
    """The row of the CART paper's tables that a retriever stands beside.

    system   its name in the paper's tables, as ``bench/published.csv`` writes it
    made_of  dataset -> the released weights that made its figures, a hub id or a file name; the
             dataset "" stands for all others. Weights that are not told are left out
    differs  what else the published row does differently, a sentence; "" where nothing is known
    """

    system: str
    made_of: Mapping[str, str] = field(default_factory=dict)
    differs: str = ""


@dataclass(frozen=True)
class Entry:
    """One retriever that can be asked for by name.

    target            "module:Object", an adapter or a class that makes one without arguments
    checkpoint_roles  role -> what ``--checkpoint role=VALUE`` must name
    parameters        of the full-size model as released; 0 for what is trained here
    restriction       what the licence of the weights forbids, said before they are used
    """

    name: str
    target: str
    paradigm: Paradigm
    modalities: tuple[Modality, ...]
    summary: str
    licence: str
    checkpoint_roles: Mapping[str, str] = field(default_factory=dict)
    parameters: int = 0
    restriction: str = ""
    published: PublishedRow | None = None
