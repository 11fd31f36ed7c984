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
    made_of  dataset -> the released weights that made its figures, by every name that they go
             by: hub ids and file names. Weights that are not told are left out
    differs  dataset -> what the published row does differently, besides weights and split: the
             end of the sentence "the published row ..."
    setting  which of the system's rows, where the paper has several

    In both mappings the dataset "" stands for all that are not named.
    """

    system: str
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)
    setting: str = ""


@dataclass(frozen=True)
class Entry:
    """One retriever that can be asked for by name.

    target            "module:Object", an adapter or a class that makes one without arguments;
                      "" where there is nothing to run but what a user imports
    checkpoint_roles  role -> what ``--checkpoint role=VALUE`` must name
    parameters        of the full-size model as released; 0 for what is trained here
    control           another is held against it, and it runs only when it is named
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
    control: bool = False
    restriction: str = ""
    published: PublishedRow | None = None
