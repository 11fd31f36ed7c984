"""The explorer of queries in a real browser, against a slow version of its filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from bench.looks import drawn
from bench.store import ResultStore
from reports.page import write
from tests.reports.stored_results import Plan, store_result
from tests.reports.test_look import HOSTILE

pytestmark = pytest.mark.browser
PLANS = {
    "cart": Plan("cart", paradigm="generative", skill=0.6),
    "tiny-dual": Plan("tiny-dual", skill=0.5),
    "blip": Plan("blip", paradigm="single tower", skill=0.3),
}
PLAYERS = "[...document.querySelectorAll('#look audio, #look video')]"
# The page's policy forbids to wait for a predicate: that would be evaluated by the page.
PLAYED = f"""new Promise((done) => {{
  const [player] = {PLAYERS};
  const tell = () => done([player.tagName, player.error, player.duration, player.readyState]);
  if (player.currentTime > 0) tell();
  else ["timeupdate", "error"].forEach((name) => player.addEventListener(name, tell));
}})"""


@dataclass
class Opened:
    """The page, with what it said and asked for so far."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[str]:
        return self.page.locator(".look-list bdi").all_text_contents()

    def answers(self, retriever: str) -> Locator:
        return self.page.locator(".look-answer").filter(
            has=self.page.locator("h4", has_text=retriever)
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ResultStore:
    """Three retrievers on photos, each text its own; two on sounds, one on videos."""
    store = ResultStore(tmp_path_factory.mktemp("look") / "results")
    for plan in PLANS.values():
        store_result(store, plan, texts=[f"scene {number}" for number in range(120)])
    for name, modality in (("clotho-mini", "audio"), ("msvd-mini", "video")):
        plan = Plan("tiny-dual", dataset=name, modality=modality, synthetic=True)  # type: ignore[arg-type]
        store_result(store, plan, texts=HOSTILE)
    return store


@pytest.fixture(scope="module")
def file(store: ResultStore) -> Path:
    return write(store.root, store.root.parent / "page.html")


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Callable[..., Opened]]:
    """Opens the page; at the end nothing may have been complained of or asked of the network."""
    all_opened: list[Opened] = []

    def open_page(fragment: str = "", width: int = 1440) -> Opened:
        found = Opened(browser.new_page(viewport={"width": width, "height": 900}))
        all_opened.append(found)
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(file.as_uri() + fragment)
        return found

    yield open_page
    for each in all_opened:
        assert each.said == []
        assert [url for url in each.asked if not url.startswith(("data:", "blob:", "file:"))] == []
        each.page.close()


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


def test_the_explorer_opens_with_the_best_of_each_paradigm(
    opened: Callable[..., Opened], store: ResultStore
) -> None:
    seen = opened()
    assert seen.page.locator("#look-explorer > p").count() == 0
    assert seen.rows == [text for text, _, _ in judged(store)["cart"]]
    assert "60 of 60 queries drawn at random match" in seen.page.locator(".look-count").inner_text()
    for name in PLANS:
        assert seen.answers(name).locator("ol .shot").count() == 10


@pytest.mark.parametrize("swapped", [False, True])
def test_right_here_and_wrong_there(
    opened: Callable[..., Opened], store: ResultStore, swapped: bool
) -> None:
    seen, told = opened(), judged(store)
    seen.page.select_option(".look-filter", "pair")
    names = ["cart", "tiny-dual"]
    if swapped:
        seen.page.click(".look-swap")
        names.reverse()
    right, wrong = (told[name] for name in names)
    expected = [one[0] for one, other in zip(right, wrong, strict=True) if one[1] and other[2]]
    assert 0 < len(expected) < 60
    assert seen.rows == expected
    shown = seen.page.locator(".look-count").inner_text()
    assert shown.startswith(f"{len(expected)} of 60 queries")
    assert "✓ right item at rank 1" in seen.answers(names[0]).locator(".outcome").inner_text()
    assert "✕ right item" in seen.answers(names[1]).locator(".outcome").inner_text()


@pytest.mark.parametrize(("value", "fold"), [("any", any), ("none", all)])
def test_wrong_among_those_shown(
    opened: Callable[..., Opened],
    store: ResultStore,
    value: str,
    fold: Callable[[Iterator[bool]], bool],
) -> None:
    seen, told = opened(), judged(store)
    seen.page.select_option(".look-filter", value)
    for shown in (["cart", "tiny-dual", "blip"], ["cart", "tiny-dual"], ["tiny-dual"]):
        for name in PLANS:
            seen.page.locator(".look-boxes label", has_text=name).locator("input").set_checked(
                name in shown
            )
        expected = [
            told["cart"][number][0]
            for number in range(60)
            if fold(told[name][number][2] for name in shown)
        ]
        assert seen.rows == expected
        assert seen.page.locator(".look-answer ol").count() == len(shown)


