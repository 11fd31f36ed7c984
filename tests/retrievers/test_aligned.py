"""The aligned towers: small ones written to disk, and real ones on real photos."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.base import Item, Pairs
from retrievers.base import RetrieverSpec, Settings, WeightsAbsent
from retrievers.encoders.aligned import AlignedAdapter, AlignedEncoder
from retrievers.encoders.frozen_towers import (
    check_tokenizer,
    open_image_tower,
    open_text_tower,
    pool,
)
from retrievers.encoders.random_towers import random_image_tower, random_text_tower
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.report import CheckpointError

TEXTS = ["a cat", "", "a much longer text about two dogs and a boat", "é 🚤"]


def noise(count: int, seed: int = 0) -> tuple[Item, ...]:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (count, 40, 48, 3), dtype=np.uint8)
    return tuple(Item(f"{seed}-{row}", "image", one) for row, one in enumerate(pictures))


def pairs(count: int, seed: int = 0) -> Pairs:
    rows = tuple(range(count))
    return Pairs(noise(count, seed), tuple(f"picture {row}" for row in rows), rows)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A small image tower and a small text tower as a user would have them, in folders."""
    root = tmp_path_factory.mktemp("towers")
    for role, tower in (("image", random_image_tower(1)), ("text", random_text_tower(1))):
        for part in vars(tower).values():
            if hasattr(part, "save_pretrained"):
                part.save_pretrained(root / role)
    return {role: str(root / role) for role in ("image", "text")}


def settings(cache: Path, checkpoint: dict[str, str]) -> Settings:
    return Settings(seed=0, device="cpu", cache=cache, checkpoint=checkpoint)


