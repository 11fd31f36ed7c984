"""The plots of the throughput section against the figures that they stand for."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cells import Measure
from reports.throughput.axes import LONGEST_NAME, log_ticks, short, shortened, spread
from reports.throughput.indexes import Curve, Setting, curve_plot
from reports.throughput.phases import Spent, phases_plot
from reports.throughput.scaling import Point, Trace, scaling_plot

PAPER = "var(--paper)"
SVG = "{http://www.w3.org/2000/svg}"
TRACES = [
    Trace(
        "cart",
        "generative",
        True,
        (
            Point(1_000, Measure(100.0, 90.0, 112.0), False),
            Point(1_000_000, Measure(97.0, 80.0, 110.0), False),
        ),
    ),
    Trace(
        "blip2 <&> $x^2$",
        "single tower",
        False,
        (
            Point(1_000, Measure(1.0, 1.0, 1.0), True),
            Point(1_000_000, Measure(0.001, 0.0, 0.002), True),
        ),
    ),
]
SPENT = [
    Spent("cart", {"encode": 4.0, "decode": 6.0}, False),
    Spent("blip2:scan", {"encode": 10.0, "score": 2_990.0}, True),
]
CURVES = [
    Curve(
        "clip:ivf",
        100_000,
        (Setting("nprobe=1", 0.4, 9000.0), Setting("nprobe=16", 0.96, 900.0)),
    ),
    Curve("clip:hnsw", 100_000, (Setting("efSearch=64", 0.99, 2000.0),)),
]


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(markup)  # noqa: S314 (ours)


def labels(drawing: ET.Element) -> dict[str, tuple[float, float]]:
    """Where each text stands; rotated ones have no x of their own."""
    return {
        text.text or "": (float(text.get("x", "nan")), float(text.get("y", "nan")))
        for text in drawing.iter(f"{SVG}text")
    }


def marks(drawing: ET.Element) -> list[tuple[float, float, bool]]:
    """(x, y, filled) of every mark but the ticks."""
    return [
        (
            float(use.get("x", "")),
            float(use.get("y", "")),
            f"fill: {PAPER}" not in use.get("style", ""),
        )
        for use in drawing.iter(f"{SVG}use")
    ]


def test_points_stand_at_their_logarithms_and_hollow_where_extrapolated() -> None:
    drawing = parsed(scaling_plot(TRACES, "p", "Title"))
    found = labels(drawing)
    left, right = found["1K"][0], found["1M"][0]
    top, bottom = found["100"][1], found["0.001"][1]
    places = [
        (
            round(3 + 3 * (x - left) / (right - left), 2),
            round(-3 + 5 * (y - bottom) / (top - bottom), 1),
            filled,
        )
        for x, y, filled in marks(drawing)
    ]
    # Tick labels stand a little below their ticks, by the same amount at both.
    wanted = [
        (math.log10(point.candidates), math.log10(point.rate.value), not point.extrapolated)
        for trace in TRACES
        for point in trace.points
    ]
    for (x, y, filled), (size, rate, solid) in zip(places, wanted, strict=True):
        assert x == pytest.approx(size, abs=0.02)
        assert y == pytest.approx(rate, abs=0.15)
        assert filled is solid


def test_every_plot_has_its_figures_in_words() -> None:
    said = [
        parsed(plot).findtext(f"{SVG}desc") or ""
        for plot in (
            scaling_plot(TRACES, "a", "Title"),
            phases_plot(SPENT, "b", "Title"),
            curve_plot(CURVES, "c", "Title"),
        )
    ]
    assert "cart, generative: 100 queries a second (90 to 112) of 1,000 candidates" in said[0]
    assert "of 1,000,000 candidates (extrapolated)." in said[0]
    assert said[1].startswith("cart: 10.0 ms a query, of which encode 4.00 ms, decode 6.00 ms;")
    assert (
        "clip:ivf of 100,000 candidates: nprobe=1 recall 0.400, 9,000 queries a second" in said[2]
    )


def test_names_are_text() -> None:
    drawing = parsed(scaling_plot(TRACES, "p", "Title"))
    assert {"cart", "blip2 <&> $x^2$"} <= set(labels(drawing))


def test_bars_are_split_as_the_time_is() -> None:
    drawing = parsed(phases_plot(SPENT, "p", "Title"))
    widths = []
    for path in drawing.iter(f"{SVG}path"):
        corners = re.findall(r"[ML] (\S+) (\S+)", path.get("d", ""))
        if len(corners) == 4 and "fill: var(" in path.get("style", ""):
            across = [float(x) for x, _ in corners]
            widths.append(max(across) - min(across))
    encode, decode, other, score = widths
    assert encode / (encode + decode) == pytest.approx(0.4, abs=0.01)
    assert score / (other + score) == pytest.approx(1.0, abs=0.01)
    assert {"10.0 ms", "3,000 ms", "encode 4.00 ms · decode 6.00 ms"} <= set(labels(drawing))


def test_curves_stand_at_recall_and_rate() -> None:
    drawing = parsed(curve_plot(CURVES, "p", "Title"))
    found = labels(drawing)
    half, whole = found["0.5"][0], found["1"][0]
    recalls = [round(0.5 + 0.5 * (x - half) / (whole - half), 2) for x, _, _ in marks(drawing)]
    assert recalls == [0.4, 0.96, 0.99]


@pytest.mark.parametrize(
    "markup",
    [
        scaling_plot(TRACES, "p", "Title"),
        scaling_plot([TRACES[0]], "p", "Title"),
        phases_plot(SPENT, "p", "Title"),
        curve_plot(CURVES, "p", "Title"),
    ],
)
def test_no_colour_or_font_is_fixed(markup: str) -> None:
    styles = " ".join(element.get("style", "") for element in parsed(markup).iter())
    assert "#" not in styles.replace("url(#", "")
    assert "font-family" not in styles


@pytest.mark.parametrize("size", [1, 12_345, 10**9])
def test_one_point_alone_can_be_drawn(size: int) -> None:
    point = Point(size, Measure(5.0, 5.0, 5.0), False)
    drawing = parsed(scaling_plot([Trace("cart", "", False, (point,))], "p", "Title"))
    assert short(size) in labels(drawing)


@given(
    st.lists(st.floats(-10, 10), max_size=12).map(sorted),
    st.floats(0.01, 2),
)
def test_spread_names_keep_their_order_and_distance(wanted: list[float], gap: float) -> None:
    placed = spread(wanted, gap, -100.0, 100.0)
    assert len(placed) == len(wanted)
    for one, other in pairwise(placed):
        assert other - one >= gap - 1e-9


@given(st.lists(st.integers(0, 20), unique=True, max_size=8).map(sorted))
def test_names_that_are_apart_stay_where_they_are(wanted: list[int]) -> None:
    assert spread(wanted, 1.0, -100.0, 100.0) == pytest.approx(wanted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10).map(sorted))
def test_spread_names_stay_inside_where_there_is_room(wanted: list[float]) -> None:
    placed = spread(wanted, 0.1, 0.0, 1.0)
    assert placed[0] >= -1e-9
    assert placed[-1] <= 1 + 1e-9


def test_names_that_meet_move_apart_evenly() -> None:
    assert spread([0.5, 0.5, 0.5], 0.1, 0.0, 1.0) == pytest.approx([0.4, 0.5, 0.6])


def test_names_without_room_begin_at_the_bottom() -> None:
    assert spread([0.9, 1.0, 1.0], 0.6, 0.0, 1.0) == pytest.approx([0.0, 0.6, 1.2])


def test_a_long_name_is_cut_with_a_sign() -> None:
    assert shortened("cart") == "cart"
    cut = shortened("languagebind-image:paper-and-more")
    assert len(cut) == LONGEST_NAME
    assert cut.endswith("…")


def test_ticks_are_powers_of_ten_or_finer_where_few_fit() -> None:
    assert log_ticks(0.5, 2_000) == pytest.approx([1, 10, 100, 1000])
    assert log_ticks(80, 300) == pytest.approx([100, 200])
    assert [short(tick) for tick in log_ticks(0.001, 0.2)] == ["0.001", "0.01", "0.1"]
    assert [short(value) for value in (2e-12, 1e-5, 0.001, 200, 1_000, 20_000, 1e6, 1e7)] == [
        "2·10⁻¹²",
        "10⁻⁵",
        "0.001",
        "200",
        "1K",
        "20K",
        "1M",
        "10M",
    ]
