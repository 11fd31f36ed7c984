"""Published figures stand beside measured ones only where everything is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench import published
from bench.cells import CellSpec
from bench.published import beside
from retrievers import registry
from retrievers.base import RetrieverSpec, Weights
from retrievers.entry import Entry, PublishedRow
from retrievers.untrained import MARK

ENTRY = Entry(
    name="clip",
    target="tests.bench.toy:LEXICAL",
    paradigm="dual tower",
    modalities=("image",),
    summary="",
    licence="MIT",
    published=PublishedRow(
        "CLIP",
        made_of={"": ("owner/clip-b-32",), "mscoco": ("owner/clip", "clip-coco.pt")},
        differs={"clotho": "asks of sounds"},
    ),
)


@pytest.fixture(autouse=True)
def one_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(name: str) -> Entry:
        if name != "clip":
            raise registry.UnknownRetriever(name)
        return ENTRY

    monkeypatch.setattr(registry, "entry", entry)


def cell(
    dataset: str = "mscoco",
    protocol: str = "karpathy-5k",
    weights: Weights = "pretrained",
    checkpoint: str = "/some/where/clip-coco.pt",
    name: str = "clip",
) -> CellSpec:
    given: Mapping[str, str] = {"model": checkpoint} if weights == "pretrained" else {}
    retriever = RetrieverSpec(name, "dual tower", ("image",), weights, "MIT", given)
    return CellSpec(retriever, dataset, protocol, "d", False, 0, 10, "c")


def test_the_same_question_of_the_same_weights_has_figures_beside_it() -> None:
    found = beside(cell())
    assert found is not None
    assert found.percent == {"R@1": 30.4, "R@5": 55.9, "R@10": 66.8, "MRR@10": 41.3}
    assert found.source == "CART paper, Table 2, reproduced by the authors of CART"
    assert found.differs == ()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (cell(protocol="karpathy-1k-5fold"), "asked of karpathy-5k, this of karpathy-1k-5fold"),
        (cell(protocol="karpathy-4990of5000"), "this of karpathy-4990of5000"),
        (cell(checkpoint="owner/clip-l-14"), "weights owner/clip, this of owner/clip-l-14"),
        (cell(weights="imported"), "imported here cannot be told"),
        (cell(dataset="flickr30k", protocol="karpathy-1k"), "asked of entities-1k"),
        (cell(dataset="flickr30k", protocol="entities-1k"), "weights owner/clip-b-32"),
    ],
)
def test_what_differs_is_told_in_place_of_the_figures(spec: CellSpec, sentence: str) -> None:
    found = beside(spec)
    assert found is not None
    assert not found.percent
    assert any(sentence in each for each in found.differs)


def test_a_dataset_without_a_remark_of_its_own_takes_the_remark_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = PublishedRow("CLIP", {"": ("clip-coco.pt",)}, differs={"": "is of prompts"})
    monkeypatch.setattr(registry, "entry", lambda name: replace(ENTRY, published=row))
    found = beside(cell())
    assert found is not None
    assert found.differs == ("it is of prompts",)


def test_nothing_stands_beside_what_the_paper_does_not_have() -> None:
    assert beside(replace(cell(), synthetic=True)) is None
    assert beside(cell(name="a:stranger")) is None
    assert beside(cell(dataset="my-photos")) is None
    assert beside(cell(dataset="msvd", protocol="msvd-670")) is None


def test_a_row_with_a_star_is_of_the_split_of_its_own_paper() -> None:
    blip, umt = published.figures("BLIP-2")["flickr30k"], published.figures("UMT-B")["msvd"]
    assert (blip.percent["R@1"], blip.protocols) == (89.7, ("karpathy-1k",))
    assert "MRR@10" not in blip.percent
    assert umt.source.endswith("from the system's own paper")
    assert published.figures("HTSAT-BERT")["audiocaps"].protocols == ()
    assert published.figures("CART(Ours)")["audiocaps"].protocols == ("audiocaps-737",)


def test_a_system_of_several_rows_is_chosen_by_setting() -> None:
    assert published.figures("GRACE", "Semantic ID")["flickr30k"].percent["R@1"] == 22.9


@pytest.mark.parametrize("name", registry.names())
def test_every_published_row_is_in_the_tables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    row = registry.entry(name).published
    if row is None:
        return
    found = published.figures(row.system, row.setting)
    assert found
    assert {*row.made_of, *row.differs} <= {*found, ""}


def test_an_untrained_form_has_no_published_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert registry.entry(f"cart{MARK}").published is None


def test_a_variant_stands_beside_no_published_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    whole = cell("flickr30k", "entities-1k", weights="trained here", name="cart")
    assert beside(whole) is not None
    for name in ("cart[search.beam=50]", "cart-256[search.beam=50]"):
        assert beside(replace(whole, retriever=replace(whole.retriever, name=name))) is None