def changed(folder: str, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a checkpoint whose weights were changed."""
    from safetensors.torch import load_file, save_file

    to.mkdir()
    for path in Path(folder).iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    weights = load_file(to / "model.safetensors")
    change(weights)
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


def test_what_is_read_from_disk_encodes_as_what_was_written(towers: dict[str, str]) -> None:
    items = noise(5)
    np.testing.assert_allclose(
        open_image_tower(towers["image"], "cpu").encode(items),
        random_image_tower(1).encode(items),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        open_text_tower(towers["text"], "cpu").encode(TEXTS),
        random_text_tower(1).encode(TEXTS),
        atol=1e-5,
    )


def test_the_retriever_ranks_after_it_is_fitted(towers: dict[str, str], tmp_path: Path) -> None:
    retriever = AlignedAdapter().build(settings(tmp_path, towers))
    retriever.fit(pairs(20), pairs(5, seed=1))
    retriever.index(noise(6, seed=2))
    ranking = retriever.search(TEXTS, 6)
    assert (np.sort(ranking.ids, axis=1) == np.arange(6)).all()
    assert set(retriever.spec.revision) == {"image", "text"}
    assert retriever.spec.weights == "pretrained"


def test_items_and_captions_are_kept_and_queries_are_not(
    towers: dict[str, str], tmp_path: Path
) -> None:
    encoder = AlignedEncoder.from_settings(settings(tmp_path, towers))
    encoder.fit(pairs(20), pairs(5, seed=1))
    encoder.encode_items(noise(3, seed=2))
    kept = sorted(path.parent.name[:5] for path in tmp_path.rglob("*.safetensors"))
    encoder.encode_texts(["a query"])
    again = sorted(path.parent.name[:5] for path in tmp_path.rglob("*.safetensors"))
    assert kept == again
    assert set(kept) == {"image", "text-"}


def test_vectors_meet_the_contract_of_an_encoder(towers: dict[str, str], tmp_path: Path) -> None:
    encoder = AlignedEncoder.from_settings(settings(tmp_path, towers))
    unfitted = encoder.fingerprint
    with pytest.raises(ValueError, match="call fit first"):
        encoder.encode_texts(TEXTS)
    encoder.fit(pairs(20), Pairs.empty())
    assert encoder.fingerprint != unfitted
    for vectors in (encoder.encode_items(noise(7)), encoder.encode_texts(TEXTS)):
        assert vectors.shape[1] == encoder.dim
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode_items([]).shape == encoder.encode_texts([]).shape == (0, encoder.dim)


def test_a_map_is_not_loaded_under_other_towers(tmp_path: Path) -> None:
    one, other = (AlignedAdapter().tiny(seed) for seed in (0, 1))
    one.fit(pairs(12), Pairs.empty())
    one.index(noise(4))
    one.save(tmp_path)
    with pytest.raises(ValueError, match="another image tower"):
        other.load(tmp_path)


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has none to train on"):
        AlignedAdapter().tiny(0).fit(Pairs.empty(), Pairs.empty())


def test_absent_towers_are_a_state_with_a_sentence(tmp_path: Path) -> None:
    state = AlignedAdapter().availability(settings(tmp_path, {"image": "/no/such/tower"}))
    assert not state.ready
    assert "/no/such/tower" in state.sentence
    assert "--checkpoint text=" in state.sentence
    with pytest.raises(WeightsAbsent, match="--checkpoint image="):
        AlignedAdapter().describe(settings(tmp_path, {}))


def test_describing_reads_no_weights_into_memory_but_knows_their_content(
    towers: dict[str, str], tmp_path: Path
) -> None:
    def revision(image: str) -> RetrieverSpec:
        return AlignedAdapter().describe(settings(tmp_path, {**towers, "image": image}))

    copy = changed(towers["image"], tmp_path / "copy", lambda weights: None)
    other = changed(
        towers["image"], tmp_path / "other", lambda weights: next(iter(weights.values())).add_(1)
    )
    assert revision(towers["image"]).revision["text"] == revision(str(copy)).revision["text"]
    assert revision(str(other)).revision["image"] != revision(str(copy)).revision["image"]
    assert revision(str(other)).revision["text"] == revision(str(copy)).revision["text"]


def test_a_tower_with_a_weight_missing_is_refused(towers: dict[str, str], tmp_path: Path) -> None:
    def drop(weights: dict[str, Any]) -> None:
        del weights["visual_projection.weight"]

    broken = changed(towers["image"], tmp_path / "broken", drop)
    with pytest.raises(CheckpointError, match=r"visual_projection\.weight"):
        open_image_tower(str(broken), "cpu")


@pytest.mark.parametrize(("words", "special", "places"), [(5, 5, 100), (0, 0, 100), (101, 5, 100)])
def test_a_tokenizer_that_is_empty_or_of_another_model_is_refused(
    words: int, special: int, places: int
) -> None:
    with pytest.raises(CheckpointError, match="tokenizer"):
        check_tokenizer("tower", words, special, places)
    check_tokenizer("tower", 100, 5, 100)


@pytest.mark.parametrize("mode", ["mean", "cls", "max", "last"])
def test_pooling_is_that_of_a_loop(mode: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 5, 4, generator=generator)
    lengths = [5, 1, 3]
    mask = torch.tensor([[1] * length + [0] * (5 - length) for length in lengths])
    expected = {
        "mean": lambda tokens: tokens.mean(axis=0),
        "cls": lambda tokens: tokens[0],
        "max": lambda tokens: tokens.max(axis=0),
        "last": lambda tokens: tokens[-1],
    }[mode]
    found = pool(hidden, mask, mode).numpy()
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(found[row], expected(hidden[row, :length].numpy()), rtol=1e-6)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"modules.json": [{"type": "x.Transformer", "path": ""}]}, None),
        ({"modules.json": [{"type": "x.Dense", "path": "2_Dense"}]}, "type Dense"),
        (
            {
                "modules.json": [{"type": "x.Pooling", "path": "1_Pooling"}],
                "1_Pooling/config.json": {
                    "pooling_mode_cls_token": True,
                    "pooling_mode_mean_tokens": True,
                },
            },
            "2 of the poolings",
        ),
    ],
)
def test_the_sentence_encoders_own_pooling_is_followed_or_refused(
    towers: dict[str, str], tmp_path: Path, files: dict[str, Any], said: str | None
) -> None:
    folder = changed(towers["text"], tmp_path / "text", lambda weights: None)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    if said is None:
        assert open_text_tower(str(folder), "cpu").encode(["a"]).shape == (1, 16)
        return
    with pytest.raises(CheckpointError, match=said):
        open_text_tower(str(folder), "cpu")


def test_first_token_pooling_is_read_from_its_folder(
    towers: dict[str, str], tmp_path: Path
) -> None:
    folder = changed(towers["text"], tmp_path / "text", lambda weights: None)
    mean = open_text_tower(str(folder), "cpu").encode(TEXTS)
    (folder / "modules.json").write_text('[{"type": "x.Pooling", "path": "1_Pooling"}]')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert not np.allclose(open_text_tower(str(folder), "cpu").encode(TEXTS), mean)


def test_a_vision_model_without_pooling_weights_gives_its_first_token(tmp_path: Path) -> None:
    ensure_torchvision()
    import transformers

    config = transformers.ViTConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    model = transformers.ViTModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path)
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessor(size=size).save_pretrained(tmp_path)
    picture = np.full((32, 32, 3), 200, np.uint8)
    with torch.inference_mode():
        pixels = torch.full((1, 3, 32, 32), (200 / 255 - 0.5) / 0.5)
        first = model(pixel_values=pixels).last_hidden_state[:, 0].numpy()
    found = open_image_tower(str(tmp_path), "cpu").encode([Item("a", "image", picture)])
    np.testing.assert_allclose(found, first, atol=1e-5)


def environment(name: str) -> Path:
    folder = os.environ.get(name)
    if not folder:
        pytest.skip(f"{name} is not set")
    return Path(folder)


def captioned(photos: Path, seed: int, test: int, validation: int) -> tuple[Pairs, Pairs, Pairs]:
    """Train, validation and test pairs of a folder in COCO form, split by a seed."""
    listed = json.loads((photos / "captions.json").read_text())
    files = {image["id"]: Path(image["file_name"]).name for image in listed["images"]}
    captions = defaultdict(list)
    for annotation in listed["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"].strip())
    order = np.random.default_rng(seed).permutation(sorted(captions))
    parts = np.split(order, [test, test + validation])
    made = [
        Pairs(
            tuple(Item(str(one), "image", photos / "images" / files[one]) for one in part),
            tuple(caption for one in part for caption in captions[one]),
            tuple(row for row, one in enumerate(part) for _ in captions[one]),
        )
        for part in parts
    ]
    return made[2], made[1], made[0]


@pytest.mark.real_data
@pytest.mark.real_weights
def test_real_towers_find_real_photos(tmp_path: Path) -> None:
    """Held-out photos of MS-COCO: about 0.75 is measured, chance gives 0.02."""
    weights = environment("RETRIEVAL_TEST_WEIGHTS")
    photos = environment("RETRIEVAL_TEST_DATA") / "image_coco_mini"
    towers = {
        "image": str(weights / "clip-vit-b16-image"),
        "text": str(weights / "minilm"),
    }
    train, validation, test = captioned(photos, seed=0, test=47, validation=19)
    retriever = AlignedAdapter().build(settings(tmp_path, towers))
    retriever.fit(train, validation)
    retriever.index(test.items)
    ranking = retriever.search(test.captions, 10)
    found = ranking.ids == np.array(test.rows)[:, None]
    assert len(test.captions) == 235
    assert found[:, 0].mean() > 0.4
    assert found.any(axis=1).mean() > 0.9
