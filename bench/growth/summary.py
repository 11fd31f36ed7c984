"""Results of the living corpus as rows of a table: seeds pooled, with intervals over items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bench.cells import Measure
from bench.growth.protocol import GROUPS, STAGES
from bench.growth.results import Living
from bench.metrics import per_query
from bench.statistics import CONFIDENCE, measures, paired_differences, resampled_means

FloatArray = npt.NDArray[np.float64]

SHOWN = ("R@1", "R@5", "R@10")


@dataclass(frozen=True)
class LivingRow:
    """One retriever on one dataset, a share of whose gallery came later.

    figures    stage -> group -> metric -> share of the queries
    forgotten  metric -> what the short training cost the queries about seen items
    behind     metric -> what these queries lack, after it, to indexing everything anew
    restored   metric -> the part of what indexing everything anew would give the queries about
               added items, over adding them untrained, that the short training gave; None where
               indexing anew gives no more
    items      group -> how many, the most over seeds
    seconds    phase -> mean over seeds
    undone     the least over seeds
    """

    dataset: str
    protocol: str
    synthetic: bool
    retriever: str
    share: float
    seeds: tuple[int, ...]
    figures: Mapping[str, Mapping[str, Mapping[str, Measure]]]
    forgotten: Mapping[str, Measure]
    behind: Mapping[str, Measure]
    restored: Mapping[str, Measure | None]
    items: Mapping[str, int]
    queries: Mapping[str, int]
    seconds: Mapping[str, float]
    undone: float
    notes: tuple[str, ...]
    results: tuple[Living, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(one.command for one in self.results)


def rows(results: Sequence[Living]) -> list[LivingRow]:
    """A row for each dataset, protocol, retriever and share; of several versions the newest."""
    found: dict[tuple[str, str, str, float], list[Living]] = {}
    for one in sorted(results, key=lambda one: one.created):
        if one.growth is not None:
            cell = one.spec.cell
            name = (cell.dataset, cell.protocol, cell.retriever.name, one.spec.share)
            found.setdefault(name, []).append(one)
    return [
        _row([one for one in each if _version(one) == _version(each[-1])])
        for _, each in sorted(found.items())
    ]


def _version(result: Living) -> str:
    """What the seeds of a row share: the key had its seed been 0."""
    return replace(result.spec, cell=replace(result.spec.cell, seed=0)).key


def _row(results: Sequence[Living]) -> LivingRow:
    ordered = sorted(results, key=lambda one: one.spec.cell.seed)
    grown = [one.growth for one in ordered if one.growth is not None]
    cell = ordered[0].spec.cell
    asked = {group: [each for one in grown for each in one.asked[group]] for group in GROUPS}
    stages = [stage for stage in STAGES if all(stage in one.answers for one in grown)]
    found = {
        stage: {
            group: {
                metric: np.concatenate(
                    [
                        per_query(one.answers[stage][group])[metric]
                        for one in grown
                        if group in one.answers[stage]
                    ]
                )
                for metric in SHOWN
            }
            for group in GROUPS
            if asked[group] and any(group in one.answers[stage] for one in grown)
        }
        for stage in stages
    }
    adapted = "adapted" in found
    return LivingRow(
        dataset=cell.dataset,
        protocol=cell.protocol,
        synthetic=cell.synthetic,
        retriever=cell.retriever.name,
        share=ordered[0].spec.share,
        seeds=tuple(one.spec.cell.seed for one in ordered),
        figures={
            stage: {group: measures(values, asked[group]) for group, values in groups.items()}
            for stage, groups in found.items()
        },
        forgotten=_lost(found, "added", asked["seen"]) if adapted and asked["seen"] else {},
        behind=_lost(found, "whole", asked["seen"]) if adapted and asked["seen"] else {},
        restored=_restored(found, asked["added"]) if adapted and asked["added"] else {},
        items={group: max(one.items[group] for one in grown) for group in GROUPS},
        queries={group: len(asked[group]) for group in GROUPS},
        seconds={
            phase: float(np.mean([one.seconds[phase] for one in grown]))
            for phase in grown[0].seconds
            if all(phase in one.seconds for one in grown)
        },
        undone=min(one.undone for one in grown),
        notes=tuple(dict.fromkeys(note for one in grown for note in one.notes)),
        results=tuple(ordered),
    )


Found = Mapping[str, Mapping[str, Mapping[str, FloatArray]]]


def _lost(found: Found, stage: str, items: Sequence[str]) -> dict[str, Measure]:
    """Of queries about seen items, what ``stage`` has over the short training, paired."""
    return paired_differences(found[stage]["seen"], found["adapted"]["seen"], items)


def _restored(found: Found, items: Sequence[str]) -> dict[str, Measure | None]:
    untrained, adapted, whole = (found[stage]["added"] for stage in ("added", "adapted", "whole"))
    return {
        metric: restored_share(untrained[metric], adapted[metric], whole[metric], items)
        for metric in SHOWN
    }


def restored_share(
    untrained: FloatArray, adapted: FloatArray, whole: FloatArray, items: Sequence[str]
) -> Measure | None:
    """(adapted - untrained) / (whole - untrained) of means over queries [queries] each.

    Its interval is of the same draws of items for all three; None where the gain of ``whole``
    is not above 0 in 95 % of them, for then there is nothing to restore.
    """
    gained, wanted = adapted - untrained, whole - untrained
    _, clusters = np.unique(np.asarray(items, dtype=object).astype(str), return_inverse=True)
    drawn = resampled_means(np.stack([gained, wanted], axis=1), clusters.astype(np.int64))
    tail = (1 - CONFIDENCE) / 2
    if np.quantile(drawn[:, 1], tail) <= 0:
        return None
    positive = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(positive[:, 0] / positive[:, 1], [tail, 1 - tail])
    return Measure(float(gained.mean() / wanted.mean()), float(low), float(high))
