"""The towers that open_clip runs, against OpenAI's and Apple's sources and its own loading."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn

from datasets.base import Item
from retrievers.base import Settings
from retrievers.encoders import clip
from retrievers.encoders.clip import Towers
from retrievers.encoders.openclip_models import empty_network, open_clip
from retrievers.encoders.openclip_tokens import byte_vocabulary, siglip2_tokens
from retrievers.encoders.towers import Placement, unit
from retrievers.pretrained import PretrainedAdapter
from retrievers.weights.releases import locate
from tests.parity import goldens
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import seeded_state, shapes_of
from tests.rankings import scores_by_row

TEXTS = (
    "A photo of a tabby cat, asleep!",
    "two   dogs &amp; a ball",
    "",
    "a man with an umbrella walks past a very long row of shops " * 10,
)
COMPARED = "embeddings and scores of 2 pictures (37x53, 61x40) and 4 texts, prepared pixels"


@dataclass(frozen=True)
class Case:
    """A system at a small size.

    file  what its weights are called: the ending tells the form
    """

    adapter: PretrainedAdapter
    towers: Towers
    file: str = "open_clip_model.safetensors"


CASES = {
    "clip": Case(clip.CLIP, clip.CLIP_TINY),
    "openclip": Case(clip.OPENCLIP, clip.OPENCLIP_TINY),
    "mobileclip": Case(clip.MOBILECLIP, clip.MOBILECLIP_TINY, "mobileclip_b.pt"),
    "mobileclip2": Case(clip.MOBILECLIP2, clip.MOBILECLIP2_TINY),
    "siglip2": Case(clip.SIGLIP2, replace(clip.SIGLIP2_TINY, tokens=siglip2_tokens)),
}


def pictures() -> list[Item]:
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in ((5, 7), (9, 6))]
    sizes = ((53, 37), (40, 61))
    made = [Image.fromarray(one).resize(size) for one, size in zip(coarse, sizes, strict=True)]
    return [Item(str(row), "image", np.asarray(one)) for row, one in enumerate(made)]


def write(case: Case, state: Mapping[str, Tensor], folder: Path) -> Path:
    """A release of these weights; its tokenizer is of bytes. Returns what names it."""
    byte_vocabulary().save(str(folder / "tokenizer.json"))
    path = folder / case.file
    if path.suffix == ".safetensors":
        save_file({name: one.contiguous() for name, one in state.items()}, path)
        return folder
    torch.save(dict(state), path)
    return path


def ours(case: Case, source: Path, cache: Path) -> dict[str, FloatArray]:
    """What the adapter makes of a release: vectors of its towers, and scores of its search."""
    release = case.adapter.release
    items, texts = clip.open_towers(
        case.towers, locate(str(source), release), "parity", Placement("cpu")
    )
    small = replace(case.adapter, open=partial(clip.open_system, case.towers, release))
    settings = Settings(seed=0, device="cpu", cache=cache, checkpoint={"model": str(source)})
    retriever = small.build(settings)
    retriever.index(pictures())
    return {
        "pixels": np.stack([one.numpy() for one in case.towers.recipe.pictures(pictures())]),
        "images": unit(items.encode(pictures())),
        "texts": unit(texts.encode(TEXTS)),
        "scores": scores_by_row(retriever.search(TEXTS, len(pictures()))),
    }


def theirs(
    model: Any, prepare: Callable[[Image.Image], Tensor], tokens: Tensor
) -> dict[str, FloatArray]:
    """The same of an upstream model with CLIP's two methods."""
    images = [Image.fromarray(np.asarray(item.media)) for item in pictures()]
    pixels = torch.stack([prepare(image) for image in images])
    model.eval()
    with torch.no_grad():
        vectors = unit(model.encode_image(pixels).numpy())
        words = unit(model.encode_text(tokens).numpy())
    return {
        "pixels": pixels.numpy(),
        "images": vectors,
        "texts": words,
        "scores": words @ vectors.T,
    }


@pytest.mark.parametrize("name", CASES)
def test_equals_what_upstream_gave(name: str, tmp_path: Path) -> None:
    golden = goldens.read(name)
    source = write(CASES[name], seeded_state(golden.shapes), tmp_path)
    goldens.assert_close(ours(CASES[name], source, tmp_path / "cache"), golden)