def test_words_narrow_the_list_and_the_keyboard_walks_it(opened: Callable[..., Opened]) -> None:
    seen = opened()
    every = seen.rows
    seen.page.fill(".look-words", "1 SCENE")
    narrowed = [text for text in every if "1" in text and "scene" in text]
    assert 3 < len(narrowed) < 60
    assert seen.rows == narrowed
    chosen = seen.page.locator(".look-answers blockquote")
    seen.page.locator(".look-pager button", has_text="Next").focus()
    seen.page.keyboard.press("Enter")
    assert chosen.inner_text() == narrowed[1]
    assert seen.page.locator(".look-list [aria-current]").inner_text() == narrowed[1]
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Shift+Tab")
    seen.page.keyboard.press("Enter")
    assert chosen.inner_text() == narrowed[1]
    seen.page.fill(".look-words", "no such words")
    assert seen.rows == []
    assert "No query matches" in seen.page.locator(".look-answers").inner_text()


def test_a_link_leads_back_to_the_query(opened: Callable[..., Opened]) -> None:
    seen = opened()
    seen.page.select_option(".look-dataset", label="photos")
    seen.page.locator(".look-list button").nth(7).click()
    text = seen.page.locator(".look-answers blockquote").inner_text()
    fragment = seen.page.evaluate("location.hash")
    again = opened(fragment)
    assert again.page.locator(".look-answers blockquote").inner_text() == text
    assert opened("#look?dataset=%3Cb%3E&query=-1e9").rows == seen.rows


def test_the_ranking_is_the_stored_one(opened: Callable[..., Opened], store: ResultStore) -> None:
    seen = opened()
    seen.page.locator(".look-list button").nth(3).click()
    (cart,) = (cell for cell in store.cells() if cell.spec.retriever.name == "cart")
    frame = store.ranks(cart.spec.key).set_index("query")
    row = frame.loc[drawn("photos", cart.spec.protocol, frame.index)[3]]
    shots = seen.answers("cart").locator("ol .shot")
    assert [one.inner_text() for one in shots.locator(".item").all()] == list(row["ids"])
    scores = [one.inner_text().split()[-1] for one in shots.locator(".score").all()]
    assert scores == [f"{score:.4g}" for score in row["scores"]]
    numbers = [int(item.removeprefix("item-")) for item in row["ids"]]
    paths = [one.inner_text().split()[-1] for one in shots.locator(".path").all()]
    assert paths == [f"{number // 8}·{number % 8}·0" for number in numbers]
    right = shots.locator(".place", has_text="✓")
    assert right.count() == list(row["ids"]).count(row["item"])
    assert seen.answers("tiny-dual").locator("ol .path").count() == 0


@pytest.mark.parametrize(("dataset", "tag"), [("clotho-mini", "AUDIO"), ("msvd-mini", "VIDEO")])
def test_sounds_and_clips_play(opened: Callable[..., Opened], dataset: str, tag: str) -> None:
    seen = opened()
    seen.page.select_option(".look-dataset", label=f"{dataset} (synthetic twin)")
    seen.page.locator("#look .play").nth(1).click()
    name, error, seconds, ready = seen.page.evaluate(PLAYED)
    assert (name, error) == (tag, None)
    assert ready >= 2
    assert 0.3 < seconds < 1.3
    seen.page.locator("#look .play").nth(2).click()
    assert seen.page.evaluate(f"{PLAYERS}.length") == 2
    assert seen.page.evaluate(f"{PLAYERS}[0].paused")


def test_hostile_captions_are_text(opened: Callable[..., Opened]) -> None:
    seen = opened()
    seen.page.evaluate("void (window.alert = () => console.log('it ran'))")
    before = seen.page.locator("script, img[onerror], svg[onload]").count()
    seen.page.select_option(".look-dataset", label="clotho-mini (synthetic twin)")
    assert set(seen.rows) == set(HOSTILE)
    for text in HOSTILE:
        seen.page.locator(".look-list button").nth(seen.rows.index(text)).click()
        shown = seen.page.locator(".look-answers blockquote bdi")
        assert shown.text_content() == text
        assert shown.get_attribute("dir") == "auto"
    assert seen.page.locator("script, img[onerror], svg[onload]").count() == before


def test_it_fits_a_telephone_and_prints_the_chosen_query(opened: Callable[..., Opened]) -> None:
    seen = opened(width=390)
    for number in range(3):
        seen.page.select_option(".look-dataset", index=number)
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
    seen.page.emulate_media(media="print")
    assert seen.page.locator(".look-answers blockquote").is_visible()
    for hidden in (".look-list", ".look-pager", ".look-retrievers"):
        assert not seen.page.locator(hidden).is_visible()
