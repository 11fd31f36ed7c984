"""The tables of a terminal of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from bench import terminal
from bench.left_out import grouped
from bench.store import ResultStore, Skipped
from bench.summary import summarise
from retrievers import registry
from retrievers.entry import PublishedRow
from tests.bench.results import RETRIEVER, done, frame

PLACES = [1, 0, 3, 10, 1, 1]


def printed(shown: RenderableType) -> list[str]:
    file = io.StringIO()
    Console(width=80, file=file).print(shown)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def table(store: ResultStore, specs: Sequence[dict[str, object]]) -> list[str]:
    for changes in specs:
        store.write(done(PLACES, **changes), frame(PLACES))  # type: ignore[arg-type]
    return printed(terminal.results(summarise(store)))


def test_published_figures_have_a_line_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(
        registry.entry("cart"), published=PublishedRow("BLIP-2", {"": ("owner/weights",)})
    )
    monkeypatch.setattr(registry, "entry", lambda name: known)
    retriever = replace(RETRIEVER, checkpoint={"model": "owner/weights"})
    coco = {"dataset": "mscoco", "synthetic": False, "retriever": retriever}
    lines = table(
        ResultStore(tmp_path),
        [{**coco, "protocol": "karpathy-5k"}, {**coco, "protocol": "val2017-5k"}],
    )
    published = [line.split() for line in lines if "published  " in line]
    assert published == [["published", "66.3", "86.5", "91.8", "-"]]
    told = " ".join(lines)
    assert "toy: published: CART paper, Table 1, from the system's own paper" in told
    assert "it was asked of karpathy-5k, this of val2017-5k" in told


def test_untrained_rows_are_named_so_and_told_together(tmp_path: Path) -> None:
    names = ("languagebind-image", "clip")
    untrained = [replace(RETRIEVER, name=name, weights="random") for name in names]
    lines = table(ResultStore(tmp_path), [{"retriever": one} for one in untrained])
    words = " ".join(" ".join(lines).split())
    assert words.count("random weights, what they find is chance: clip, languagebind-image") == 1
    assert any(line.split()[0] == "languagebind-image" for line in lines if line.strip())


def test_rows_of_one_name_are_told_apart_and_say_who_captioned_the_test_items(
    tmp_path: Path,
) -> None:
    said = {"transductive": True, "captioner": "neighbours"}
    lent = replace(RETRIEVER, checkpoint={}, options=said)
    silent = replace(RETRIEVER, checkpoint={"captioner": "none"}, options={"transductive": False})
    lines = table(ResultStore(tmp_path), [{"retriever": lent}, {"retriever": silent}])
    assert "toy: test items captioned by neighbours" in lines
    assert "toy (captioner=none): test items not captioned" in lines


def test_what_was_left_out_is_told_once_a_reason() -> None:
    skipped = [Skipped(one, "clip", "Name its weights.") for one in ("msvd", "clotho")]
    lost = [Skipped("mscoco", "", "3 files cannot be used.")]
    assert printed(terminal.left_out(grouped([*skipped, *lost]), in_short=False)) == [
        "Left out: clip on msvd, clotho. Name its weights.",
        "Failed: mscoco. 3 files cannot be used.",
    ]


def test_of_many_that_nobody_named_the_names_are_enough() -> None:
    skipped = [
        Skipped(dataset, name, f"Name the weights of {name}.")
        for name in ("clip", "clap")
        for dataset in ("mscoco", "clotho")
    ]
    narrow = [Skipped("clotho", "grace-atomic", "It ranks image alone.")]
    words = " ".join(printed(terminal.left_out(grouped([*skipped, *narrow]), in_short=True)))
    assert "Left out: clip, clap. What each needs:" in words
    assert "Left out: grace-atomic on clotho. It ranks image alone." in words
    assert "Name the weights" not in words
