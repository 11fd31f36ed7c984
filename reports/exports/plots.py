"""The plots of the report, each drawn for a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.ablations import wording
from bench.ablations.evidence import Evidence
from bench.files import file_stem
from bench.speed.cells import SpeedCell
from reports import units
from reports.ablations.map_plot import draw_map
from reports.ablations.palette import PRINT
from reports.ablations.plot import draw
from reports.ablations.section import Mapped
from reports.comparison import Section
from reports.decide.drawing import front_figure
from reports.decide.pictures import Picture
from reports.exports.origin import Repeatable, origin
from reports.exports.pictures import for_print, labelled
from reports.gallery_plot import gallery_figure
from reports.gallery_sizes import Growth
from reports.plot import bars_of, recall_figure
from reports.throughput.indexes import TARGET, curve_figure
from reports.throughput.panels import spent_of, traces_of
from reports.throughput.phases import phases_figure
from reports.throughput.scaling import scaling_figure
from reports.throughput.sweeps import Device, Sweep

PARADIGMS = "● generative  ◆ dual tower  ■ single tower"


@dataclass(frozen=True)
class Plot:
    """One plot.

    name        of its files, without ending
    key         what its marks mean
    draw        gives the figure in the colours of print, without title and key
    provenance  which results it is of, a phrase
    cells       their keys
    """

    name: str
    title: str
    key: str
    draw: Callable[[], Figure]
    provenance: str = ""
    cells: tuple[str, ...] = ()

    def figure(self) -> Figure:
        """The plot as it is for a reader who has nothing else."""
        return labelled(self.draw(), units.visible(self.title), self.key)


def recall(part: Section) -> Plot:
    cells = [cell for line in part.lines for cell in line.row.cells]
    return Plot(
        file_stem(f"recall-{part.dataset}-{part.protocol}"),
        f"Recall on {part.label}{_mark(part.synthetic)}",
        "● R@1  ◇ R@10; whiskers are 95 % intervals",
        lambda: for_print(recall_figure(bars_of(part))),
        *_of(cells, [cell.spec.key for cell in cells]),
    )


def front(picture: Picture) -> Plot:
    part = picture.section
    cells = [cell for option in picture.options for cell in option.line.done]
    return Plot(
        file_stem(f"front-{part.dataset}-{part.protocol}"),
        f"Accuracy against speed on {part.label}{_mark(part.synthetic)}",
        f"{PARADIGMS}; filled and joined: the front; whiskers are 95 % intervals",
        lambda: for_print(front_figure(picture)),
        *_of(cells, [cell.spec.key for cell in cells]),
    )


def sizes(growth: Growth) -> list[Plot]:
    """A plot a metric."""
    cells = [cell for one in growth.retrievers for line in one.lines.values() for cell in line.done]
    origins = _of(cells, [cell.spec.key for cell in cells])

    def drawing(metric: str) -> Callable[[], Figure]:
        return lambda: for_print(gallery_figure(growth.pictures[metric]))

    return [
        Plot(
            file_stem(f"sizes-{growth.dataset}-{growth.protocol}-{growth.others}-{metric}"),
            f"{metric} by the size of the gallery on {growth.dataset}{_mark(growth.synthetic)}",
            f"{PARADIGMS}; whiskers are 95 % intervals, dotted is chance, dashed a bound",
            drawing(metric),
            *origins,
        )
        for metric in growth.pictures
    ]


def sweep(found: Sweep) -> list[Plot]:
    """Rates by size and the time by phase, where there is something to draw."""
    traces, spent = traces_of(found), spent_of(found)
    on = f"{found.scenario} on {found.device}"
    plots = []
    if traces:
        plots.append(
            _served(
                f"throughput-{found.scenario}-{found.device}",
                f"Queries a second by number of candidates, {on}",
                f"{PARADIGMS}; hollow: extrapolated; shaded are 95 % intervals",
                lambda: scaling_figure(traces),
                found.cells,
            )
        )
    if spent:
        largest = [cell for _, cell in found.at_largest]
        plots.append(
            _served(
                f"phases-{found.scenario}-{found.device}",
                f"Where the time of a query goes, of {units.count(found.largest)} candidates, {on}",
                "Parts in the order that is written below each; on the right all of it",
                lambda: phases_figure(spent),
                largest,
            )
        )
    return plots


def indexes(device: Device) -> list[Plot]:
    """Recall of exact search against speed, where the device has approximate indexes."""
    if not device.indexes:
        return []
    cells = [cell for each in device.sweeps for cell in each.cells]
    size = units.count(device.indexes[0].candidates)
    return [
        _served(
            f"indexes-{device.label}",
            f"Recall and speed of the indexes over {size} candidates on {device.label}",
            f"A mark is a setting of the search; dashed: {TARGET}, to be reached by the one in use",
            lambda: curve_figure(device.indexes),
            cells,
        )
    ]


def ablation(found: Evidence) -> Plot:
    cells = found.cells
    return Plot(
        found.run.stem,
        f"{wording.title(found)}{_mark(found.run.of.synthetic)}",
        f"● measured, with 95 % intervals  ◇ published; dotted is {wording.whole(found)}",
        lambda: draw(found, PRINT),
        *_of(cells, [cell.spec.key for cell in cells]),
    )


def item_map(found: Mapped) -> Plot:
    return Plot(
        found.drawn.stem,
        f"{wording.figure_title(found.drawn.of)}{_mark(found.drawn.of.synthetic)}",
        "t-SNE; the items of the commonest prefixes have a colour and a shape, others are grey",
        lambda: draw_map(found.points, found.depths, PRINT),
        f"the identifiers of {found.drawn.retriever}, seed {found.drawn.seed}",
        (found.drawn.key,),
    )


def _mark(synthetic: bool) -> str:
    return ", a synthetic twin" if synthetic else ""


def _served(
    told: str, title: str, key: str, figure: Callable[[], Figure], cells: Sequence[SpeedCell]
) -> Plot:
    keys = [cell.spec.key for cell in cells]
    return Plot(file_stem(told), title, key, lambda: for_print(figure()), *_of(cells, keys))


def _of(cells: Sequence[Repeatable], keys: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return origin(cells), tuple(keys)
