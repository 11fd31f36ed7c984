"""Galleries of other sizes from the command line to the stored result."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from bench.accuracy import app
from bench.cells import Cell, CellSpec
from bench.galleries import galleries, relevant_rows
from bench.measure import Measurement, measure
from bench.selection import UsageError, parse_galleries
from bench.sources import DatasetSource, source_from_json, source_to_json
from bench.store import ResultStore
from datasets.base import Dataset
from datasets.larger_gallery import full_corpus
from retrievers.base import Settings
from retrievers.registry import adapter
from tests.bench.toy import CONSTANT, LEXICAL, TWO_WAY, ToyAdapter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [None]),
        ("test", [None]),
        ("1e3, 1e4,1000", [1000, 10_000]),
        ("test,full,50", [None, "full", 50]),
    ],
)
def test_galleries_are_read(text: str, found: list[object]) -> None:
    assert parse_galleries(text) == found


@pytest.mark.parametrize("text", ["all", "1.5", "0", "-3", "nan", "inf", "1e3;2"])
def test_what_is_no_gallery_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="test for the test items alone"):
        parse_galleries(text)


def source(manifest: Path, cache: Path, **more: object) -> DatasetSource:
    return DatasetSource(manifest.stem, cache, manifest=manifest, **more)  # type: ignore[arg-type]


@pytest.fixture
def dataset(manifest: Path, tmp_path: Path) -> Dataset:
    return source(manifest, tmp_path).load()


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    """A manifest of twenty pictures that the toys are not."""
    rows = []
    for number in range(20):
        Image.new("RGB", (20, 16), (7, 11 * number, 3)).save(tmp_path / f"{number}.png")
        rows.append((number, f"{number}.png", "nothing that is asked"))
    with (tmp_path / "others.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "path", "caption"), *rows])
    return tmp_path / "others.csv"


def taken(toy: ToyAdapter, dataset: Dataset) -> Measurement:
    settings = Settings(0, "cpu", Path("unused"))
    spec = CellSpec(
        toy.describe(settings), dataset.name, dataset.protocol, dataset.digest, False, 0, 10, "c"
    )
    return measure(spec, dataset, toy.build(settings), lambda phase: None)


def test_a_source_comes_through_json(manifest: Path, offered: Path, tmp_path: Path) -> None:
    for one in (
        source(manifest, tmp_path),
        source(manifest, tmp_path, gallery="full"),
        source(manifest, tmp_path, gallery=20, distractors=offered),
    ):
        assert source_from_json(source_to_json(one)) == one


def test_all_items_are_indexed_and_only_test_items_are_answers(dataset: Dataset) -> None:
    whole = full_corpus(dataset)
    (gallery,) = galleries(whole, 0)
    assert {item.id for item in gallery.items} == {item.id for item in whole.searched}
    right = {gallery.items[row].id for row in relevant_rows(gallery.queries, gallery.items)[:, 0]}
    assert right <= {item.id for item in dataset.gallery}


def test_chance_falls_with_the_gallery(dataset: Dataset) -> None:
    test, whole = (taken(CONSTANT, one) for one in (dataset, full_corpus(dataset)))
    assert (test.counts["gallery"], test.counts["distractors"]) == (12, 0)
    assert (whole.counts["gallery"], whole.counts["distractors"]) == (24, 12)
    assert whole.metrics["R@10"].value < test.metrics["R@10"].value


def test_the_full_corpus_can_only_make_search_harder(dataset: Dataset) -> None:
    test, whole = (taken(LEXICAL, one) for one in (dataset, full_corpus(dataset)))
    for metric, found in whole.metrics.items():
        assert found.value <= test.metrics[metric].value
    assert whole.diagnostics == test.diagnostics


def test_items_ask_for_their_text_as_without_distractors(dataset: Dataset) -> None:
    for rule in ("any caption", "caption set"):
        ruled = replace(dataset, media_to_text=rule)  # type: ignore[arg-type]
        test, whole = (taken(TWO_WAY, one) for one in (ruled, full_corpus(ruled)))
        assert whole.counts["items_asked"] == test.counts["items_asked"] == 12
        assert whole.reverse == test.reverse


def test_a_generative_retriever_learns_the_distractors(dataset: Dataset) -> None:
    """Its tiny form, whose prefix tree holds every item that is searched and no other."""
    whole = full_corpus(dataset)
    retriever = adapter("cart").tiny(0)
    spec = CellSpec(retriever.spec, whole.name, whole.protocol, whole.digest, False, 0, 10, "code")
    found = measure(spec, whole, retriever, lambda phase: None)
    assert found.counts["gallery"] == 24
    ranked = {item for ids in found.frame["ids"] for item in ids}
    assert ranked <= {item.id for item in whole.searched}
    assert ranked & {item.id for item in whole.distractors}
    assert found.seconds["index/train"] > 0
    assert 0 <= found.diagnostics["collision_ceiling"] <= 1


def run(*words: str | Path) -> Result:
    environment = {"RETRIEVAL_DATA": "", "COLUMNS": "300"}
    return CliRunner().invoke(app, [str(word) for word in words], env=environment)


def run_toy(manifest: Path, folder: Path, *words: str | Path) -> Result:
    return run(
        *("--manifest", manifest, "--retriever", "tests.bench.toy:LEXICAL", "--quiet"),
        *("--results", folder / "results", "--cache", folder / "cache"),
        *("--report", folder / "page.html", *words),
    )


def cells(folder: Path) -> list[Cell]:
    return ResultStore(folder / "results").cells()


def test_every_gallery_has_a_result_of_its_own(
    manifest: Path, offered: Path, tmp_path: Path
) -> None:
    words = ("--gallery", "full,20", "--distractors", offered)
    ended = run_toy(manifest, tmp_path, *words)
    assert ended.exit_code == 0, ended.output
    found = {cell.spec.protocol: cell for cell in cells(tmp_path)}
    assert set(found) == {"own-split full corpus", "own-split in 20 with others"}
    assert [cell.counts["gallery"] for cell in found.values()] == [24, 20]
    assert len({cell.spec.dataset_digest for cell in found.values()}) == 2
    filled = found["own-split in 20 with others"]
    assert f"--gallery 20 --distractors {offered}" in filled.command
    assert "--distractors" not in found["own-split full corpus"].command
    again = run_toy(manifest, tmp_path, *words, "--dry-run")
    assert " ".join(again.output.split()).count("is stored, would be reused") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--gallery", "20"), "no further items to draw"),
        (("--gallery", "11", "--distractors", "OFFERED"), "cannot hold the 12 test items"),
        (("--gallery", "1e3", "--distractors", "OFFERED"), "offers 20 files"),
        (("--distractors", "OFFERED"), "give one with --gallery"),
        (("--gallery", "full", "--distractors", "OFFERED"), "give one with --gallery"),
        (("--gallery", "full", "--annotations-only"), "leaves alone"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    manifest: Path, offered: Path, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    given = [str(offered) if word == "OFFERED" else word for word in words]
    ended = run_toy(manifest, tmp_path, *given)
    assert ended.exit_code == 2
    assert sentence in ended.output
    assert not cells(tmp_path)