@pytest.mark.parity
def test_clip_equals_openais(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(goldens.upstream_source("CLIP")))
    open_clip()
    package = importlib.import_module("clip.clip")
    networks = importlib.import_module("clip.model")
    model = networks.CLIP(
        embed_dim=24,
        image_resolution=32,
        vision_layers=2,
        vision_width=64,
        vision_patch_size=8,
        context_length=77,
        vocab_size=49408,
        transformer_width=16,
        transformer_heads=2,
        transformer_layers=2,
    )
    # The class makes heads of 64 channels; ours are smaller, so that there are two.
    model.visual = networks.VisionTransformer(32, 8, 32, layers=2, heads=2, output_dim=24)
    model.load_state_dict(seeded_state(shapes_of(model.state_dict())))
    tokens = package.tokenize(list(TEXTS), truncate=True)
    expected = theirs(model, package._transform(32), tokens)
    conclude("clip", ("openai/CLIP", "d05afc4"), model, expected, tmp_path)


@pytest.mark.parity
def test_mobileclip_equals_apples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(goldens.upstream_source("ml-mobileclip")))
    open_clip()
    package = importlib.import_module("mobileclip")
    vit = importlib.import_module("mobileclip.models.vit").VisionTransformer
    sizes = {"embed_dim": 32, "n_transformer_layers": 2, "n_attn_heads": 2}
    monkeypatch.setattr(
        "mobileclip.image_encoder.create_model",
        lambda name, projection_dim: vit(
            {"norm_layer": "layer_norm_fp32", "act_layer": "gelu", **sizes},
            projection_dim=projection_dim,
        ),
    )
    text = {
        "context_length": 77,
        "vocab_size": 49408,
        "dim": 16,
        "ffn_multiplier_per_layer": 4.0,
        "n_heads_per_layer": 2,
        "n_transformer_layers": 2,
        "norm_layer": "layer_norm_fp32",
        "causal_masking": True,
        "model_name": "base",
    }
    model = package.CLIP({"embed_dim": 24, "image_cfg": {"model_name": "small"}, "text_cfg": text})
    model.load_state_dict(seeded_state(shapes_of(model.state_dict())))
    with torch.device("meta"):
        _, _, prepare = package.create_model_and_transforms(
            "mobileclip_b", reparameterize=False, device="meta"
        )
    tokens = package.get_tokenizer("mobileclip_b")(list(TEXTS))
    expected = theirs(package.reparameterize_model(model.eval()), prepare, tokens)
    conclude("mobileclip", ("apple/ml-mobileclip", "4144bb1"), model, expected, tmp_path)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "tag"),
    [("openclip", "laion2b_s34b_b79k"), ("mobileclip2", "dfndr2b"), ("siglip2", "webli")],
)
def test_equals_open_clips_own_loading(name: str, tag: str, tmp_path: Path) -> None:
    """From a folder as open_clip writes a release, prepared as for the released weights."""
    package, case = open_clip(), CASES[name]
    architecture = str(case.adapter.options["model"])
    released = package.get_model_config(architecture)["text_cfg"]
    config = dict(case.towers.config())
    of_tokenizer = {key: value for key, value in released.items() if "tokenizer" in key}
    config["text_cfg"] = {**config["text_cfg"], **of_tokenizer}
    folder = tmp_path / "release"
    folder.mkdir()
    how = package.get_pretrained_cfg(architecture, tag)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": how})
    )
    network = empty_network(case.towers.config())
    write(case, seeded_state(shapes_of(network.state_dict())), folder)
    transformers_tokenizer().save_pretrained(folder)
    model, _, prepare = package.create_model_and_transforms(f"local-dir:{folder}")
    tokens = package.get_tokenizer(f"local-dir:{folder}")(list(TEXTS))
    expected = theirs(model, prepare, tokens)
    upstream = ("mlfoundations/open_clip", package.__version__)
    conclude(name, upstream, network, expected, tmp_path)


def transformers_tokenizer() -> Any:
    """The vocabulary of bytes as ``transformers`` wraps that of SigLIP 2."""
    import transformers

    tokenizer = byte_vocabulary()
    end = tokenizer.token_to_id("<eos>")
    tokenizer.post_processor = TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", end)]
    )
    names = {"pad_token": "<pad>", "eos_token": "<eos>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def conclude(
    name: str,
    upstream: tuple[str, str],
    network: nn.Module,
    expected: Mapping[str, FloatArray],
    tmp_path: Path,
) -> None:
    """Compare with what our towers make of the same seeded weights."""
    shapes = shapes_of(network.state_dict())
    source = write(CASES[name], seeded_state(shapes), tmp_path)
    found = ours(CASES[name], source, tmp_path / "cache")
    goldens.conclude(
        Golden(
            system=name,
            upstream=upstream[0],
            version=upstream[1],
            compared=COMPARED,
            difference=goldens.largest_difference(found, expected),
            shapes=shapes,
            numbers=goldens.kept(expected),
        )
    )
