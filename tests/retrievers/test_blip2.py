"""BLIP-2: its weights in every layout, read whole or refused, and what its scorer keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from datasets.base import Item
from retrievers.base import Precision, Ranking, Settings, WeightsAbsent
from retrievers.scorers.blip2 import BLIP2, caption
from retrievers.scorers.blip2_network import hub_layout
from retrievers.scorers.item_features import ItemFeatures, TensorFolder
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.blip2_small import write_sizes_and_words
from tests.parity.seeded import seeded_state
from tests.rankings import scores_by_row
from tests.retrievers.toys import items

State = dict[str, Tensor]
TEXTS = ["a cat", "two dogs on grass", "red", ""]


def gallery() -> list[Item]:
    rng = np.random.default_rng(3)
    return [
        Item(f"{row}", "image", rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        for row in range(5)
    ]


def lavis_state() -> State:
    return seeded_state(goldens.read("blip2").shapes)


def write(folder: Path, state: State, in_lavis: bool = True) -> Path:
    """A release at the small size, in one of both layouts."""
    folder.mkdir(exist_ok=True)
    write_sizes_and_words(folder)
    path = folder / ("blip2.pth" if in_lavis else "model.safetensors")
    if in_lavis:
        torch.save({"model": state, "epoch": 3}, path)
    else:
        save_file(hub_layout(state), path)
    return path


def settings(source: Path, **more: Any) -> Settings:
    return Settings(0, "cpu", source.parent / "cache", {"model": str(source)}, **more)


def answers(source: Path, **more: Any) -> Ranking:
    retriever = BLIP2.build(settings(source, **more))
    retriever.index(gallery())
    return retriever.search(TEXTS, 5)


def test_both_layouts_of_the_weights_answer_alike(tmp_path: Path) -> None:
    in_lavis = answers(write(tmp_path / "lavis", lavis_state()))
    on_the_hub = answers(write(tmp_path / "hub", lavis_state(), in_lavis=False).parent)
    np.testing.assert_array_equal(in_lavis.ids, on_the_hub.ids)
    np.testing.assert_array_equal(in_lavis.scores, on_the_hub.scores)
    pickled = write(tmp_path / "pickled", lavis_state()).rename(tmp_path / "pickled/unused.pth")
    torch.save(hub_layout(lavis_state()), pickled.with_name("pytorch_model.bin"))
    np.testing.assert_array_equal(answers(pickled.parent).scores, in_lavis.scores)


def test_a_frozen_vision_tower_is_read_from_its_own_file(tmp_path: Path) -> None:
    whole = lavis_state()
    expected = answers(write(tmp_path / "whole", whole))
    apart = {name: one for name, one in whole.items() if not name.startswith("visual_encoder.")}
    source = write(tmp_path / "apart", apart)
    with pytest.raises(CheckpointError, match=r"put eva_vit_g\.pth"):
        BLIP2.build(settings(source))
    tower = {
        name.removeprefix("visual_encoder."): one
        for name, one in whole.items()
        if name.startswith("visual_encoder.")
    }
    # The file holds a block and a norm more than BLIP-2 uses.
    tower |= {"blocks.2.norm1.weight": torch.ones(24), "norm.weight": torch.ones(24)}
    torch.save(tower, source.parent / "eva_vit_g.pth")
    np.testing.assert_array_equal(answers(source).scores, expected.scores)


def without(name: str) -> Callable[[State], State]:
    return lambda state: {key: one for key, one in state.items() if key != name}


def with_one(name: str, tensor: Tensor) -> Callable[[State], State]:
    return lambda state: {**state, name: tensor}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("itm_head.bias"), r"1 \(itm_head.bias\) missing"),
        (without("visual_encoder.blocks.1.attn.v_bias"), r"qkv.bias\) missing"),
        (with_one("visual_encoder.norm.weight", torch.ones(24)), "1 .* not used"),
        (with_one("text_proj.bias", torch.ones(13)), r"1 \(text_projection.bias\) of another"),
    ],
)
@pytest.mark.parametrize("in_lavis", [True, False])
def test_weights_that_are_not_whole_are_refused(
    tmp_path: Path, change: Callable[[State], State], reason: str, in_lavis: bool
) -> None:
    source = write(tmp_path, change(lavis_state()), in_lavis)
    with pytest.raises(CheckpointError, match=reason):
        BLIP2.build(settings(source))


def test_a_vocabulary_of_another_model_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path, lavis_state())
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("more\nwords\n")
    with pytest.raises(CheckpointError, match="34 tokens"):
        BLIP2.build(settings(source))
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(CheckpointError, match=r"neither vocab\.txt nor"):
        BLIP2.build(settings(source))


@pytest.mark.parametrize("broken", ["{", "[]", '{"vision_config": {"hidden_size": "wide"}}'])
def test_a_broken_configuration_is_refused(tmp_path: Path, broken: str) -> None:
    source = write(tmp_path, lavis_state())
    (tmp_path / "config.json").write_text(broken)
    with pytest.raises(CheckpointError):
        BLIP2.build(settings(source))


def test_a_folder_without_weights_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(WeightsAbsent, match=r"model\*\.safetensors"):
        BLIP2.build(settings(tmp_path))
    assert "blip2=default" in BLIP2.availability(Settings(0, "cpu", tmp_path)).sentence


def test_the_row_tells_its_pictures_and_its_depth(tmp_path: Path) -> None:
    source = write(tmp_path, lavis_state())
    published = BLIP2.describe(settings(source)).options
    assert (published["picture"], published["depth"]) == ("42 px, squash, bicubic", 128)
    assert BLIP2.describe(settings(source, depth="all")).options["depth"] == "all"
    assert BLIP2.describe(settings(source, depth=2)).options["depth"] == 2


def test_without_a_configuration_the_weights_tell_how_large_pictures_are(tmp_path: Path) -> None:
    source = write(tmp_path, lavis_state())
    (tmp_path / "config.json").unlink()
    assert str(BLIP2.describe(settings(source)).options["picture"]).startswith("42 px")
    write(tmp_path, without("visual_encoder.pos_embed")(lavis_state()))
    (tmp_path / "config.json").unlink()
    assert str(BLIP2.describe(settings(source)).options["picture"]).startswith("224 px")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_half_precision_is_near_the_full_one(tmp_path: Path, precision: Precision) -> None:
    source = write(tmp_path, lavis_state())
    full = scores_by_row(answers(source))
    half = scores_by_row(answers(source, precision=precision))
    np.testing.assert_allclose(half, full, atol=0.06)
    assert not np.array_equal(half, full)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ('A "Cat": on (the) mat!!', "a cat on the mat"),
        ("  two\t\tdogs ~ # ; \n", "two dogs"),
        ("it's 3-4, ok?", "it's 3-4, ok?"),
        ("...", ""),
        ("word " * 60, " ".join(["word"] * 50)),
    ],
)
def test_captions_are_prepared_as_published(text: str, prepared: str) -> None:
    assert caption(text) == prepared


def test_half_of_a_surrogate_pair_is_no_obstacle() -> None:
    retriever = BLIP2.tiny(0)
    retriever.index(gallery())
    assert (retriever.search(["\ud83d cat"], 5).ids >= 0).all()


def test_a_pair_has_one_score_in_both_directions() -> None:
    retriever: Any = BLIP2.tiny(0)
    retriever.index(gallery()[:3])
    retriever.index_texts(TEXTS)
    there, back = retriever.search(TEXTS, 3), retriever.search_texts(gallery()[:3], 4)
    forward, reverse = np.zeros((4, 3)), np.zeros((3, 4))
    np.put_along_axis(forward, there.ids, there.scores, axis=1)
    np.put_along_axis(reverse, back.ids, back.scores, axis=1)
    np.testing.assert_allclose(forward, reverse.T, atol=1e-5)


def test_pictures_are_encoded_once_and_kept_on_disk(tmp_path: Path) -> None:
    encoded: list[str] = []

    def encode(things: object) -> Tensor:
        ids = [item.id for item in things]  # type: ignore[attr-defined]
        encoded.extend(ids)
        return torch.tensor([[float(name[5:])] * 3 for name in ids], dtype=torch.bfloat16)

    def kept() -> ItemFeatures:
        return ItemFeatures(encode, TensorFolder(tmp_path), "encoding", batch=2)

    first = kept()
    first.keep(items(1, 2, 3))
    second = kept()
    keys = second.keep(items(3, 4, 1, 3))
    assert encoded == ["item-1", "item-2", "item-3", "item-4"]
    found = second.read(keys)
    assert found.dtype == torch.bfloat16
    assert found[:, 0].tolist() == [3, 4, 1, 3]
    assert not list(tmp_path.rglob("*.part"))
