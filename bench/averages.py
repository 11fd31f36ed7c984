"""Means over datasets, of retrievers that finished every one of them.

A mean over the datasets that happen to be there says as much of what is missing as of the
retriever, so it is withheld wherever one is missing. Synthetic twins and real sets are never
averaged together, nor are untrained retrievers held to the datasets of the others. Each dataset
counts once: where it was measured under several protocols, by the one with most finished rows;
enlarged galleries are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.cells import Measure
from bench.summary import Row, labels
from datasets.base import Modality
from datasets.larger_gallery import read_protocol
from retrievers.base import RetrieverSpec

METRICS = ("R@1", "R@5", "R@10")


@dataclass(frozen=True)
class Average:
    """One retriever over several datasets.

    over      what the datasets hold: one modality, or all that the retriever ranks
    datasets  those that the mean is over, or would be, with their protocols
    metrics   mean over datasets, each of equal weight, with the 95 % interval; empty where
              it is withheld
    withheld  why there is no mean, a sentence; "" where there is one
    """

    retriever: RetrieverSpec
    label: str
    over: tuple[Modality, ...]
    synthetic: bool
    untrained: bool
    datasets: tuple[tuple[str, str], ...]
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    withheld: str = ""


@dataclass(frozen=True)
class _Group:
    """Rows that may be averaged: all synthetic or all real, all untrained or none."""

    synthetic: bool
    untrained: bool
    rows: tuple[Row, ...]

    def retrievers(self) -> dict[tuple[str, ...], list[Row]]:
        """The rows of each, by name and checkpoint."""
        found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in self.rows:
            named = (f"{role}={at}" for role, at in sorted(row.retriever.checkpoint.items()))
            found[row.retriever.name, *named].append(row)
        return found


def averages(rows: Sequence[Row]) -> list[Average]:
    """The mean of each retriever over each modality with two datasets or more, and over all that
    it ranks where these are two modalities or more; by group, modality and label."""
    found = []
    for group in _groups(rows):
        tests = _tests(group.rows)
        by_retriever = group.retrievers()
        named = labels([own[0] for own in by_retriever.values()])
        for label, own in zip(named, by_retriever.values(), strict=True):
            for over in _scopes(own, tests):
                asked = tuple(test for modality in over for test in tests[modality])
                found.append(replace(_average(own, over, asked, group), label=label))
    return sorted(found, key=lambda one: (one.synthetic, one.untrained, one.over, one.label))


def _groups(rows: Sequence[Row]) -> Iterable[_Group]:
    dealt: dict[tuple[bool, bool], list[Row]] = defaultdict(list)
    for row in rows:
        if read_protocol(row.protocol).base == row.protocol:
            dealt[row.synthetic, row.retriever.weights == "random"].append(row)
    return [_Group(*kind, tuple(own)) for kind, own in sorted(dealt.items())]


def _tests(rows: Sequence[Row]) -> dict[Modality, list[tuple[str, str]]]:
    """The datasets of each modality, each with its protocol of most finished rows."""
    finished: dict[Modality, dict[str, dict[str, int]]] = {}
    for row in rows:
        modality = _modality(row, rows)
        if modality is None:
            continue
        counts = finished.setdefault(modality, {}).setdefault(row.dataset, {})
        counts[row.protocol] = counts.get(row.protocol, 0) + (row.status == "done")
    return {
        modality: [
            (name, min(counts, key=lambda protocol: (-counts[protocol], protocol)))
            for name, counts in sorted(of.items())
        ]
        for modality, of in sorted(finished.items())
    }


def _modality(row: Row, rows: Sequence[Row]) -> Modality | None:
    """What the row's dataset holds, which a failed row does not tell of itself."""
    for other in (row, *rows):
        if other.dataset == row.dataset:
            for cell in other.cells:
                if cell.modality:
                    return cell.modality
    ranked = row.retriever.modalities
    return ranked[0] if len(ranked) == 1 else None


def _scopes(
    own: Sequence[Row], tests: Mapping[Modality, Sequence[tuple[str, str]]]
) -> list[tuple[Modality, ...]]:
    """The sets of modalities that a retriever is averaged over."""
    ranked = set(own[0].retriever.modalities)
    able = tuple(modality for modality in tests if modality in ranked)
    single = [(modality,) for modality in able if len(tests[modality]) > 1]
    return [*single, able] if len(able) > 1 else list(single)


def _average(
    own: Sequence[Row],
    over: tuple[Modality, ...],
    tests: tuple[tuple[str, str], ...],
    group: _Group,
) -> Average:
    rows = {(row.dataset, row.protocol): row for row in own}
    told = Average(own[0].retriever, "", over, group.synthetic, group.untrained, tests)
    missing = [_missing(test, rows.get(test)) for test in tests]
    if any(missing):
        return replace(told, withheld=f"No mean: {'; '.join(filter(None, missing))}.")
    found = [rows[test].metrics for test in tests]
    return replace(told, metrics={name: _mean([one[name] for one in found]) for name in METRICS})


def _missing(test: tuple[str, str], row: Row | None) -> str:
    """Why there is no figure; "" where there is one."""
    dataset, protocol = test
    if row is None:
        return f"{dataset} ({protocol}) was not measured"
    return "" if row.status == "done" else f"{dataset} ({protocol}) is {row.status}"


def _mean(measures: Sequence[Measure]) -> Measure:
    """The mean of independent figures; the distances of their bounds add up by squares.

    The square-and-add interval of a sum (Zou and Donner, "Construction of confidence limits about
    effect measures: a general approach", Statistics in Medicine 27, 2008, equation 2).
    """
    value = sum(one.value for one in measures) / len(measures)
    below = sum((one.value - one.low) ** 2 for one in measures) ** 0.5 / len(measures)
    above = sum((one.high - one.value) ** 2 for one in measures) ** 0.5 / len(measures)
    return Measure(value, value - below, value + above)
