"""Accuracy against speed on one dataset, the gallery and the queries being the same for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cells import Cell, Measure
from reports.comparison import Line, Section, mean
from reports.decide.fronts import Both, Standing, fronts

METRIC = "R@1"
SCENARIO = "batch-100"


@dataclass(frozen=True)
class Option:
    """One retriever that can be chosen.

    rate  queries a second in calls of 100
    """

    line: Line
    recall: Measure
    rate: Measure
    standing: Standing


@dataclass(frozen=True)
class Picture:
    """The options of one section, the fastest first; what has no figure for both is left out.

    left_out  label and the reason, a phrase
    """

    section: Section
    options: tuple[Option, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def front(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.standing == "front")

    @property
    def near(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.standing == "near")

    @property
    def behind(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.standing == "behind")


def picture(section: Section) -> Picture:
    """The picture of a section."""
    reasons = [(line, _reason(line)) for line in section.lines]
    there = [
        (line, line.row.metrics[METRIC], rate)
        for line, reason in reasons
        if not reason and (rate := _rate(line.done)) is not None
    ]
    standings = fronts([Both(recall, rate) for _, recall, rate in there])
    options = [
        Option(line, recall, rate, standing)
        for (line, recall, rate), standing in zip(there, standings, strict=True)
    ]
    return Picture(
        section,
        tuple(sorted(options, key=lambda option: -option.rate.value)),
        tuple((line.label, reason) for line, reason in reasons if reason),
    )


def _reason(line: Line) -> str:
    if not line.measured:
        return "no result"
    if line.row.retriever.weights == "random":
        return "random weights, so that its accuracy is chance"
    if line.row.retriever.weights == "imported":
        return "its answers were made elsewhere, so that its speed is not known here"
    return "" if _rate(line.done) else "its speed was not measured"


def _rate(cells: Sequence[Cell]) -> Measure | None:
    """Of several seeds the mean, between the lowest and the highest bound; None without any."""
    rates = [cell.pace[SCENARIO] for cell in cells if SCENARIO in cell.pace]
    if not rates:
        return None
    return Measure(
        mean(rate.value for rate in rates),
        min(rate.low for rate in rates),
        max(rate.high for rate in rates),
    )
