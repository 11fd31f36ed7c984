"""The throughput section of the page against the stored results of the sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench.speed.pooling import ratio
from bench.speed.store import SpeedStore
from bench.store import ResultStore
from reports.page import write
from tests.bench.speed_results import process_run
from tests.reports.page_reading import Element, assert_inert, parse
from tests.reports.stored_results import Plan, store_result
from tests.reports.stored_sweep import CURVE, served, store_failed_row, store_row, store_sweep


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results that ``store_sweep`` writes; not to be added to."""
    results = tmp_path_factory.mktemp("sweep") / "results"
    store_sweep(results)
    return results


@pytest.fixture(scope="module")
def page(sweep: Path) -> Element:
    return report(sweep)


def report(results: Path) -> Element:
    page = write(results, results.parent / "page.html")
    return parse(page.read_text(encoding="utf-8"))


def rows(page: Element, table: str = "pace") -> dict[str, list[str]]:
    """The cells of the first table of a kind by the row's name."""
    found = page.all("table", class_=table)[0].all("tr")[1:]
    return {
        (row.all(class_="name") or row.all("th"))[0].words: [cell.words for cell in row.all("td")]
        for row in found
    }


def headings(page: Element, table: str) -> list[str]:
    return [cell.words for cell in page.all("table", class_=table)[0].all("tr")[0].all("th")]


def texts(page: Element, ending: str) -> list[str]:
    """What a plot shows as text, by the end of its id."""
    (svg,) = (svg for svg in page.all("svg") if svg.attributes["aria-labelledby"].endswith(ending))
    return [text.text for text in svg.all("text")]


def test_rates_stand_by_row_and_size(results: Path) -> None:
    small = store_row(results, "cart", (200, 202, 198), candidates=1_000)
    large = store_row(results, "cart", (100, 103, 97), candidates=1_000_000)
    store_row(results, "clip:paper", (12, 12, 13), "dual tower", candidates=1_000_000)
    page = report(results)
    assert headings(page, "pace") == ["Row", "1,000", "1,000,000", "cart is"]
    found = rows(page)
    assert list(found) == ["cart", "clip:paper"], "the fastest first"
    for shown, cell in zip(found["cart"], (small, large), strict=False):
        assert cell.throughput
        low, high = (f"{bound:.0f}" for bound in (cell.throughput.low, cell.throughput.high))
        assert shown == f"{cell.throughput.value:.0f} interval {low} – to {high}"
    assert found["clip:paper"][0] == "–"
    values = [float(data.attributes["value"]) for data in page.all("data")]
    assert small.throughput and small.throughput.value in values


def test_ratios_are_those_of_the_stored_runs(sweep: Path, page: Element) -> None:
    store = SpeedStore(sweep)
    runs = {
        cell.spec.row: list(store.runs(cell.spec.key).values())
        for cell in store.cells()
        if cell.spec.candidates == 100_000
    }
    expected = ratio(runs["cart"], runs["clip:paper"])
    found = rows(page)
    assert found["clip:paper"][2] == (
        f"{expected.value:.1f}× interval {expected.low:.1f} – to {expected.high:.1f}"
    )
    assert found["cart"][2] == found["cart (again)"][2] == "–"


def test_the_least_claimable_difference_stands_in_the_caption(page: Element) -> None:
    caption = page.all("table", class_="pace")[0].all("caption")[0].words
    assert "cart came to 1.00 times itself (0.99 to 1.02)" in caption
    assert "no difference below 1.5 % is claimed" in caption


def test_without_a_repeat_the_caption_says_that_nothing_is_known(results: Path) -> None:
    store_row(results, "cart")
    store_row(results, "clip:paper", (10, 10, 9), "dual tower")
    caption = report(results).all("table", class_="pace")[0].all("caption")[0].words
    assert "No row was measured twice" in caption


def test_a_difference_that_the_repeat_explains_is_not_told_apart(results: Path) -> None:
    store_row(results, "cart", (100, 100, 100))
    store_row(results, "cart (again)", (110, 110, 110))
    store_row(results, "clip:best", (105, 105, 105), "dual tower")
    store_row(results, "clip:paper", (10, 10, 10), "dual tower")
    found = rows(report(results))
    assert "not told apart" in found["clip:best"][1]
    assert "not told apart" not in found["clip:paper"][1]


