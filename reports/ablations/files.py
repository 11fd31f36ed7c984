"""Each table of the ablations as CSV, Markdown and LaTeX, and each plot as SVG and PNG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.files import replace_file
from reports.ablations.section import Ablations
from reports.exports import plots
from reports.exports.ablation import ablation
from reports.exports.links import files
from reports.exports.pictures import png_of, svg_of


def write_files(found: Ablations, folder: Path) -> list[Path]:
    """Write everything and return the files; each is replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_written(folder / name, content) for name, content in _contents(found)]


def _contents(found: Ablations) -> Iterator[tuple[str, bytes]]:
    for table in found.tables:
        yield from files(ablation(table)).items()
    for plot in (*map(plots.ablation, found.tables), *map(plots.item_map, found.maps)):
        figure = plot.figure()
        yield f"{plot.name}.svg", svg_of(figure, plot.name)
        yield f"{plot.name}.png", png_of(figure)


def _written(path: Path, content: bytes) -> Path:
    replace_file(path, content)
    return path
