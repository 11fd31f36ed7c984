"""The towers that open_clip runs: what is refused, and that peers give the same vectors."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tokenizers import Tokenizer, models
from torch import Tensor, nn

from datasets.base import Item
from retrievers import registry
from retrievers.base import Precision, Settings, WeightsAbsent
from retrievers.conformance_data import QUERIES, STRANGE, items_of_noise
from retrievers.encoders import clip
from retrievers.encoders.clip import Towers
from retrievers.encoders.openclip_layouts import from_transformers
from retrievers.encoders.openclip_models import (
    empty_network,
    open_clip,
    random_network,
    released_config,
)
from retrievers.encoders.openclip_tokens import byte_vocabulary, clip_tokens, siglip2_tokens
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.towers import Placement, unit
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.releases import Located, locate
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import load_strictly, read_state
from tests.parity.seeded import seeded_state, shapes_of
from tests.rankings import scores_by_row

State = dict[str, Tensor]
SYSTEMS = {
    "clip": (clip.CLIP, clip.CLIP_TINY),
    "openclip": (clip.OPENCLIP, clip.OPENCLIP_TINY),
    "mobileclip": (clip.MOBILECLIP, clip.MOBILECLIP_TINY),
    "mobileclip2": (clip.MOBILECLIP2, clip.MOBILECLIP2_TINY),
    "siglip2": (clip.SIGLIP2, replace(clip.SIGLIP2_TINY, tokens=siglip2_tokens)),
}


def release(
    folder: Path, towers: Towers, change: Callable[[State], Any] = lambda state: None
) -> str:
    """A folder with random weights of these towers, changed."""
    state = dict(random_network(towers.config(), 0).state_dict())
    change(state)
    folder.mkdir(exist_ok=True)
    save_file(state, folder / "open_clip_model.safetensors")
    byte_vocabulary().save(str(folder / "tokenizer.json"))
    return str(folder)


def build(name: str, source: str, cache: Path, precision: Precision = "fp32") -> Any:
    adapter, towers = SYSTEMS[name]
    small = replace(adapter, open=partial(clip.open_system, towers, adapter.release))
    return small.build(Settings(0, "cpu", cache, {"model": source}, precision))


def test_the_entries_lead_to_these_adapters() -> None:
    assert all(registry.adapter(name) is adapter for name, (adapter, _) in SYSTEMS.items())


def drop(state: State) -> None:
    del state["visual.proj"]


def add(state: State) -> None:
    state["visual.more"] = torch.zeros(1)


def misfit(state: State) -> None:
    state["visual.proj"] = torch.zeros(5, 5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop, r"1 \(visual\.proj\) missing"),
        (add, r"1 \(visual\.more\) not used"),
        (misfit, r"1 \(visual\.proj\) of another shape"),
    ],
)
def test_weights_that_do_not_fit_exactly_are_refused(
    tmp_path: Path, change: Callable[[State], Any], said: str
) -> None:
    source = release(tmp_path / "release", clip.CLIP_TINY, change)
    with pytest.raises(CheckpointError, match=said):
        build("clip", source, tmp_path)


@pytest.mark.parametrize("name", ["openclip", "mobileclip", "mobileclip2", "siglip2"])
def test_weights_of_another_system_are_refused(name: str, tmp_path: Path) -> None:
    other = "mobileclip2" if name == "siglip2" else "siglip2"
    source = release(tmp_path / "release", SYSTEMS[other][1])
    with pytest.raises(CheckpointError, match="not a checkpoint of this model"):
        build(name, source, tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "told"),
    [
        ("clip", "open_clip_config.json", {"model_cfg": {"embed_dim": 24}}),
        ("openclip", "open_clip_config.json", {"model_cfg": {"quick_gelu": True}}),
        ("clip", "config.json", {"vision_config": {"hidden_act": "gelu"}}),
    ],
)
def test_weights_trained_with_another_activation_are_refused(
    name: str, file: str, told: dict[str, Any], tmp_path: Path
) -> None:
    """They would fit: nothing but the vectors would be wrong."""
    source = release(tmp_path / "release", SYSTEMS[name][1])
    build(name, source, tmp_path)
    (tmp_path / "release" / file).write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="it is of another system"):
        build(name, source, tmp_path)


@pytest.mark.parametrize("precision", [one for one in get_args(Precision) if one != "fp32"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_shorter_numbers_give_nearly_the_same_scores(
    name: str, precision: Precision, tmp_path: Path
) -> None:
    source = release(tmp_path / "release", SYSTEMS[name][1])
    scores = []
    for numbers in ("fp32", precision):
        retriever = build(name, source, tmp_path / "cache", numbers)
        retriever.index(items_of_noise("image", 4))
        scores.append(scores_by_row(retriever.search(QUERIES, 4)))
    difference = np.abs(scores[0] - scores[1]).max()
    assert 0 < difference < 0.03


def test_a_text_is_cut_behind_what_the_model_reads() -> None:
    retriever = clip.CLIP.tiny(0)
    retriever.index(items_of_noise("image", 3))
    whole, cut, shorter = (retriever.search(["dog " * count], 3).scores for count in (500, 75, 74))
    np.testing.assert_array_equal(whole, cut)
    assert not np.array_equal(cut, shorter)


@pytest.mark.parametrize("length", [77, 32])
def test_token_numbers_are_those_of_open_clip(length: int) -> None:
    long = [
        "a &amp;amp; b's cafe\u0301 " * 30,
        "x" * 76,
        "dog " * 76,
        "dog " * 75,
        "<end_of_text> a",
    ]
    texts = [*QUERIES, *STRANGE, *long, "", "\ud800"]
    found = torch.stack(list(clip_tokens(length)(texts)))
    assert torch.equal(found, open_clip().tokenize(texts, length))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(min_codepoint=9, max_codepoint=127), max_size=60))
def test_plain_texts_are_split_as_open_clip_splits_them(text: str) -> None:
    found = torch.stack(list(clip_tokens()([text])))
    assert torch.equal(found, open_clip().tokenize([text]))


def test_a_hostile_word_is_cut_before_it_is_split() -> None:
    letters = "".join(np.random.default_rng(0).choice(list("abcdefghijklmnop"), 200_000))
    whole, cut = clip_tokens()([letters, letters[:1024]])
    assert torch.equal(whole, cut)


def test_the_weights_of_transformers_give_what_transformers_gives(tmp_path: Path) -> None:
    ensure_torchvision()
    import transformers

    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": "quick_gelu"}
    config = transformers.CLIPConfig(
        text_config={
            **sizes,
            "vocab_size": 49408,
            "hidden_size": 16,
            "intermediate_size": 64,
            "eos_token_id": 49407,
        },
        vision_config={
            **sizes,
            "hidden_size": 32,
            "intermediate_size": 128,
            "image_size": 32,
            "patch_size": 8,
        },
        projection_dim=24,
    )
    theirs = transformers.CLIPModel(config).eval()
    state = seeded_state(shapes_of(theirs.state_dict()))
    theirs.load_state_dict(state)
    # As releases of an older form hold it.
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(state, tmp_path / "model.safetensors")
    located = locate(str(tmp_path / "model.safetensors"), clip.CLIP.release)
    assert_same_vectors(theirs, clip.CLIP_TINY, located)


def test_siglip2_gives_what_transformers_gives(tmp_path: Path) -> None:
    """Given the exact GELU in its image network, which is how open_clip runs it."""
    ensure_torchvision()
    import transformers

    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.SiglipConfig(
        text_config={
            **layers,
            "vocab_size": 258,
            "hidden_size": 16,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "projection_size": 32,
            "bos_token_id": None,
            "eos_token_id": 1,
        },
        vision_config={
            **layers,
            "hidden_size": 32,
            "intermediate_size": 128,
            "image_size": 32,
            "patch_size": 8,
            "hidden_act": "gelu",
        },
    )
    towers = SYSTEMS["siglip2"][1]
    state = seeded_state(shapes_of(empty_network(towers.config()).state_dict()))
    source = release(tmp_path / "release", towers, lambda state_: state_.update(state))
    theirs = transformers.SiglipModel(config).eval()
    theirs.load_state_dict(siglip_of_transformers(state))
    assert_same_vectors(theirs, towers, locate(source, clip.SIGLIP2.release))


def assert_same_vectors(theirs: Any, towers: Towers, located: Located) -> None:
    """Of the same prepared pictures and token numbers."""
    items = items_of_noise("image", 3)
    pixels = torch.stack(list(towers.recipe.pictures(items)))
    tokens = torch.stack(list(towers.tokens(located.folder, towers.config()["text_cfg"])(QUERIES)))
    with torch.no_grad():
        expected = theirs(input_ids=tokens, pixel_values=pixels)
    images, texts = clip.open_towers(towers, located, "test", Placement("cpu"))
    np.testing.assert_allclose(
        unit(images.encode(items)), expected.image_embeds.numpy(), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(
        unit(texts.encode(QUERIES)), expected.text_embeds.numpy(), rtol=0, atol=1e-5
    )


_SIGLIP = (
    ("visual.trunk.blocks.", "vision_model.encoder.layers."),
    ("visual.trunk.patch_embed.proj.", "vision_model.embeddings.patch_embedding."),
    ("visual.trunk.pos_embed", "vision_model.embeddings.position_embedding.weight"),
    ("visual.trunk.norm.", "vision_model.post_layernorm."),
    ("visual.trunk.attn_pool.latent", "vision_model.head.probe"),
    ("visual.trunk.attn_pool.proj.", "vision_model.head.attention.out_proj."),
    ("visual.trunk.attn_pool.in_proj_", "vision_model.head.attention.in_proj_"),
    ("visual.trunk.attn_pool.norm.", "vision_model.head.layernorm."),
    ("visual.trunk.attn_pool.mlp.", "vision_model.head.mlp."),
    ("text.transformer.resblocks.", "text_model.encoder.layers."),
    ("text.token_embedding.", "text_model.embeddings.token_embedding."),
    ("text.positional_embedding", "text_model.embeddings.position_embedding.weight"),
    ("text.ln_final.", "text_model.final_layer_norm."),
    ("text.text_projection.", "text_model.head."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    (".ln_1.", ".layer_norm1."),
    (".ln_2.", ".layer_norm2."),
    (".attn.proj.", ".self_attn.out_proj."),
    (".attn.out_proj.", ".self_attn.out_proj."),
    (".mlp.c_fc.", ".mlp.fc1."),
    (".mlp.c_proj.", ".mlp.fc2."),
)


def siglip_of_transformers(state: State) -> State:
    """SigLIP 2 in open_clip's names, in those of ``transformers``."""
    found: State = {}
    for name, tensor in state.items():
        joined = name.replace(".attn.qkv.", ".attn.in_proj_")
        if ".attn.in_proj_" in joined:
            for part, one in zip("qkv", tensor.chunk(3), strict=True):
                found[joined.replace(".attn.in_proj_", f".self_attn.{part}_proj.")] = one
        elif ".attn_pool.kv." in name:
            query = state[name.replace(".kv.", ".q.")]
            found[name.replace(".kv.", ".in_proj_")] = torch.cat([query, tensor])
        elif ".attn_pool.q." not in name:
            found[name] = tensor
    renamed = {}
    for name, tensor in found.items():
        for ours, theirs in _SIGLIP:
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    renamed["vision_model.embeddings.position_embedding.weight"].squeeze_(0)
    return {name: one.reshape(1) if "logit" in name else one for name, one in renamed.items()}


