"""The report against the stored cells that it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.standings import standings
from bench.store import ResultStore, Skipped
from bench.summary import summarise
from reports.page import ReportError, write
from retrievers import registry
from retrievers.entry import PublishedRow
from tests.reports.page_reading import Element, parse
from tests.reports.stored_results import Plan, store_failure, store_result

METRICS = ("R@1", "R@5", "R@10", "MRR@10")


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def report(store: ResultStore, **options: int) -> Element:
    page = write(store.root, store.root.parent / "page.html", **options)
    return parse(page.read_text(encoding="utf-8"))


def accuracy_rows(page: Element) -> dict[str, Element]:
    """The rows of the tables of text to media, by the retriever's name."""
    backward = page.all("table", class_="reverse")
    tables = [table for table in page.all("table", class_="accuracy") if table not in backward]
    rows = [row for table in tables for row in table.all("tr")[1:]]
    return {row.all(class_="name")[0].words: row for row in rows}


def shown_figures(row: Element) -> list[tuple[float, str]]:
    figures = (data for cell in row.all("td", class_="figure") for data in cell.all("data"))
    return [(float(data.attributes["value"]), data.words) for data in figures]


def test_the_table_holds_the_stored_figures(store: ResultStore) -> None:
    cells = {
        name: store_result(store, Plan(name, skill=skill))
        for name, skill in (("tiny-dual", 0.5), ("cart", 0.35))
    }
    rows = accuracy_rows(report(store))
    assert set(rows) == set(cells)
    for name, cell in cells.items():
        measures = [cell.metrics[metric] for metric in METRICS]
        assert shown_figures(rows[name]) == [
            (measure.value, f"{100 * measure.value:.1f}") for measure in measures
        ]
        intervals = [cell.all(class_="interval")[0].words for cell in rows[name].all("td")[:4]]
        assert intervals == [
            f"interval {100 * measure.low:.1f} – to {100 * measure.high:.1f}"
            for measure in measures
        ]


def test_several_seeds_give_their_mean_and_spread(store: ResultStore) -> None:
    cells = [store_result(store, Plan("cart", seed=seed)) for seed in (0, 1, 2)]
    row = accuracy_rows(report(store))["cart"]
    values = np.array([[cell.metrics[metric].value for metric in METRICS] for cell in cells])
    assert [value for value, _ in shown_figures(row)] == pytest.approx(list(values.mean(axis=0)))
    spreads = [element.words for element in row.all(class_="spread")]
    assert spreads == [f"sd {100 * sd:.1f}" for sd in values.std(axis=0, ddof=1)]
    assert row.all("td", class_="seeds")[0].words == "3 seeds 0, 1, 2"


def test_costs_are_those_of_the_cell(store: ResultStore) -> None:
    seconds = {"fit/embed": 90.0, "fit/train": 35.2, "index/encode": 2.0, "index/build": 0.34}
    store_result(store, Plan("tiny-dual", items=60, seconds=seconds))
    store_result(store, Plan("aligned", items=60, seconds={"index/encode": 0.5}))
    (part,) = report(store).all("section", class_="dataset")
    tables = (table for table in part.all("table", class_="cost") if "took" in table.words)
    rows = {row.all("th")[0].words: row for row in next(tables).all("tr")[1:]}
    assert [cell.words for cell in rows["tiny-dual"].all("td")] == [
        "60",
        "300",
        "2 min 05 s",
        "2.3 s",
        "31 kB",
        "913 MB",
    ]
    assert rows["aligned"].all("td")[2].words == "none"


