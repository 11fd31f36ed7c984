"""The explorer of queries in a real browser, against a slow version of its filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from bench.looks import drawn
from bench.store import ResultStore
from datasets.base import Modality
from reports.page import write
from tests.reports.browsing import Browser, Visit, visit
from tests.reports.stored_results import Plan, store_result
from tests.reports.test_look import HOSTILE

pytestmark = pytest.mark.browser
PLANS = {
    "cart": Plan("cart", paradigm="generative", skill=0.6),
    "tiny-dual": Plan("tiny-dual", skill=0.5),
    "blip": Plan("blip", paradigm="single tower", skill=0.3),
}
PLAYERS = "[...document.querySelectorAll('#look audio, #look video')]"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ResultStore:
    """Three retrievers on photos, each text its own; one on sounds and on videos."""
    store = ResultStore(tmp_path_factory.mktemp("look") / "results")
    for plan in PLANS.values():
        store_result(store, plan, texts=[f"scene {number}" for number in range(120)])
    kinds: dict[str, Modality] = {"clotho-mini": "audio", "msvd-mini": "video"}
    for name, modality in kinds.items():
        plan = Plan("tiny-dual", dataset=name, modality=modality, synthetic=True)
        store_result(store, plan, texts=HOSTILE)
    return store


@pytest.fixture(scope="module")
def path(store: ResultStore) -> Path:
    return write(store.root, store.root.parent / "page.html")


@pytest.fixture
def page(browser: Browser, path: Path) -> Iterator[Page]:
    """The open page, which may complain of nothing and ask the network for nothing."""
    with visit(browser, path) as found:
        yield found.page
        _assert_quiet(found)


def _assert_quiet(found: Visit) -> None:
    assert found.complaints == []
    assert found.asked == []


def rows(page: Page) -> list[str]:
    return page.locator(".look-list bdi").all_text_contents()


def answers(page: Page, retriever: str) -> Locator:
    return page.locator(".look-answer").filter(has=page.locator("h4", has_text=retriever))


def judged(store: ResultStore) -> dict[str, list[tuple[str, bool, bool]]]:
    """Retriever -> of each drawn query its text and whether it is right, or wrong."""
    found = {}
    for cell in store.cells():
        if cell.spec.dataset != "photos":
            continue
        frame = store.ranks(cell.spec.key).set_index("query")
        found[cell.spec.retriever.name] = [
            (
                frame.loc[query, "text"],
                frame.loc[query, "worst"] == 1,
                frame.loc[query, "best"] != 1,
            )
            for query in drawn("photos", cell.spec.protocol, frame.index)
        ]
    return found


def test_the_explorer_opens_with_the_best_of_each_paradigm(page: Page, store: ResultStore) -> None:
    assert page.locator("#look-explorer > p").count() == 0
    assert rows(page) == [text for text, _, _ in judged(store)["cart"]]
    assert "60 of 60 queries drawn at random match" in page.locator(".look-count").inner_text()
    for name in PLANS:
        assert answers(page, name).locator("ol .shot").count() == 10


@pytest.mark.parametrize("swapped", [False, True])
def test_right_here_and_wrong_there(page: Page, store: ResultStore, swapped: bool) -> None:
    told = judged(store)
    page.select_option(".look-filter", "pair")
    names = ["cart", "tiny-dual"]
    if swapped:
        page.click(".look-swap")
        names.reverse()
    right, wrong = (told[name] for name in names)
    expected = [one[0] for one, other in zip(right, wrong, strict=True) if one[1] and other[2]]
    assert 0 < len(expected) < 60
    assert rows(page) == expected
    shown = page.locator(".look-count").inner_text()
    assert shown.startswith(f"{len(expected)} of 60 queries")
    assert "✓ right item at rank 1" in answers(page, names[0]).locator(".outcome").inner_text()
    assert "✕ right item" in answers(page, names[1]).locator(".outcome").inner_text()


@pytest.mark.parametrize(("value", "fold"), [("any", any), ("none", all)])
def test_wrong_among_those_shown(
    page: Page,
    store: ResultStore,
    value: str,
    fold: Callable[[Iterator[bool]], bool],
) -> None:
    told = judged(store)
    page.select_option(".look-filter", value)
    for shown in (["cart", "tiny-dual", "blip"], ["cart", "tiny-dual"], ["tiny-dual"]):
        for name in PLANS:
            page.locator(".look-boxes label", has_text=name).locator("input").set_checked(
                name in shown
            )
        expected = [
            told["cart"][number][0]
            for number in range(60)
            if fold(told[name][number][2] for name in shown)
        ]
        assert rows(page) == expected
        assert page.locator(".look-answer ol").count() == len(shown)


def test_words_narrow_the_list_and_the_keyboard_walks_it(page: Page) -> None:
    every = rows(page)
    page.fill(".look-words", "1 SCENE")
    narrowed = [text for text in every if "1" in text and "scene" in text]
    assert 3 < len(narrowed) < 60
    assert rows(page) == narrowed
    chosen = page.locator(".look-answers blockquote")
    page.locator(".look-pager button", has_text="Next").focus()
    page.keyboard.press("Enter")
    assert chosen.inner_text() == narrowed[1]
    assert page.locator(".look-list [aria-current]").inner_text() == narrowed[1]
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert chosen.inner_text() == narrowed[1]
    page.fill(".look-words", "no such words")
    assert rows(page) == []
    assert "No query matches" in page.locator(".look-answers").inner_text()


def test_a_link_leads_back_to_the_query(page: Page) -> None:
    every = rows(page)
    page.locator(".look-list button").nth(7).click()
    text = page.locator(".look-answers blockquote").inner_text()
    page.reload()
    assert page.locator(".look-answers blockquote").inner_text() == text == every[7]
    page.evaluate("history.replaceState(null, '', '#look?dataset=%3Cb%3E&query=-1e9')")
    page.reload()
    assert page.locator(".look-answers blockquote").inner_text() == every[0]


def test_the_ranking_is_the_stored_one(page: Page, store: ResultStore) -> None:
    page.locator(".look-list button").nth(3).click()
    (cart,) = (cell for cell in store.cells() if cell.spec.retriever.name == "cart")
    frame = store.ranks(cart.spec.key).set_index("query")
    row = frame.loc[drawn("photos", cart.spec.protocol, frame.index)[3]]
    shots = answers(page, "cart").locator("ol .shot")
    assert [one.inner_text() for one in shots.locator(".item").all()] == list(row["ids"])
    scores = [one.inner_text().split()[-1] for one in shots.locator(".score").all()]
    assert scores == [f"{score:.4g}" for score in row["scores"]]
    numbers = [int(item.removeprefix("item-")) for item in row["ids"]]
    paths = [one.inner_text().split()[-1] for one in shots.locator(".path").all()]
    assert paths == [f"{number // 8}·{number % 8}·0" for number in numbers]
    right = shots.locator(".place", has_text="✓")
    assert right.count() == list(row["ids"]).count(row["item"])
    assert answers(page, "tiny-dual").locator("ol .path").count() == 0


@pytest.mark.parametrize(("dataset", "tag"), [("clotho-mini", "AUDIO"), ("msvd-mini", "VIDEO")])
def test_sounds_and_clips_play(page: Page, dataset: str, tag: str) -> None:
    page.select_option(".look-dataset", label=f"{dataset} (synthetic twin)")
    page.locator("#look .play").nth(1).click()
    page.wait_for_function(f"() => {PLAYERS}[0].currentTime > 0")
    name, error, seconds, ready = page.evaluate(
        f"(({{tagName, error, duration, readyState}}) => [tagName, error, duration, readyState])"
        f"({PLAYERS}[0])"
    )
    assert (name, error) == (tag, None)
    assert ready >= 2
    assert 0.3 < seconds < 1.3
    page.locator("#look .play").nth(2).click()
    assert page.evaluate(f"{PLAYERS}.length") == 2
    assert page.evaluate(f"{PLAYERS}[0].paused")


def test_hostile_captions_are_text(page: Page) -> None:
    page.evaluate("void (window.alert = () => console.error('it ran'))")
    before = page.locator("script, img[onerror], svg[onload]").count()
    page.select_option(".look-dataset", label="clotho-mini (synthetic twin)")
    assert set(rows(page)) == set(HOSTILE)
    for text in HOSTILE:
        page.locator(".look-list button").nth(rows(page).index(text)).click()
        shown = page.locator(".look-answers blockquote bdi")
        assert shown.text_content() == text
        assert shown.get_attribute("dir") == "auto"
    assert page.locator("script, img[onerror], svg[onload]").count() == before


def test_it_fits_a_telephone(browser: Browser, path: Path) -> None:
    with visit(browser, path, width=390) as found:
        for number in range(3):
            found.page.select_option(".look-dataset", index=number)
            assert found.page.evaluate("document.documentElement.scrollWidth") == 390
        _assert_quiet(found)


def test_the_chosen_query_is_printed(page: Page) -> None:
    page.select_option(".look-dataset", label="msvd-mini (synthetic twin)")
    page.emulate_media(media="print")
    assert page.locator(".look-answers blockquote").is_visible()
    assert page.locator(".look-source").inner_text() == "msvd-mini synthetic twin"
    for hidden in (".look-list", ".look-pager", ".look-retrievers"):
        assert not page.locator(hidden).is_visible()