def test_texts_of_siglip2_are_cleaned_ended_and_padded(tmp_path: Path) -> None:
    byte_vocabulary().save(str(tmp_path / "tokenizer.json"))
    tokens = siglip2_tokens(tmp_path, {"vocab_size": 258, "context_length": 16})
    number = byte_vocabulary().token_to_id
    # A space is Ġ among the bytes of a tokenizer.
    letters = [number(one) for one in "hiĠtwoĠdogs"]
    end, pad = number("<eos>"), number("<pad>")
    short, long = tokens(["  Hi, two_DOGS! ", "x" * 500])
    assert short.tolist() == [*letters, end, *[pad] * 4]
    assert long.tolist() == [*[number("x")] * 15, end]


def empty() -> Tokenizer:
    return Tokenizer(models.BPE(vocab={}, merges=[]))


def without_end() -> Tokenizer:
    return Tokenizer(models.BPE(vocab={"<pad>": 0, "a": 1}, merges=[]))


@pytest.mark.parametrize(
    ("made", "places", "said"),
    [
        (empty, 258, "tokenizer is empty"),
        (without_end, 258, "no <eos>"),
        (byte_vocabulary, 100, "not of the same model"),
    ],
)
def test_a_tokenizer_that_is_not_siglip2s_is_refused(
    tmp_path: Path, made: Callable[[], Tokenizer], places: int, said: str
) -> None:
    made().save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=said):
        siglip2_tokens(tmp_path, {"vocab_size": places, "context_length": 16})