def test_diagnostics_are_named_and_averaged(store: ResultStore) -> None:
    for seed, ceiling in ((0, 0.90), (1, 0.94)):
        figures = {
            "collision_ceiling": ceiling,
            "token_accuracy/k": 0.5,
            "perplexity/v1": 98.25,
            "words_shared": 0.25,
        }
        store_result(store, Plan("cart", seed=seed, diagnostics=figures))
    store_result(store, Plan("tiny-dual"))
    page = report(store)
    (folded,) = page.all("details", class_="remarks")
    assert "All 4 diagnostics" in folded.all("summary")[0].words
    brief, whole = (
        [
            [cell.words for cell in row.all("th") + row.all("td")]
            for row in part.all("table", class_="narrow")[0].all("tr")
        ]
        for part in (page, folded)
    )
    assert whole == [
        ["Figure", "cart"],
        ["Collision ceiling", "92.0 %"],
        ["Accuracy of token k (coarse)", "50.0 %"],
        ["Perplexity of token v1", "98.25"],
        ["Words shared", "0.25"],
    ]
    assert brief == [whole[0], whole[1], whole[4]]


def test_a_row_says_who_captioned_the_test_items(store: ResultStore) -> None:
    store_result(store, Plan("cart", options={"transductive": True, "captioner": "owner/<b>"}))
    store_result(store, Plan("tiny-dual"))
    figures = {"captions/verbatim": 0.25, "captions/verbatim_untaught": 0.0}
    store_result(store, Plan("cart-dense", options={"transductive": False}, diagnostics=figures))
    page = report(store)
    kinds = {
        name: [kind.words for kind in row.all(class_="kind")][1:]
        for name, row in accuracy_rows(page).items()
    }
    assert kinds == {
        "cart": ["test items captioned by owner/<b>"],
        "tiny-dual": [],
        "cart-dense": ["test items not captioned"],
    }
    told = page.all("table", class_="narrow")[0].words
    assert "Queries in the very words of a caption that their item was learned from 25.0 %" in told


