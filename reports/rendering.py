"""The page's templates, and the words in which they write figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports import inline_scripts, provenance, units
from reports.exports import accuracy, deciding, growth, throughput
from reports.exports.ablation import ablation
from reports.exports.links import downloads
from reports.throughput.provenance import numbers, untrained

# The tables that can be taken out of the page, by name.
EXPORTED = {
    "accuracy": accuracy.accuracy,
    "pairs": accuracy.pairs,
    "media_to_text": accuracy.media_to_text,
    "cost": accuracy.cost,
    "diagnostics": accuracy.diagnostics,
    "controls": accuracy.controls,
    "costs": deciding.costs,
    "means": deciding.means,
    "rates": throughput.rates,
    "largest": throughput.largest,
    "ablation": ablation,
    "living": growth.living,
    "sizes": growth.sizes,
}
MODALITIES = {"image": "pictures", "audio": "sounds", "video": "videos"}


def render(template: str, context: Mapping[str, Any], scripts: Sequence[str] = ()) -> bytes:
    """A page as UTF-8; half of a surrogate pair, which has no such form, is a question mark.

    scripts  names of those that run in it, in their order
    """
    told = {
        **context,
        "scripts": [inline_scripts.inlined(name) for name in scripts],
        "policy": inline_scripts.policy(scripts),
        "charts_library": inline_scripts.packed_charts() if "charts" in scripts else "",
    }
    text = _environment().get_template(template).render(told)
    return text.encode("utf-8", errors="replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=units.percent,
        chance_of=units.p_value,
        seconds=units.seconds,
        size=units.size,
        count=units.count,
        figure=units.figure,
        milliseconds=units.milliseconds,
        numbers=numbers,
        moment=units.moment,
        visible=units.visible,
        option=provenance.option,
        diagnosis=provenance.diagnosis,
    )
    environment.tests["untrained"] = untrained
    environment.globals.update(
        chance=units.chance,
        modalities=MODALITIES,
        shared=provenance.shared,
        facts=provenance.FACTS,
        command=lambda cell: cell.command,
        downloads=downloads,
        exported=EXPORTED,
        wordings={
            "seconds": units.seconds,
            "milliseconds": lambda value: units.milliseconds(1000 * value),
            "size": units.size,
        },
    )
    return environment
