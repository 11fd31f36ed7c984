"""All that the section "Decide" shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.growth.summary import LivingRow
from bench.speed.cells import SpeedCell
from reports.charts import data_of
from reports.comparison import Section
from reports.decide.chart import front_chart
from reports.decide.costs import Cost, costs
from reports.decide.drawing import front_plot
from reports.decide.pictures import Picture, picture


@dataclass(frozen=True)
class Kind:
    """The datasets of one modality."""

    modality: str
    pictures: tuple[Picture, ...]
    costs: tuple[Cost, ...]


def context(
    parts: Sequence[Section],
    living: Sequence[LivingRow],
    sweep: Sequence[SpeedCell],
) -> dict[str, Any]:
    """What the section's template wants."""
    kinds = kinds_of(parts, living, sweep)
    drawn = {each.section.anchor: each for kind in kinds for each in kind.pictures if each.options}
    return {
        "kinds": kinds,
        "fronts": {anchor: front_plot(each) for anchor, each in drawn.items()},
        "front_charts": _charts(drawn),
    }


def _charts(drawn: Mapping[str, Picture]) -> dict[str, Markup]:
    return {anchor: data_of(front_chart(each)) for anchor, each in drawn.items()}


def kinds_of(
    parts: Sequence[Section],
    living: Sequence[LivingRow],
    sweep: Sequence[SpeedCell],
) -> tuple[Kind, ...]:
    finished = [part for part in parts if part.modality]
    modalities = dict.fromkeys(part.modality for part in finished)
    return tuple(
        Kind(
            modality,
            tuple(picture(part) for part in mine),
            costs(mine, living, sweep),
        )
        for modality in modalities
        if (mine := [part for part in finished if part.modality == modality])
    )