def test_the_largest_size_has_latency_memory_and_agreement(results: Path) -> None:
    memory = {"gallery_bytes": 36_000_000, "model_bytes": 150_000_000, "peak_bytes": 1_300_000_000}
    many = served(
        (600, 600, 600),
        latencies_ms=tuple(float(n) for n in range(1, 101)),
        memory=memory,
        checked=20,
        agreement=0.985,
        build={"draw": 30.0, "index": 41.0},
    )
    store_row(results, "cart", runs=many, candidates=1_000_000)
    page = report(results)
    (row,) = (
        dict(zip(headings(page, "serving")[1:], cells, strict=True))
        for cells in rows(page, "serving").values()
    )
    assert row == {
        "p50": "50.0 ms",
        "p95": "95.0 ms",
        "p99": "99.0 ms",
        "Building": "1 min 11 s",
        "A candidate": "36 B",
        "Model": "150 MB",
        "Peak memory": "1.3 GB",
        "Agreement": "98.5 % of 40",
        "Numbers": "auto",
        "Threads": "2",
    }


def test_few_answers_have_no_99th_percentile_and_unchecked_ones_say_so(results: Path) -> None:
    store_row(results, "cart", runs=[process_run((10, 10), checked=0)])
    page = report(results)
    row = dict(zip(headings(page, "serving")[1:], rows(page, "serving")["cart"], strict=True))
    assert row["p99"] == "–"
    assert row["Agreement"] == "not checked"


def test_memory_of_an_accelerator_has_a_column_where_it_is_known(results: Path) -> None:
    memory = {"gallery_bytes": 1, "accelerator_peak_bytes": 5_000_000_000}
    store_row(results, "cart", runs=served((9, 9), memory=memory), device="cuda")
    page = report(results)
    row = dict(zip(headings(page, "serving")[1:], rows(page, "serving")["cart"], strict=True))
    assert row["On the accelerator"] == "5.0 GB"
    assert row["Model"] == "–"


def test_caution_is_marked_at_the_figure(results: Path) -> None:
    part = [process_run((10, 10), part=0.01, steady=False)]
    store_row(results, "blip2:scan", paradigm="single tower", runs=part, candidates=1_000)
    store_row(results, "cart", candidates=1_000)
    found = rows(report(results))
    assert "extrapolated" in found["blip2:scan"][0]
    assert "not steady" in found["blip2:scan"][0]
    assert "extrapolated" not in found["cart"][0]


@pytest.mark.parametrize(
    ("weights", "marked"),
    [("random", True), ("random: drawn queries stand in", True), ("none", False)],
)
def test_random_weights_are_marked(results: Path, weights: str, marked: bool) -> None:
    store_row(results, "cart", told={"weights": weights})
    page = report(results)
    (head,) = page.all("table", class_="pace")[0].all("tbody")[0].all("th")
    assert ("random weights" in head.words) is marked
    section = next(each for each in page.all("section") if each.attributes["id"] == "throughput")
    assert ("were never trained" in section.words) is marked
    assert f"weights {weights}" in section.words
    assert "no recall is claimed" in section.words


def test_failures_and_rows_left_out_stand_with_their_reasons(page: Element) -> None:
    assert rows(page)["blip2:scan"] == ["–", "✕ failed", "–"]
    said = [item.words for listed in page.all("ul", class_="skipped") for item in listed.all("li")]
    assert said == [
        "imagebind:paper on cpu (auto), 1,000 and 100,000 candidates: "
        "It needs 31 GB; 18 GB are free.",
        "✕ blip2:scan of 100,000 candidates failed: It was killed for memory.",
    ]
    assert "Without a result of 100,000 candidates: clip:hnsw, blip2:scan." in page.words


def test_a_sweep_of_failures_alone_is_a_page(results: Path) -> None:
    store_failed_row(results, "cart", "The process died.")
    page = report(results)
    assert "The process died." in page.words
    assert not page.all("svg")
    assert not page.all("table", class_="serving")


def test_missing_figures_leave_the_page_whole(results: Path) -> None:
    bare: Mapping[str, object] = {
        "latency_ms": {},
        "phases_ms": {},
        "build": {},
        "facts": {},
        "memory": {},
        "machine": {},
        "versions": {},
        "paradigm": "",
        "form": "",
        "weights": "",
        "revision": "",
        "created": "",
    }
    store_row(results, "cart", told=bare)
    store_row(results, "null", told={"throughput": None})
    page = report(results)
    assert rows(page, "serving")["cart"][:7] == ["–"] * 7
    assert "null" not in texts(page, "scaling-description")
    assert "not recorded" in page.words


def test_scenarios_and_devices_stand_apart(results: Path) -> None:
    for scenario in ("batch-100", "open", "closed-100"):
        store_row(results, "cart", scenario=scenario)
    store_row(results, "cart", device="cuda", host="h2")
    page = report(results)
    headed = [each.words for each in page.all("h3") if each.words.startswith("On ")]
    assert headed == ["On cpu", "On cuda"]
    assert [div.all("h4")[0].words for div in page.all("div", class_="sweep")] == [
        "closed-100",
        "open",
        "batch-100",
        "closed-100",
    ]
    assert "do not compare row by row" in page.words


