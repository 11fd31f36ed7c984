"""The paper's figures beside measured ones, and only where both answer the same question.

``published.csv`` holds every figure of the tables of the CART paper (ACL 2025). A row of Table 2
with a star was taken from the system's own paper; the others are the authors' reproduction.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

from bench.cells import CellSpec
from retrievers import registry
from retrievers.entry import PublishedRow

_FILE = Path(__file__).with_name("published.csv")
# Accuracy of whole systems: the other tables are of CART's ablations and of speed.
_TABLES = ("Table 1", "Table 2", "Table 3")
_DATASETS = {
    "Flickr30K": "flickr30k",
    "MS-COCO": "mscoco",
    "Clotho": "clotho",
    "AudioCaps": "audiocaps",
    "MSR-VTT": "msrvtt",
    "MSVD": "msvd",
}
# The protocols that ask what the published figures answer. Of AudioCaps a gallery is what could
# still be fetched: 737 clips in the reproductions, not told in the systems' own papers.
_REPRODUCED = {
    "flickr30k": ("entities-1k",),
    "mscoco": ("karpathy-5k",),
    "clotho": ("clotho-v2.1-1045", "clotho-v1-1045"),
    "audiocaps": ("audiocaps-737",),
    "msrvtt": ("1k-A-9k",),
    "msvd": ("msvd-670",),
}
_ORIGINAL = {**_REPRODUCED, "flickr30k": ("karpathy-1k",), "audiocaps": ()}


@dataclass(frozen=True)
class Figures:
    """One row of a table on one dataset.

    source     where it stands, as "Table 2, from the system's own paper"
    percent    "R@1", "R@5", "R@10", "MRR@10" -> per cent, where the table has them
    protocols  those of ``datasets/cards`` that ask the same
    """

    source: str
    percent: Mapping[str, float]
    protocols: tuple[str, ...]


@dataclass(frozen=True)
class Printed:
    """One row of the paper's tables of whole systems, as it was printed.

    starred  taken from the system's own paper
    percent  metric -> per cent
    """

    system: str
    paradigm: str
    table: str
    setting: str
    starred: bool
    percent: Mapping[str, float]


@dataclass(frozen=True)
class Beside:
    """What stands beside a measured row: the published figures, or why they may not.

    percent  empty where anything differs
    differs  what does, a phrase each
    """

    source: str
    percent: Mapping[str, float] = field(default_factory=dict)
    differs: tuple[str, ...] = ()


def figures(system: str, setting: str = "") -> dict[str, Figures]:
    """dataset -> what the tables hold of a system; ``setting`` chooses where it has several rows.

    Where two tables hold the same system and dataset, Table 2 has more metrics and is taken.
    """
    found: dict[str, Figures] = {}
    for (name, dataset, table, of, starred), percent in sorted(_tables().items()):
        own = starred or table != "Table 2"
        if name == system.casefold() and dataset in _DATASETS and setting in ("", of):
            told = "from the system's own paper" if own else "reproduced by the authors of CART"
            ours = name.startswith("cart(")
            key = _DATASETS[dataset]
            asked = _REPRODUCED if ours or not own else _ORIGINAL
            source = f"CART paper, {table}" + ("" if ours else f", {told}")
            kept = found.get(key)
            if kept is None or len(percent) > len(kept.percent):
                found[key] = Figures(source, percent, asked[key])
    return found


def beside(spec: CellSpec) -> Beside | None:
    """What stands beside the text-to-media figures of a row.

    None for a synthetic dataset, which nothing was published on, and where the paper has no such
    row.
    """
    row = None if spec.synthetic else _row_of(spec.retriever.name)
    found = figures(row.system, row.setting).get(spec.dataset) if row else None
    if row is None or found is None:
        return None
    differs = tuple(_differences(spec, row, found))
    return Beside(found.source, {} if differs else found.percent, differs)


def printed(dataset: str) -> tuple[Printed, ...]:
    """All that the tables of whole systems hold of a real dataset, in their order."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for line in _lines():
        if line["source_table"] in _TABLES and _DATASETS.get(line["dataset"]) == dataset:
            told = ("system", "paradigm", "source_table", "setting", "starred")
            of = found.setdefault(tuple(line[name] for name in told), {})
            of[line["metric"]] = float(line["value"])
    return tuple(
        Printed(system, paradigm.replace("-", " "), table, setting, starred == "true", percent)
        for (system, paradigm, table, setting, starred), percent in sorted(
            found.items(), key=lambda pair: pair[0][2]
        )
    )


def name_in_paper(dataset: str) -> str:
    """What the paper calls a dataset or the one that a twin stands in for, "" where it has none."""
    names = {ours: theirs for theirs, ours in _DATASETS.items()}
    return names.get(dataset.removesuffix("-mini"), "")


@cache
def ablated(table: int) -> Mapping[tuple[str, str], Mapping[str, float]]:
    """(dataset as the paper names it, setting) -> metric -> per cent, of an ablation's table."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for line in _lines():
        if line["source_table"] == f"Table {table}":
            of = found.setdefault((line["dataset"], line["setting"]), {})
            of[line["metric"]] = float(line["value"])
    return found


def _row_of(name: str) -> PublishedRow | None:
    try:
        return registry.entry(name).published
    except registry.UnknownRetriever:
        return None


def _differences(spec: CellSpec, row: PublishedRow, found: Figures) -> list[str]:
    differs = []
    if spec.protocol not in found.protocols:
        asked = " or ".join(found.protocols) or "a gallery whose size is not told"
        differs.append(f"it was asked of {asked}, this of {spec.protocol}")
    remark = row.differs.get(spec.dataset, row.differs.get("", ""))
    if remark:
        differs.append(f"it {remark}")
    retriever = spec.retriever
    if retriever.weights == "random":
        differs.append("the weights here are random")
    elif retriever.weights == "imported":
        differs.append("what was imported here cannot be told to be of the same weights")
    elif retriever.weights == "pretrained":
        differs += _other_weights(retriever.checkpoint, row, spec.dataset)
    return differs


def _other_weights(checkpoint: Mapping[str, str], row: PublishedRow, dataset: str) -> list[str]:
    theirs = row.made_of.get(dataset, row.made_of.get("", ()))
    ours = checkpoint.get("model", "")
    if not theirs:
        return ["the weights behind it are not told"]
    if PurePath(ours).name in {PurePath(name).name for name in theirs}:
        return []
    return [f"it is of the weights {theirs[0]}, this of {ours}"]


@cache
def _tables() -> dict[tuple[str, str, str, str, bool], dict[str, float]]:
    """(system in small letters, dataset, table, setting, starred) -> metric -> per cent."""
    found: dict[tuple[str, str, str, str, bool], dict[str, float]] = {}
    for line in _lines():
        if line["source_table"] not in _TABLES or line["dataset"] not in _DATASETS:
            continue
        key = (
            line["system"].casefold(),
            line["dataset"],
            line["source_table"],
            line["setting"],
            line["starred"] == "true",
        )
        found.setdefault(key, {})[line["metric"]] = float(line["value"])
    return found


@cache
def _lines() -> tuple[Mapping[str, str], ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
