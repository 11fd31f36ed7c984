"""The page in a real browser: what it asks for, how it fits, sorts, filters, prints and is read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page

from bench.inside.record import NAME, to_bytes
from bench.store import ResultStore
from reports.page import write
from tests.reports.axe import axe_script
from tests.reports.browsing import Browser, Visit, visit
from tests.reports.stored_ablations import store_map, store_table
from tests.reports.stored_inside import TOLD, inside
from tests.reports.stored_results import Plan, store_failure, store_result
from tests.reports.stored_sweep import store_sweep

pytestmark = pytest.mark.browser
NARROW = 390


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    store = ResultStore(root / "results")
    options = {"beam": 20, "a_rather_long_name_of_an_option": "and a long value " * 4}
    beside = {NAME: to_bytes(inside())}
    for seed in (0, 1):
        plan = Plan("cart", paradigm="generative", seed=seed, options=options, diagnostics=TOLD)
        store_result(store, plan, attachments=beside)
    store_result(store, Plan("tiny-dual", skill=0.7), texts=["<img src=/stolen onerror=alert(1)>"])
    store_result(store, Plan("tiny-dual", dataset="flickr30k-mini", synthetic=True))
    for name, modality in (("clotho-mini", "audio"), ("msvd-mini", "video")):
        plan = Plan("tiny-dual", dataset=name, modality=modality, synthetic=True, reverse=True)
        store_result(store, replace(plan, rule="caption set", notes=("A long note. " * 30,) * 4))
    store_failure(store, Plan("cascade"), "no_space_" * 30)
    store_sweep(store.root)
    store_table(store)
    store_map(store)
    store_result(store, Plan("cart[model.encoder_layers=5;search.beam=50]" * 4))
    return write(store.root, root / "page.html")


@pytest.fixture
def opened(browser: Browser, path: Path) -> Iterator[Visit]:
    with visit(browser, path) as found:
        yield found


def through(page: Page) -> None:
    """Bring every chart into view, and wait until it is drawn."""
    for chart in page.locator("figure.chart").all():
        chart.scroll_into_view_if_needed()
        chart.locator(".live .main-svg").first.wait_for()


def accuracy(page: Page) -> Locator:
    """The table of accuracy of the dataset "photos"."""
    return page.locator("section.dataset table.accuracy.sortable").first


def names(table: Locator) -> list[str]:
    return table.locator("tbody tr:visible th .name").all_inner_texts()


def test_it_loads_alone_and_without_complaint(opened: Visit) -> None:
    through(opened.page)
    assert opened.asked == []
    assert opened.complaints == []
    picture = Image.open(io.BytesIO(opened.page.screenshot())).convert("L")
    assert (np.asarray(picture) < 100).mean() > 0.005, "hardly any ink"


def test_a_complaint_would_be_seen(browser: Browser, path: Path, tmp_path: Path) -> None:
    tampered = tmp_path / "page.html"
    injected = '<body><img src="https://example.org/x.png"><script>window.ran = 1</script>'
    text = path.read_text(encoding="utf-8").replace("<body>", injected, 1)
    tampered.write_text(text, encoding="utf-8")
    with visit(browser, tampered) as found:
        assert len([each for each in found.complaints if "Content Security Policy" in each]) == 2
        assert found.page.evaluate("window.ran") is None


@pytest.mark.parametrize("width", [NARROW, 1440])
def test_it_fits_the_screen(browser: Browser, path: Path, width: int) -> None:
    with visit(browser, path, width=width) as found:
        through(found.page)
        root = "document.documentElement"
        assert found.page.evaluate(f"{root}.scrollWidth") <= width


def test_a_table_sorts_by_its_headings(opened: Visit) -> None:
    table = accuracy(opened.page)
    before = names(table)
    heading = table.get_by_role("button", name="R@10", exact=True)
    figures = "tbody tr:visible td[data-label='R@10'] data.value"

    def shown() -> list[float]:
        return [float(each) for each in table.locator(figures).all_inner_texts()]

    heading.click()
    assert shown() == sorted(shown(), reverse=True)
    assert table.locator("[aria-sort='descending']").inner_text().startswith("R@10")
    heading.press("Enter")
    assert shown() == sorted(shown())
    assert names(table)[-1] == "cascade", "what failed stands last whichever way is sorted"
    bar = opened.page.get_by_role("group", name="Filter and sort: accuracy on photos")
    bar.get_by_label("Sort by").select_option(label="as first shown")
    assert names(table) == before
    assert table.locator("[aria-sort]").count() == 0


def test_a_table_is_filtered_by_name_and_paradigm(opened: Visit) -> None:
    table = accuracy(opened.page)
    bar = opened.page.get_by_role("group", name="Filter and sort: accuracy on photos")
    everything = len(names(table))
    bar.get_by_label("Filter").fill("TINY")
    assert names(table) == ["tiny-dual"]
    assert bar.locator("output").inner_text() == f"1 of {everything} rows"
    bar.get_by_label("Filter").fill("")
    bar.get_by_label("Paradigm").select_option("generative")
    assert names(table) == ["cart"]


def test_a_chart_is_drawn_in_the_colours_of_the_page(browser: Browser, path: Path) -> None:
    inks = set()
    for scheme in ("light", "dark"):
        with visit(browser, path, color_scheme=scheme) as found:
            through(found.page)
            chart = found.page.locator("figure.chart").first
            assert chart.locator(".live .scatterlayer .point").count() > 0
            assert not chart.locator(".still").is_visible()
            label = chart.locator(".live .xtitle").first
            inks.add(label.evaluate("(text) => getComputedStyle(text).fill"))
            assert found.complaints == []
    assert len(inks) == 2


def test_print_shows_the_drawing_and_no_controls(opened: Visit) -> None:
    through(opened.page)
    opened.page.emulate_media(media="print")
    chart = opened.page.locator("figure.chart").first
    assert chart.locator(".still").is_visible()
    assert not chart.locator(".live").is_visible()
    for control in (".bar", ".copy", "nav"):
        assert not opened.page.locator(control).first.is_visible()
    assert opened.page.pdf(format="A4").startswith(b"%PDF")


def test_a_command_is_copied(opened: Visit) -> None:
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row = opened.page.locator("#provenance details.origin").first
    row.locator("summary").click()
    row.locator("button.copy").first.click()
    copied = opened.page.evaluate("navigator.clipboard.readText()")
    assert copied == row.locator("pre code").first.inner_text()
    assert row.locator("button.copy").first.inner_text() == "Copied"


def test_without_scripts_it_can_be_read(browser: Browser, path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    assert page.locator("figure.chart .still svg").first.is_visible()
    assert len(names(accuracy(page))) == 4
    context.close()


@pytest.fixture(scope="module")
def axe(pytestconfig: pytest.Config) -> str:
    return axe_script(pytestconfig.cache.mkdir("axe-core"))


@pytest.mark.network
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (NARROW, "light")])
def test_axe_finds_nothing_serious(
    browser: Browser, path: Path, axe: str, width: int, scheme: str
) -> None:
    with visit(browser, path, width=width, color_scheme=scheme) as found:
        through(found.page)
        found.page.evaluate(
            "document.querySelectorAll('details').forEach((each) => each.open = true)"
        )
        found.page.evaluate(axe)
        told: dict[str, Any] = found.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']})"
        )
    serious = [
        {rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]}
        for rule in told["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert not serious, json.dumps(serious, indent=1)
    assert len(told["passes"]) > 20
