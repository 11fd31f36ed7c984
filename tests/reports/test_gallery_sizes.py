"""The section on sizes of the gallery against the stored cells, and its plot against figures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cells import Cell, Measure
from bench.store import ResultStore
from reports.gallery_plot import Curve, Picture, Place, gallery_plot
from reports.page import write
from tests.reports.page_reading import Element, parse
from tests.reports.stored_results import Plan, store_result

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def stored(store: ResultStore, name: str, size: int, skill: float, protocol: str = "") -> Cell:
    """A result in a gallery of ``size``, with ceilings as a twin in a filled gallery has them."""
    plan = Plan(
        name,
        dataset="flickr30k-mini",
        protocol=protocol or ("mini-24" if size == 24 else f"mini-24 in {size:,}"),
        skill=skill,
        digest=f"d{size}",
        paradigm="generative" if name == "cart" else "dual tower",
        diagnostics={"collision_ceiling": 1 - size / 10_000} if name == "cart" else {},
    )
    cell = store_result(store, plan)
    told = {} if size == 24 else {"R@1": 0.75, "R@10": 0.99}
    grown = replace(cell, counts={**cell.counts, "gallery": size}, ceilings=told)
    ranks = store.ranks(cell.spec.key)
    spec = replace(cell.spec, code=f"{cell.spec.code}-grown")
    store.write(replace(grown, spec=spec, created="2026-11-22T09:45:00+00:00"), ranks)
    return grown


def report(store: ResultStore) -> Element:
    page = write(store.root, store.root.parent / "page.html")
    return parse(page.read_text(encoding="utf-8"))


def rows(page: Element) -> list[tuple[str, str, list[float]]]:
    """Name, gallery and the figures of each row of the tables."""
    return [
        (
            row.all(class_="name")[0].words,
            row.all("td")[0].words,
            [float(data.attributes["value"]) for data in row.all("data")],
        )
        for table in page.all("table", class_="sizes")
        for row in table.all("tr")[1:]
    ]


def test_the_table_holds_every_size_with_chance_and_ceilings(store: ResultStore) -> None:
    cells = {
        (name, size): stored(store, name, size, skill)
        for name, size, skill in (
            ("tiny-dual", 24, 0.6),
            ("tiny-dual", 1000, 0.4),
            ("cart", 24, 0.5),
            ("cart", 1000, 0.2),
        )
    }
    found = rows(report(store))
    assert found[:4] == [
        (name, f"{size:,}", [cell.metrics[m].value for m in ("R@1", "R@10")])
        for (name, size), cell in cells.items()
    ]
    assert [row[:2] for row in found[4:]] == [
        ("chance", "24"),
        ("chance", "1,000"),
        ("no mistakes", "1,000"),
    ]


def test_kinds_of_distractors_are_told_apart(store: ResultStore) -> None:
    stored(store, "tiny-dual", 24, 0.6)
    stored(store, "tiny-dual", 1000, 0.4)
    stored(store, "tiny-dual", 144, 0.3, "mini-24 full corpus")
    stored(store, "tiny-dual", 500, 0.3, "mini-24 in 500 with others")
    page = report(store)
    headings = [
        part.all("h3")[0].words for part in page.all("section", id="sizes")[0].all("section")
    ]
    assert len(headings) == 3
    for words in ("further items", "full corpus", "items of others"):
        assert sum(words in heading for heading in headings) == 1
    assert [row[1] for row in rows(page) if row[0] == "tiny-dual"].count("24") == 3


def test_without_a_second_size_there_is_no_section(store: ResultStore) -> None:
    stored(store, "tiny-dual", 1000, 0.4)
    assert not report(store).all("section", id="sizes")


def test_sizes_of_different_code_are_not_read_as_one_line(store: ResultStore) -> None:
    stored(store, "tiny-dual", 24, 0.6)
    assert "different versions" not in report(store).words
    store_result(
        store,
        Plan("tiny-dual", "flickr30k-mini", "mini-24 full corpus", items=25),
    )
    assert "different versions" in report(store).words


CURVES = (
    Curve(
        "tiny-dual",
        "dual tower",
        (Place(200, Measure(0.4, 0.3, 0.5)), Place(1000, Measure(0.2, 0.1, 0.25))),
    ),
    Curve(
        "cart",
        "generative",
        (
            Place(200, Measure(0.3, 0.2, 0.4), 0.9),
            Place(1000, Measure(0.1, 0.05, 0.2), 0.7),
        ),
    ),
)


def drawing() -> ET.Element:
    shown = Picture(CURVES, sizes=(200, 1000), right=1, ceilings={1000: 0.8})
    return ET.fromstring(gallery_plot(shown, "p", "Recall"))  # noqa: S314 (ours)


def heights(root: ET.Element, colour: str) -> list[list[float]]:
    """The per cent of the ends of each line of two points in a colour, by the ticks' labels."""
    ticks = {text.text: float(text.get("y", "")) for text in root.iter(f"{SVG}text")}
    per_cent = (ticks["80"] - ticks["20"]) / 60
    zero = ticks["20"] - 20 * per_cent
    found = []
    for path in root.iter(f"{SVG}path"):
        ends = re.fullmatch(r"M (\S+) (\S+) +L (\S+) (\S+) *", path.get("d", ""))
        if ends and f"stroke: var({colour})" in path.get("style", ""):
            found.append([(float(ends[n]) - zero) / per_cent for n in (2, 4)])
    return found


def test_lines_and_whiskers_are_where_the_figures_are() -> None:
    root = drawing()
    for colour, wanted in (
        ("--second", [[30, 50], [10, 25], [40, 20]]),
        ("--accent", [[20, 40], [5, 20], [30, 10], [90, 70]]),
    ):
        found = heights(root, colour)
        offset = found[0][0] - wanted[0][0]
        assert abs(offset) < 4
        for one, other in zip(found, wanted, strict=True):
            assert [value - offset for value in one] == pytest.approx(other, abs=0.1)


def test_every_line_is_named_and_told_in_words() -> None:
    root = drawing()
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"tiny-dual", "cart", "chance", "no mistakes", "identifiers"} <= texts
    words = root.find(f"{SVG}desc")
    assert words is not None and words.text is not None
    assert "tiny-dual: 40.0 % (30.0 to 50.0) of 200" in words.text
    assert "chance: 0.5 % of 200, 0.1 % of 1,000" in words.text
    assert "no mistakes: 80 % of 1,000" in words.text
