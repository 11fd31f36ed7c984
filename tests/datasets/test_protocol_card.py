"""Protocol cards, and the name that a dataset earns."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets import protocol_card, registry
from datasets.base import DatasetError
from datasets.protocol_card import Counts, Protocol, achieved

PROTOCOL = Protocol(
    name="karpathy-5k",
    family="karpathy",
    splits={
        "train": Counts(items=100, captions=500),
        "validation": Counts(items=50),
        "test": Counts(items=5000, captions=25010, queries=25000),
    },
)
WHOLE = {
    "train": Counts(100, 500),
    "validation": Counts(50, 250),
    "test": Counts(5000, 25010, 25000),
}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "karpathy-5k"),
        ({"test": Counts(5000, 25000, 25000)}, "karpathy-5k"),
        ({"test": Counts(4990, 24960, 24950)}, "karpathy-4990of5000"),
        ({"test": Counts(5001, 25015, 25005)}, "karpathy-5001of5000"),
        ({"test": Counts(5000, 24999, 24999)}, "karpathy-5k-24999queries"),
        ({"train": Counts(0, 0)}, "karpathy-5k-train0of100"),
        ({"train": Counts(100, 499)}, "karpathy-5k-train499captions"),
        ({"validation": Counts(49, 1)}, "karpathy-5k-val49of50"),
        ({"validation": Counts(50, 1)}, "karpathy-5k"),
        (
            {"test": Counts(1, 5, 5), "train": Counts(2, 10)},
            "karpathy-1of5000-train2of100",
        ),
    ],
)
def test_name_says_what_was_found(changes: dict[str, Counts], name: str) -> None:
    earned, notes = achieved(PROTOCOL, {**WHOLE, **changes})
    assert earned == name
    assert bool(notes) == (name != "karpathy-5k")
    if notes:
        assert notes[-1] == f"The protocol is therefore named {name}, not karpathy-5k."


def test_a_gap_is_told_in_a_sentence() -> None:
    _, notes = achieved(PROTOCOL, {**WHOLE, "test": Counts(4990, 24960, 24950)})
    assert notes[0] == "The gallery holds 4,990 of the 5,000 items that its protocol states."


@pytest.mark.parametrize("name", registry.names())
def test_every_dataset_has_a_whole_card(name: str) -> None:
    card = registry.card(name)
    entry = registry.entry(name)
    assert card.name == name
    assert (card.modality, card.synthetic) == (entry.modality, entry.synthetic)
    assert all((card.title, card.relevance, card.source, card.licence, card.citation))
    for protocol in card.protocols:
        assert protocol.annotations and protocol.splits["test"].items


def test_published_counts() -> None:
    """The counts that the tables of the field are taken on."""
    flickr = registry.card("flickr30k:karpathy").protocols[0].splits
    assert [flickr[s].items for s in ("train", "validation", "test")] == [29000, 1014, 1000]
    assert flickr["test"].queries == 5000
    entities = registry.card("flickr30k:entities").protocols[0].splits
    assert [entities[s].items for s in ("train", "validation", "test")] == [29783, 1000, 1000]
    # Five captions for each of the 31,783 photos.
    assert sum(counts.captions or 0 for counts in entities.values()) == 5 * 31_783
    coco = registry.card("mscoco").protocols[0].splits
    assert [coco[s].items for s in ("train", "validation", "test")] == [113287, 5000, 5000]
    assert coco["test"].queries == 25000
    # All captions of COCO 2014, whose two official files hold 414,113 and 202,654.
    assert sum(counts.captions or 0 for counts in coco.values()) == 414_113 + 202_654


def test_three_protocols_ask_cocos_test_split() -> None:
    asked = {
        variant: registry.card(f"mscoco:{variant}").protocols[0]
        for variant in ("5k", "uncapped", "1k")
    }
    assert {variant: one.splits["test"].queries for variant, one in asked.items()} == {
        "5k": 25_000,
        "uncapped": 25_010,
        "1k": 25_000,
    }
    assert {variant: one.max_captions_per_item for variant, one in asked.items()} == {
        "5k": 5,
        "uncapped": None,
        "1k": 5,
    }
    assert {variant: one.folds for variant, one in asked.items()} == {
        "5k": 1,
        "uncapped": 1,
        "1k": 5,
    }
    assert len({one.name for one in asked.values()}) == 3
    assert len({one.family for one in asked.values()}) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[[protocols]]", "[protocols"), "not a protocol card"),
        (('licence = "L"', ""), "not a protocol card: .*licence"),
        (('licence = "L"', 'licence = "L"\nextra = 1'), "not a protocol card: .*extra"),
        (("[protocols.splits.test]", "[protocols.splits.dev]"), r"splits \['dev'\] are none of"),
        (('modality = "image"', 'modality = "smell"'), "unknown modality 'smell'"),
        (('title = "T"', 'title = "T"\nmedia_to_text = "all"'), "unknown rule 'all'"),
        (('title = "T"', 'title = "T"\nmissing_media = "kept"'), "missing_media is 'kept'"),
        (("[[protocols]]", "protocols = []\n[other]"), "not a protocol card|names no protocol"),
        (('family = "own"', 'family = "own"\nvariant = "first"'), "names a variant twice"),
    ],
)
def test_a_bad_card_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    text = CARD.replace(*change)
    assert text != CARD
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(DatasetError, match=said):
        protocol_card.read("own", tmp_path)


def test_a_card_is_read(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(CARD)
    card = protocol_card.read("own", tmp_path)
    assert card.folders == ("own",)
    assert (card.media_to_text, card.missing_media) == ("any caption", "refused")
    assert card.protocols == (
        Protocol(
            "own-2",
            "own",
            annotations=("a.json",),
            splits={"test": Counts(items=2, queries=10)},
        ),
        Protocol(
            "own-2-folds",
            "folds",
            variant="first",
            annotations=("a.json", "b.json"),
            forms=("a.json", "c.txt with b.json"),
            splits={"test": Counts(items=2)},
            folds=2,
            max_captions_per_item=5,
        ),
    )
    with pytest.raises(DatasetError, match="other has no protocol card"):
        protocol_card.read("other", tmp_path)


def test_a_variant_leaves_its_protocol_alone() -> None:
    card = protocol_card.parse(CARD, "own.toml")
    assert card.variants == ("first",)
    assert card.only("first").protocols == card.protocols[1:]
    assert card.only("first").title == card.title
    for unknown in ("second", "First", "own-2"):
        with pytest.raises(DatasetError, match=rf"no variant '{unknown}'. Variants: own:first\."):
            card.only(unknown)


def test_the_files_that_are_wanted_are_named_once() -> None:
    card = protocol_card.parse(CARD, "own.toml")
    assert card.wanted == "a.json or c.txt with b.json"
    assert protocol_card.parse(CARD.replace('"a.json"', '"d.json"', 1), "").wanted == (
        "d.json, a.json or c.txt with b.json"
    )


CARD = """
name = "own"
title = "T"
modality = "image"
synthetic = false
relevance = "R"
source = "S"
licence = "L"
citation = "C"
folders = ["own"]
media = ["images"]

[[protocols]]
name = "own-2"
family = "own"
annotations = ["a.json"]

[protocols.splits.test]
items = 2
queries = 10

[[protocols]]
name = "own-2-folds"
variant = "first"
family = "folds"
annotations = ["a.json", "b.json"]
forms = ["a.json", "c.txt with b.json"]
folds = 2
max_captions_per_item = 5

[protocols.splits.test]
items = 2
"""
