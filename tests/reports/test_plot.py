"""The plot's marks against the figures they stand for."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from bench.cells import Measure
from reports.plot import Bar, recall_plot

SVG = "{http://www.w3.org/2000/svg}"
BARS = [
    Bar("tiny-dual", {"R@1": Measure(0.40, 0.31, 0.52), "R@10": Measure(0.90, 0.84, 0.95)}),
    Bar("cart", {"R@1": Measure(0.0, 0.0, 0.02), "R@10": Measure(1.0, 0.99, 1.0)}),
    Bar("failed <&> $x^2$", {}),
]


def parsed(identity: str) -> ET.Element:
    return ET.fromstring(recall_plot(BARS, identity, "Recall", "In words."))  # noqa: S314 (ours)


@pytest.fixture(scope="module")
def drawing() -> ET.Element:
    return parsed("p1")


def scale(drawing: ET.Element) -> tuple[float, float]:
    """The x of 0 and the width of one per cent, read off the tick labels."""
    ticks = {text.text: float(text.get("x", "")) for text in drawing.iter(f"{SVG}text")}
    return ticks["0"], (ticks["80"] - ticks["0"]) / 80


def whiskers(drawing: ET.Element, colour: str) -> list[tuple[float, float]]:
    zero, per_cent = scale(drawing)
    found = []
    for path in drawing.iter(f"{SVG}path"):
        ends = re.fullmatch(r"M (\S+) (\S+) +L (\S+) (\S+) *", path.get("d", ""))
        if ends and colour in path.get("style", "") and ends[2] == ends[4]:
            found.append(tuple(round((float(ends[n]) - zero) / per_cent, 1) for n in (1, 3)))
    return found


def test_whiskers_end_where_the_intervals_do(drawing: ET.Element) -> None:
    assert whiskers(drawing, "var(--accent)") == [(31.0, 52.0), (0.0, 2.0)]
    assert whiskers(drawing, "var(--second)") == [(84.0, 95.0), (99.0, 100.0)]


def test_marks_stand_at_the_values(drawing: ET.Element) -> None:
    zero, per_cent = scale(drawing)
    marks = [
        round((float(use.get("x", "")) - zero) / per_cent, 1) for use in drawing.iter(f"{SVG}use")
    ]
    assert marks == [40.0, 90.0, 0.0, 100.0]


def test_names_are_text_and_a_missing_result_is_said(drawing: ET.Element) -> None:
    texts = [text.text for text in drawing.iter(f"{SVG}text")]
    assert "failed <&> $x^2$" in texts
    assert texts.count("no result") == 1
    assert "40.0" in texts


def test_no_colour_is_fixed(drawing: ET.Element) -> None:
    styles = " ".join(element.get("style", "") for element in drawing.iter())
    assert "#" not in styles.replace("url(#", "")
    assert "font-family" not in styles


def test_two_plots_share_no_id() -> None:
    first, second = (
        {element.get("id") for element in parsed(name).iter() if element.get("id")}
        for name in ("one", "two")
    )
    assert first
    assert not first & second


def test_it_has_a_text_alternative(drawing: ET.Element) -> None:
    assert drawing.get("role") == "img"
    named = {element.get("id"): element.text for element in drawing if element.get("id")}
    said = [named[name] for name in (drawing.get("aria-labelledby") or "").split()]
    assert said == ["Recall", "In words."]
