"""Accuracy against the size of the gallery: the sections that differ in nothing else, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.cells import Measure
from datasets.larger_gallery import FULL, read_protocol
from reports import units
from reports.comparison import Line, Section, mean
from reports.gallery_plot import Curve, Picture, Place, gallery_plot

SHOWN = ("R@1", "R@10")
COLLISIONS = "collision_ceiling"


@dataclass(frozen=True)
class Grown:
    """One retriever by the size of the gallery.

    lines  size -> its line in the section of that size, where it has figures
    mixed  whether they are of different code or options
    """

    label: str
    lines: Mapping[int, Line]
    mixed: bool

    def measure(self, size: int, metric: str) -> Measure | None:
        line = self.lines.get(size)
        return None if line is None else line.row.metrics.get(metric)

    def collisions(self, size: int) -> float | None:
        """What the retriever's identifiers can reach, as fraction of 1; None where it has none."""
        line = self.lines.get(size)
        return None if line is None else line.diagnostics.get(COLLISIONS)


@dataclass(frozen=True)
class Growth:
    """One dataset and protocol in galleries of several sizes, filled with the same kind of items.

    others    what they are filled with, a phrase
    sections  by size, the smallest first
    ceilings  size -> "R@1", "R@10" of a reader without mistakes, where it is known
    pictures  metric -> what its plot shows
    plots     metric -> its plot
    """

    anchor: str
    dataset: str
    protocol: str
    synthetic: bool
    others: str
    sections: Mapping[int, Section]
    ceilings: Mapping[int, Mapping[str, float]]
    retrievers: tuple[Grown, ...]
    pictures: Mapping[str, Picture]
    plots: Mapping[str, Markup]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.sections)

    @property
    def collide(self) -> bool:
        """Whether any retriever tells how far its identifiers collide."""
        return any(
            one.collisions(size) is not None for one in self.retrievers for size in one.lines
        )

    @property
    def mixed(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.retrievers if one.mixed)


def growths(parts: Sequence[Section]) -> tuple[Growth, ...]:
    """Every protocol that was measured in galleries of two sizes or more, in the page's order.

    Further items of a generator, the whole corpus and items of a manifest are told apart: each
    begins at the test items alone.
    """
    base: dict[tuple[str, str], Section] = {}
    grown: dict[tuple[str, str, str], list[Section]] = {}
    for part in parts:
        if part.gallery is None or part.folds > 1:
            continue
        told = read_protocol(part.protocol)
        if told.base == part.protocol:
            base[part.dataset, told.base] = part
        else:
            grown.setdefault((part.dataset, told.base, told.others), []).append(part)
    found: list[Growth] = []
    for (dataset, protocol, others), larger in grown.items():
        first = base.get((dataset, protocol))
        sections = {
            part.gallery: part for part in ([first] if first else []) + larger if part.gallery
        }
        if len(sections) > 1:
            anchor = f"sizes-{len(found) + 1}"
            found.append(_growth(anchor, dataset, protocol, others, dict(sorted(sections.items()))))
    return tuple(found)


def _growth(
    anchor: str, dataset: str, protocol: str, others: str, sections: Mapping[int, Section]
) -> Growth:
    retrievers = _grown(sections)
    ceilings = {
        size: told for size, part in sections.items() if (told := _ceilings(part)) is not None
    }
    pictures = {
        metric: Picture(
            curves=tuple(_curve(one, metric) for one in retrievers),
            sizes=tuple(sections),
            right=int(metric.removeprefix("R@")),
            ceilings={size: told[metric] for size, told in ceilings.items() if metric in told},
        )
        for metric in SHOWN
    }
    plots = {
        metric: gallery_plot(
            shown,
            f"{anchor}-{metric.replace('@', '').lower()}",
            f"{metric} on {units.visible(dataset)} by the size of the gallery",
        )
        for metric, shown in pictures.items()
    }
    synthetic = next(iter(sections.values())).synthetic
    return Growth(
        anchor,
        dataset,
        protocol,
        synthetic,
        _in_words(others),
        sections,
        ceilings,
        retrievers,
        pictures,
        plots,
    )


def _in_words(others: str) -> str:
    if others == FULL:
        return "the training and validation items: the full corpus"
    return f"items of {others}" if others else "further items of its generator"


def _grown(sections: Mapping[int, Section]) -> tuple[Grown, ...]:
    """The retrievers that have figures at two sizes or more, the best at the largest first."""
    lines: dict[str, dict[int, Line]] = {}
    for size, part in sections.items():
        for line in part.lines:
            if line.measured:
                lines.setdefault(line.label, {})[size] = line
    several = [
        Grown(label, by_size, len({_version(line) for line in by_size.values()}) > 1)
        for label, by_size in lines.items()
        if len(by_size) > 1
    ]
    return tuple(sorted(several, key=_merit))


def _merit(one: Grown) -> tuple[int, float, str]:
    size = max(one.lines)
    found = one.measure(size, "R@1")
    return -size, -found.value if found else 0.0, one.label


def _version(line: Line) -> tuple[str, str]:
    spec = line.row.cells[0].spec
    return spec.code, repr(sorted(spec.retriever.options.items()))


def _ceilings(part: Section) -> Mapping[str, float] | None:
    cells = [cell for line in part.lines for cell in line.done if cell.ceilings]
    if not cells:
        return None
    return {name: mean(cell.ceilings[name] for cell in cells) for name in cells[0].ceilings}


def _curve(one: Grown, metric: str) -> Curve:
    places = tuple(
        Place(size, measure, one.collisions(size) if metric == "R@1" else None)
        for size in one.lines
        if (measure := one.measure(size, metric)) is not None
    )
    paradigm = next(iter(one.lines.values())).row.retriever.paradigm
    return Curve(units.visible(one.label), paradigm, places)