def test_open_arrivals_say_what_was_offered_and_compare_no_rates(results: Path) -> None:
    bound = {"queries/s with p95 within 50 ms": 71.5}
    offered = served((70, 70), offered_qps=70.0, facts=bound)
    store_row(results, "cart", runs=offered, scenario="open")
    store_row(results, "clip:paper", (7, 7), "dual tower", scenario="open")
    page = report(results)
    assert headings(page, "pace") == ["Row", "1,000"]
    assert headings(page, "serving")[1:3] == ["Offered a second", "queries/s with p95 within 50 ms"]
    assert rows(page, "serving")["cart"][:2] == ["70.0", "71.5"]
    assert rows(page, "serving")["clip:paper"][1] == "–"
    assert not any(
        svg.attributes["aria-labelledby"].endswith("scaling-description") for svg in page.all("svg")
    )


def test_two_kinds_of_numbers_are_two_lines_compared_with_their_own(results: Path) -> None:
    for numbers, cart, clip in (("fp32", 100, 20), ("int8", 200, 100)):
        store_row(results, "cart", (cart, cart), numbers=numbers)
        store_row(results, "clip:best", (clip, clip), "dual tower", numbers=numbers)
    found = rows(report(results))
    assert set(found) == {
        "cart (fp32)",
        "cart (int8)",
        "clip:best (fp32)",
        "clip:best (int8)",
    }
    assert found["clip:best (fp32)"][1].startswith("5.00×")
    assert found["clip:best (int8)"][1].startswith("2.00×")


def test_numbers_in_use_are_shown_where_the_row_told_them(results: Path) -> None:
    store_row(results, "cart", runs=served((9, 9), facts={"numbers": "bf16"}))
    page = report(results)
    row = dict(zip(headings(page, "serving")[1:], rows(page, "serving")["cart"], strict=True))
    assert row["Numbers"] == "bf16"


def test_the_newest_of_two_versions_is_shown(results: Path) -> None:
    old = {"created": "2026-11-01T10:00:00+00:00"}
    store_row(results, "cart", (50, 50), told=old, code="old")
    store_row(results, "cart", (100, 100), code="new")
    page = report(results)
    assert rows(page)["cart"][0].startswith("100 ")
    assert "1 older not shown" in page.all("details", class_="origin")[0].words


def test_a_line_of_two_versions_of_the_source_is_warned_of(results: Path) -> None:
    store_row(results, "cart", candidates=1_000, code="old")
    store_row(results, "cart", candidates=10_000, code="new")
    store_row(results, "clip:paper", (9, 9), "dual tower", candidates=10_000, code="another")
    (warning,) = report(results).all("p", class_="warning")
    assert "cart: measured with different versions of the source" in warning.words


def test_results_under_different_loads_are_warned_of(results: Path) -> None:
    store_row(results, "cart", load={"wait_ms": 2.0})
    store_row(results, "clip:paper", (9, 9), "dual tower", load={"wait_ms": 9.0})
    (warning,) = report(results).all("p", class_="warning")
    assert "different settings of the load" in warning.words


def test_an_index_shows_its_curve_at_its_largest_size(page: Element) -> None:
    (table,) = page.all("table", class_="curve")
    found = [[cell.words for cell in row.all("th") + row.all("td")] for row in table.all("tr")[1:]]
    assert found == [
        ["clip:best", "nprobe 4", "0.810", "5,200"],
        ["clip:best", "nprobe 16", "0.960", "2,300"],
    ]
    assert "clip:best" in texts(page, "indexes-description")
    assert "of 100,000 drawn candidates" in page.words
    (served_with,) = page.all("ul", class_="serving-recall")
    assert "clip:best serves with a recall@10 of 0.957" in served_with.words
    assert "no setting reached" not in served_with.words


def test_an_index_that_missed_its_target_says_so(results: Path) -> None:
    missed = served((9, 9), "dual tower", facts={**CURVE, "target reached": False})
    store_row(results, "clip:pq", paradigm="dual tower", runs=missed)
    assert "no setting reached its target" in report(results).words


def test_a_curve_of_text_or_of_nonsense_is_left_out(results: Path) -> None:
    facts = {
        "curve/a/recall@10": "high",
        "curve/a/queries/s": 10.0,
        "curve/b/recall@10": 0.9,
        "curve/c/recall@10": 1.5,
        "curve/c/queries/s": 10.0,
        "curve/d/recall@10": 0.9,
        "curve/d/queries/s": True,
    }
    store_row(results, "clip:ivf", runs=served((9, 9), "dual tower", facts=facts))
    assert not report(results).all("table", class_="curve")