def test_a_failed_row_shows_its_reason_and_no_figure(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual"))
    store_failure(store, Plan("cart"), "The process was killed by signal 9 <while indexing>.")
    page = report(store)
    row = accuracy_rows(page)["cart"]
    assert "The process was killed by signal 9 <while indexing>." in row.words
    assert "Failed" in row.words
    assert not row.all("data")
    assert "1 of them failed" in page.all("header")[0].words


def test_a_mean_over_failed_seeds_is_withheld(store: ResultStore) -> None:
    done = store_result(store, Plan("cart", seed=0))
    store_failure(store, Plan("cart", seed=1), "It ran out of memory.")
    page = report(store)
    row = accuracy_rows(page)["cart"]
    assert "Withheld" in row.words
    assert "It ran out of memory." in row.words
    assert not row.all("data")
    listed = page.all("table", class_="cells")[0].all("data")
    assert [float(data.attributes["value"]) for data in listed] == [
        done.metrics[metric].value for metric in METRICS
    ]


def test_skipped_retrievers_stand_with_their_dataset(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual"))
    store.write_skipped(
        [
            Skipped("photos", "aligned", "Its weights are absent: name them with --checkpoint."),
            Skipped("clotho", "cart", "It ranks images; this dataset holds audio."),
        ]
    )
    page = report(store)
    section = page.all("section", class_="dataset")[0].words
    assert "Left out of the last run here, for these reasons: aligned." in section
    assert [item.words for item in page.all("ul", class_="skipped")[0].all("li")] == [
        "aligned on photos: Its weights are absent: name them with --checkpoint.",
        "cart on clotho: It ranks images; this dataset holds audio.",
    ]


def test_one_reason_for_many_datasets_is_told_once(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual"))
    store.write_skipped(
        [Skipped(dataset, "clip", "Name the weights.") for dataset in ("photos", "msvd")]
    )
    items = [item.words for item in report(store).all("ul", class_="skipped")[0].all("li")]
    assert items == ["clip on photos, msvd: Name the weights."]


@pytest.mark.parametrize(
    ("made_of", "beside", "said"),
    [
        ("owner/weights", "published 52.4", "of the same data, split, direction and weights"),
        ("owner/others", "", "it is of the weights owner/others, this of owner/weights"),
    ],
)
def test_published_figures_stand_beside_measured_ones_of_the_same_question(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch, made_of: str, beside: str, said: str
) -> None:
    known = replace(registry.entry("cart"), published=PublishedRow("CART(Ours)", {"": (made_of,)}))
    monkeypatch.setattr(registry, "entry", lambda name: known)
    plan = Plan("cart", dataset="mscoco", protocol="karpathy-5k", weights="pretrained")
    store_result(store, replace(plan, checkpoint={"model": "owner/weights"}))
    page = report(store)
    shown = [each.words for each in page.all("span", class_="published")]
    assert shown[:1] == ([beside] if beside else [])
    (listed,) = page.all("ul", class_="beside")
    assert "CART paper, Table 2" in listed.words
    assert said in listed.words


def test_what_the_paper_printed_stands_with_a_real_dataset_alone(store: ResultStore) -> None:
    for dataset, synthetic in (("flickr30k", False), ("flickr30k-mini", True)):
        store_result(store, Plan("tiny-dual", dataset=dataset, synthetic=synthetic))
    real, twin = report(store).all("section", class_="dataset")[:2]
    if "mini" in real.all("h2")[0].words:
        real, twin = twin, real
    (table,) = real.all(class_="printed")[0].all("table")
    rows = {row.all("th")[0].words: row for row in table.all("tr")[1:]}
    assert [cell.words for cell in rows["BLIP-2 single tower"].all("td")[-4:]] == [
        *("89.7", "98.1", "98.9"),
        "–",
    ]
    assert not twin.all(class_="printed")


def test_an_untrained_row_is_not_taken_for_the_trained_one(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", skill=0.5))
    store_result(store, Plan("tiny-dual", weights="random", skill=0.05))
    assert set(accuracy_rows(report(store))) == {"tiny-dual", "tiny-dual (untrained)"}


@pytest.mark.parametrize(
    ("other", "best", "tied"),
    [(0.1, ["tiny-dual"], []), (0.48, [], ["cart", "tiny-dual"]), (0.9, ["cart"], [])],
)
def test_best_is_marked_only_where_it_is_told_apart(
    store: ResultStore, other: float, best: list[str], tied: list[str]
) -> None:
    store_result(store, Plan("tiny-dual", skill=0.5))
    store_result(store, Plan("cart", skill=other))
    rows = accuracy_rows(report(store))
    crowns = {name: row.all("td")[0].all(class_="crown") for name, row in rows.items()}
    assert sorted(name for name, found in crowns.items() if found) == sorted(best or tied)
    words = {crown.words for found in crowns.values() for crown in found}
    assert words == ({"best"} if best else {"tied for best"})
    ranks = {name: row.all("td", class_="rank")[0].words for name, row in rows.items()}
    assert set(ranks.values()) == ({"1", "2"} if best else {"1–2"})


def test_every_pair_stands_with_what_could_have_been_found(store: ResultStore) -> None:
    for name, skill in (("tiny-dual", 0.5), ("cart", 0.9), ("cascade", 0.88)):
        store_result(store, Plan(name, skill=skill))
    rows = [row for row in summarise(store) if row.metrics]
    found = standings(rows, store)
    page = report(store)
    (table,) = page.all(class_="pairs")[0].all("table")
    shown = {
        frozenset((row.all("th")[0].words, row.all("td")[0].words)): row.all("td")[-1].words
        for row in table.all("tr")[1:]
    }
    names = [row.name for row in rows]
    assert shown == {
        frozenset((names[pair.first], names[pair.second])): "not told apart"
        if pair.better is None
        else names[pair.better]
        for pair in found.pairs
    }
    assert found.detectable is not None
    assert f"differ by about {100 * found.detectable:.1f} points" in page.words


def test_means_are_withheld_where_a_dataset_is_missing(store: ResultStore) -> None:
    for dataset in ("flickr30k", "mscoco"):
        store_result(store, Plan("tiny-dual", dataset=dataset))
    store_result(store, Plan("cart", dataset="mscoco"))
    (glance,) = report(store).all("section", id="results")
    (table,) = glance.all("table")
    rows = {row.all("th")[0].words: row for row in table.all("tr")[1:]}
    assert set(rows) == {"tiny-dual dual tower", "cart dual tower"}
    assert len(shown_figures(rows["tiny-dual dual tower"])) == 3
    assert not shown_figures(rows["cart dual tower"])
    assert "flickr30k (seeded-split-0) was not measured" in rows["cart dual tower"].words


def test_a_single_row_is_not_called_best(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual"))
    assert not report(store).all("tbody")[0].all(class_="crown")


def test_rows_of_different_data_are_not_compared(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", skill=0.9))
    store_result(store, Plan("cart", skill=0.1, digest="00ff00ff00ff00ff"))
    page = report(store)
    assert "different versions of the dataset" in page.all(class_="warning")[0].words
    assert not page.all("tbody")[0].all(class_="crown")


def test_a_synthetic_dataset_says_so_in_its_heading(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", dataset="photos"))
    store_result(store, Plan("tiny-dual", dataset="flickr30k-mini", synthetic=True))
    headings = [heading.words for heading in report(store).all("h2")]
    (synthetic,) = [heading for heading in headings if heading.startswith("flickr30k-mini")]
    (real,) = [heading for heading in headings if heading.startswith("photos")]
    assert synthetic.endswith("synthetic twin: never compare with published figures")
    assert "synthetic" not in real


def test_weights_are_told_apart(store: ResultStore) -> None:
    for weights in ("trained here", "pretrained", "random"):
        store_result(store, Plan(f"with-{weights.split()[0]}", weights=weights))
    badges = {
        name: row.all(class_="badge")[0].words for name, row in accuracy_rows(report(store)).items()
    }
    assert badges == {
        "with-trained": "trained here",
        "with-pretrained": "pretrained",
        "with-random (untrained)": "▲ random weights",
    }


def test_one_name_with_two_checkpoints_is_told_apart(store: ResultStore) -> None:
    for tower in ("org/clip-b", "org/siglip"):
        store_result(store, Plan("aligned", checkpoint={"image": tower}))
    rows = accuracy_rows(report(store))
    assert set(rows) == {"aligned (image=clip-b)", "aligned (image=siglip)"}


def test_provenance_holds_what_repeats_the_row(store: ResultStore) -> None:
    plan = Plan(
        "cart",
        checkpoint={"image": "org/clip"},
        options={"beam": 20, "captioner": "nearest", "enhanced": True, "limit": None},
    )
    cell = store_result(store, plan)
    origin = report(store).all("details", class_="origin")[0]
    for expected in (
        cell.command,
        cell.spec.key,
        cell.spec.code,
        cell.spec.dataset_digest,
        cell.revision,
        "21 November 2026, 09:45 UTC",
        "Example Processor 3.1 GHz",
        "torch 2.13.0",
        "org/clip",
        "Apache-2.0",
    ):
        assert expected in origin.words
    options = {pair.all("dt")[0].words: pair.all("dd")[0].words for pair in _options(origin)}
    assert options == {"beam": "20", "captioner": "nearest", "enhanced": "true", "limit": "null"}


def test_facts_that_differ_between_seeds_name_their_seeds(store: ResultStore) -> None:
    for seed, cores in ((0, "2"), (1, "2"), (2, "64")):
        store_result(store, Plan("cart", seed=seed, machine={"cores": cores}))
    page = report(store)
    facts = page.all("dl", class_="origin-facts")[0].words
    assert "seeds 0, 1: cores: 2" in facts
    assert "seed 2: cores: 64" in facts
    assert "2 machines: seconds of different machines do not compare" in page.words


def test_the_same_results_give_the_same_bytes(store: ResultStore, tmp_path: Path) -> None:
    store_result(store, Plan("tiny-dual"))
    first = write(store.root, tmp_path / "first.html").read_bytes()
    assert write(store.root, tmp_path / "second.html").read_bytes() == first


def test_ids_are_unique_and_links_lead_somewhere(store: ResultStore) -> None:
    for name in ("tiny-dual", "cart"):
        for dataset in ("photos", "flickr30k-mini"):
            store_result(store, Plan(name, dataset=dataset))
    page = report(store)
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = [link for link in page.all("a") if "download" not in link.attributes]
    assert {link.attributes["href"] for link in links} <= {f"#{name}" for name in ids}
    described = [
        name for svg in page.all("svg") for name in svg.attributes["aria-labelledby"].split()
    ]
    assert set(described) <= set(ids)


@pytest.mark.parametrize("exists", [True, False])
def test_without_results_the_page_says_how_to_get_some(tmp_path: Path, exists: bool) -> None:
    results = tmp_path / "results"
    if exists:
        results.mkdir()
    run = _run("--results", str(results), "--output", str(tmp_path / "deep" / "page.html"))
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == str(tmp_path / "deep" / "page.html")
    page = parse((tmp_path / "deep" / "page.html").read_text(encoding="utf-8"))
    assert "python -m bench.accuracy --all" in page.words
    assert str(results) in page.words


def test_a_file_in_place_of_results_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    run = _run("--results", str(tmp_path / "results"), "--output", str(tmp_path / "page.html"))
    assert run.returncode == 1
    assert "must name the folder" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_output_that_cannot_be_written_is_a_sentence(store: ResultStore, tmp_path: Path) -> None:
    store_result(store, Plan("tiny-dual"))
    (tmp_path / "taken").write_text("")
    with pytest.raises(ReportError, match=r"could not be written.*--output"):
        write(store.root, tmp_path / "taken" / "page.html")


def test_superseded_results_are_counted(store: ResultStore) -> None:
    store_result(store, Plan("cart", options={"beam": 5}))
    store_result(store, Plan("cart", options={"beam": 20}, created="2026-11-22T08:00:00+00:00"))
    page = report(store)
    assert "1 older not shown" in page.all("header")[0].words
    (option,) = _options(page.all("details", class_="origin")[0])
    assert [part.words for part in option.all()] == ["beam", "20"]


def test_notes_are_shown_once_and_with_a_name_where_not_all_have_them(store: ResultStore) -> None:
    note = "12 queries have the same text as another <query>."
    store_result(store, Plan("tiny-dual", notes=(note,)))
    store_result(store, Plan("cart", notes=(note, "One figure was left out.")))
    (notes,) = report(store).all("ul", class_="notes")
    assert [item.words for item in notes.all("li")] == [note, "cart: One figure was left out."]


def test_media_to_text_has_a_table_of_its_own(store: ResultStore) -> None:
    cells = {
        name: store_result(store, Plan(name, skill=skill, reverse=reverse))
        for name, skill, reverse in (("tiny-dual", 0.5, True), ("cart", 0.4, False))
    }
    (table,) = report(store).all("table", class_="reverse")
    (row,) = table.all("tr")[1:]
    assert row.all(class_="name")[0].words == "tiny-dual"
    assert [value for value, _ in shown_figures(row)] == [
        cells["tiny-dual"].reverse[metric].value for metric in METRICS
    ]
    said = table.all("caption")[0].words
    assert "The rule is any caption" in said
    assert "24 items ask; chance scores R@1 4.2." in said
    assert "Left out: cart, which ranks items for a text and no texts for an item." in said


def test_the_rule_of_caption_sets_is_named(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", rule="caption set", reverse=True))
    said = report(store).all("table", class_="reverse")[0].all("caption")[0].words
    assert "The rule is caption set: the caption sets of all items are ranked" in said


def test_without_a_retriever_that_ranks_texts_the_page_says_so(store: ResultStore) -> None:
    store_result(store, Plan("cart"))
    page = report(store)
    assert not page.all("table", class_="reverse")
    assert "No retriever here ranks texts" in page.words


def test_seeds_of_the_other_direction_are_averaged(store: ResultStore) -> None:
    cells = [store_result(store, Plan("tiny-dual", seed=seed, reverse=True)) for seed in (0, 1)]
    (table,) = report(store).all("table", class_="reverse")
    values = [[cell.reverse[metric].value for metric in METRICS] for cell in cells]
    shown = [value for value, _ in shown_figures(table)]
    assert shown == pytest.approx(list(np.mean(values, axis=0)))


def test_folds_are_said_with_the_chance_in_one_of_them(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", items=50, folds=5, reverse=True))
    page = report(store)
    (part,) = page.all("section", class_="dataset")
    setting = part.all("p", class_="setting")[0].words
    assert "250 queries, each asked of one of 5 galleries of 10 items" in setting
    assert "R@1 10 and R@10 100" in setting
    assert "chance scores R@1 10." in page.all("table", class_="reverse")[0].words
    (glance,) = page.all("section", id="results")
    assert glance.all("p", class_="chance")[0].words == "10 pictures; chance 10 and 100"


def test_sections_keep_the_order_of_the_registry(store: ResultStore) -> None:
    names = ("msvd", "holiday photos", "mscoco-mini", "clotho", "mscoco", "flickr30k-mini")
    for name in names:
        store_result(store, Plan("tiny-dual", dataset=name))
    store_result(store, Plan("tiny-dual", dataset="mscoco", protocol="karpathy-1k"))
    (glance,) = report(store).all("section", id="results")
    shown = [panel.all("h3")[0].words for panel in glance.all(class_="panel")]
    assert shown == [
        "holiday photos",
        "flickr30k-mini",
        "mscoco (karpathy-1k)",
        "mscoco (seeded-split-0)",
        "mscoco-mini",
        "clotho",
        "msvd",
    ]


def test_what_was_skipped_stands_with_its_own_protocol(store: ResultStore) -> None:
    for protocol in ("karpathy-5k", "karpathy-1k"):
        store_result(store, Plan("tiny-dual", dataset="mscoco", protocol=protocol))
    store.write_skipped([Skipped("mscoco", "aligned", "Name a tower.", "karpathy-1k")])
    page = report(store)
    first, second = (part.words for part in page.all("section", class_="dataset"))
    assert "for these reasons: aligned" in first
    assert "aligned" not in second


def test_a_dataset_that_was_not_loaded_is_listed_as_such(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", dataset="mscoco"))
    lost = [Skipped(name, "", "3 files cannot be used.") for name in ("clotho", "mscoco")]
    store.write_skipped(lost)
    said = [item.words for item in report(store).all("ul", class_="skipped")[0].all("li")]
    assert said == ["✕ clotho, mscoco could not be loaded: 3 files cannot be used."]


def test_notes_are_folded(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", notes=("One.", "Two.")))
    (folded,) = report(store).all("details", class_="remarks")
    assert "open" not in folded.attributes
    assert folded.all("summary")[0].words == "2 notes on the data and the run"
    assert [note.words for note in folded.all("li")] == ["One.", "Two."]


def test_reports_run_without_torch() -> None:
    code = "import sys, reports.page; raise SystemExit('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 (this interpreter)
    assert run.returncode == 0


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_colours_reach_contrast_aa(store: ResultStore, scheme: str) -> None:
    store_result(store, Plan("tiny-dual"))
    html = (write(store.root, store.root.parent / "page.html")).read_text(encoding="utf-8")
    palettes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
        for block in re.findall(r":root \{(.*?)\}", html, flags=re.S)
    ]
    colours = palettes[["light", "dark", "print"].index(scheme)]
    for ground in ("paper", "raised"):
        for text in ("ink", "muted", "accent", "second", "good", "bad"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert _contrast(colours["warn"], colours["warn-paper"]) >= 4.5


def _options(origin: Element) -> list[Element]:
    return origin.all("dl", class_="options")[0].all("div")


def _contrast(first: str, second: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    low, high = sorted(_luminance(colour) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (this interpreter)
        [sys.executable, "-m", "reports", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