def test_a_release_of_siglip2_without_a_tokenizer_is_not_used(tmp_path: Path) -> None:
    source = Path(release(tmp_path / "release", SYSTEMS["siglip2"][1]))
    (source / "tokenizer.json").write_text("[]")
    with pytest.raises(CheckpointError, match="cannot be read as a tokenizer"):
        build("siglip2", str(source), tmp_path)
    (source / "tokenizer.json").unlink()
    with pytest.raises(WeightsAbsent, match=r"tokenizer\.json"):
        build("siglip2", str(source), tmp_path)


def environment(name: str) -> Path:
    folder = os.environ.get(name)
    if not folder:
        pytest.skip(f"{name} is not set")
    return Path(folder)


@pytest.mark.real_data
@pytest.mark.real_weights
def test_real_weights_give_the_vectors_that_others_published(tmp_path: Path) -> None:
    """CLIP ViT-B/16 of 16 photos of MS-COCO, as Liang et al. (2022) kept them with 484 others."""
    data = environment("RETRIEVAL_TEST_DATA")
    weights = environment("RETRIEVAL_TEST_WEIGHTS") / "clip-vit-b16-image" / "model.safetensors"
    published = data / "features_modality_gap"
    with (published / "features_clip_pairs_DERIVED.csv").open(newline="") as file:
        row_of = {line["file_name"]: int(line["row"]) for line in csv.DictReader(file)}
    photos = sorted(
        path for path in (data / "image_coco_mini" / "images").iterdir() if path.name in row_of
    )
    items = [Item(path.name, "image", path) for path in photos]
    visual = visual_tower(weights)
    with torch.inference_mode():
        found = unit(visual(torch.stack(list(PictureRecipe(224).pictures(items)))).numpy())
    cosines = found @ np.load(published / "features_clip.npy")[0].T
    rows = np.array([row_of[path.name] for path in photos])
    assert len(photos) == 16
    assert cosines[np.arange(16), rows].min() > 0.999
    np.testing.assert_array_equal(cosines.argmax(axis=1), rows)


def visual_tower(weights: Path) -> nn.Module:
    """open_clip's ViT-B/16 with the image tower of a CLIP of transformers."""
    network = empty_network(released_config("ViT-B-16-quickgelu"))
    visual = network.get_submodule("visual")
    state = from_transformers(read_state([weights]))
    load_strictly(
        visual, {name.removeprefix("visual."): one for name, one in state.items()}, str(weights)
    )
    return visual.float().eval()