def test_the_repeated_row_is_in_no_plot(page: Element) -> None:
    for ending in ("scaling-description", "phases-description"):
        assert "cart" in texts(page, ending)
        assert "cart (again)" not in texts(page, ending)


def test_provenance_holds_what_repeats_the_row(results: Path) -> None:
    command = "python -m bench.throughput --retriever cart --candidates "
    cells = [
        store_row(results, "cart", candidates=size, told={"command": f"{command}{size}"})
        for size in (1_000, 10_000)
    ]
    page = report(results)
    (origin,) = page.all("details", class_="origin")
    assert [each.text for each in origin.all("pre")] == [f"{command}1000", f"{command}10000"]
    keys = [each.words for each in origin.all("table", class_="cells")[0].all("code")]
    assert keys == [cell.spec.key for cell in cells]
    told = {
        name.words: value.words
        for name, value in zip(origin.all("dt")[-3:], origin.all("dd")[-3:], strict=True)
    }
    assert told == {"target": "module:Cart", "lists": "10", "recall@10": "0.96"}
    for said in ("processor: one", "numpy 2", "abc", "outstanding 100", "2 fresh processes"):
        assert said in origin.words
    link = page.all("table", class_="pace")[0].all("a", class_="name")[0].attributes["href"]
    assert [each for each in origin.all() if each.attributes.get("id") == link.removeprefix("#")]


def test_throughput_alone_has_no_empty_accuracy(page: Element) -> None:
    ids = {section.attributes.get("id") for section in page.all("section")}
    assert ids == {"throughput", "provenance", "reading"}
    assert "5 rows under load on cpu" in page.all("header")[0].words
    assert "1 of them failed" in page.all("header")[0].words
    assert "Recall@K" not in page.words


def test_accuracy_and_throughput_share_a_page(results: Path) -> None:
    store_result(ResultStore(results), Plan("tiny-dual", items=4))
    alone = report(results)
    assert "Throughput" not in alone.words
    store_sweep(results)
    page = report(results)
    assert page.all("table", class_="accuracy")
    assert page.all("table", class_="pace")
    assert "Recall@K" in page.words
    assert "Extrapolated" in page.words


def test_ids_are_unique_and_links_lead_somewhere(results: Path) -> None:
    store_sweep(results)
    store_row(results, "cart", scenario="batch-100")
    page = report(results)
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    targets = [
        each.attributes[name].removeprefix("#")
        for each in page.all()
        for name in ("href", "xlink:href")
        if each.attributes.get(name, "").startswith("#")
    ]
    assert set(targets) <= set(ids)


def test_the_same_results_give_the_same_bytes(sweep: Path, tmp_path: Path) -> None:
    first, second = (write(sweep, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_hostile_text_stays_text(results: Path) -> None:
    bad = "<script>alert('x')</script>\" onload=\"x\u202e$x^2$"
    told = dict.fromkeys(("paradigm", "form", "weights", "command", "revision", "created"), bad)
    tables = {name: {bad: bad} for name in ("machine", "versions")}
    run = process_run(
        (10, 10),
        seconds={bad: 1.0},
        build={bad: 1.0},
        batches={bad: 1},
        facts={
            bad: bad,
            "numbers": bad,
            f"curve/{bad}/recall@10": 0.9,
            f"curve/{bad}/queries/s": 10.0,
            f"queries/s with p95 within {bad}": 1.0,
        },
    )
    for device in (bad, "cpu"):
        store_row(
            results,
            bad,
            told={**told, **tables, "notes": (bad,)},
            runs=[run],
            device=device,
            options={bad: bad},
            load={bad: bad},
        )
    store_failed_row(results, "cart", bad, device=bad)
    page = report(results)
    assert_inert(page)
    shown = bad.replace("\u202e", "\\u{202e}")
    assert shown in rows(page)
    assert any(bad in item.text for item in page.all("ul", class_="failures"))
    assert any(shown in each for each in texts(page, "throughput-1-1-phases-description"))


def test_a_rate_that_is_no_number_is_not_drawn(results: Path) -> None:
    cell = store_row(results, "cart")
    assert cell.throughput
    endless = replace(cell.throughput, value=0.0, low=0.0, high=0.0)
    store_row(results, "clip:paper", paradigm="dual tower", told={"throughput": endless})
    page = report(results)
    assert "clip:paper" not in texts(page, "scaling-description")
    assert math.isclose(cell.throughput.value, 100, rel_tol=0.01)
