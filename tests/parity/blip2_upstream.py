"""LAVIS's own BLIP-2 with seeded weights: run as a program by an environment that it fits.

    python -m venv PEERS/lavis
    PEERS/lavis/bin/python -m pip install --no-deps salesforce-lavis==1.0.2 transformers==4.26.1 \
        tokenizers==0.13.3 huggingface_hub==0.16.4 timm==0.4.12 omegaconf==2.3.0 \
        antlr4-python3-runtime==4.9.3 iopath==0.1.10 portalocker opencv-python-headless

and what they need besides (torch, numpy, pandas, requests, ...): a .pth file in its site-packages
may name the folder of those of this project. Given a folder with ``config.json``, ``vocab.txt``,
``texts.json`` and ``pictures.npz``, it writes there the weights in LAVIS's layout and its answers.
"""

from __future__ import annotations

import collections.abc
import importlib
import json
import sys
import types
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from retrievers.torchvision_guard import ensure_torchvision
from tests.parity.seeded import seeded_state, shapes_of

_PACKAGES = (
    "lavis",
    "lavis.common",
    "lavis.models",
    "lavis.models.blip2_models",
    "lavis.models.blip_models",
    "lavis.processors",
)
_READ = "Qformer.bert.embeddings.word_embeddings.weight"
_WRITTEN = "Qformer.cls.predictions.decoder.weight"
_LOOKED_UP = (
    ("lavis.models", "base_model", "BaseModel"),
    ("lavis.processors", "base_processor", "BaseProcessor"),
)


def main(folder: Path, k_test: int) -> None:
    blip2, qformer, processors = _lavis()
    config = json.loads((folder / "config.json").read_text())
    model = _model(blip2, qformer, config, folder / "vocab.txt")
    shapes = shapes_of(model.state_dict())
    counted = {name: model.state_dict()[name] for name in shapes if name.endswith("position_ids")}
    drawn = {name: shape for name, shape in shapes.items() if name not in counted}
    state = {**seeded_state(drawn), **counted}
    # One tensor under two names: the words read are the words written.
    state[_WRITTEN] = state[_READ]
    model.load_state_dict(state, strict=True)
    model.eval()
    torch.save({"model": state}, folder / "blip2.pth")
    (folder / "shapes.json").write_text(json.dumps(drawn))
    side = config["vision_config"]["image_size"]
    np.savez(folder / "theirs.npz", **_answers(model, processors, folder, side, k_test))


def _answers(
    model: Any, processors: Any, folder: Path, side: int, k_test: int
) -> dict[str, np.ndarray]:
    prepare, caption = processors.BlipImageEvalProcessor(side), processors.BlipCaptionProcessor()
    with np.load(folder / "pictures.npz") as arrays:
        pixels = torch.stack([prepare(Image.fromarray(array)) for array in arrays.values()])
    texts = [caption(text) for text in json.loads((folder / "texts.json").read_text())]
    tokens = model.tokenizer(
        texts, padding="max_length", truncation=True, max_length=35, return_tensors="pt"
    )
    loader = _Loader([{"image": pixels}], SimpleNamespace(text=texts, image=list(pixels)))
    with torch.no_grad():
        queries, seen = model.forward_image(pixels)
        items = torch.nn.functional.normalize(model.vision_proj(queries), dim=-1)
        vectors = torch.nn.functional.normalize(model.text_proj(model.forward_text(tokens)))
        pairs = [(text, picture) for text in range(len(texts)) for picture in range(len(pixels))]
        of_texts, of_pictures = map(list, zip(*pairs, strict=True))
        logits = model.compute_itm(
            seen[of_pictures], tokens.input_ids[of_texts], tokens.attention_mask[of_texts]
        )
        to_texts, to_pictures = model.compute_sim_matrix(loader, SimpleNamespace(k_test=k_test))
    return {
        "pictures": items.numpy(),
        "texts": vectors.numpy()[:, None],
        "logits": logits.reshape(len(texts), len(pixels)).numpy(),
        "pictures for a text": to_pictures,
        "texts for a picture": to_texts,
    }


class _Loader(list[Any]):
    def __init__(self, batches: list[Any], dataset: Any) -> None:
        super().__init__(batches)
        self.dataset = dataset


def _lavis() -> tuple[Any, Any, Any]:
    """Its modules for BLIP-2, without the packages' own imports of all else."""
    ensure_torchvision()
    found = find_spec("lavis")
    assert found is not None and found.submodule_search_locations is not None
    root = Path(next(iter(found.submodule_search_locations))).parent
    for name in _PACKAGES:
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[name] = package
    old: Any = types.ModuleType("torch._six")
    old.container_abcs = collections.abc
    sys.modules["torch._six"] = old
    for name in ("fairscale", "fairscale.nn", "fairscale.nn.checkpoint"):
        sys.modules[name] = types.ModuleType(name)
    checkpoints: Any = types.ModuleType("fairscale.nn.checkpoint.checkpoint_activations")
    checkpoints.checkpoint_wrapper = lambda module: module
    sys.modules[checkpoints.__name__] = checkpoints
    # What a registration looks up in the packages themselves.
    for package, name, kind in _LOOKED_UP:
        module = importlib.import_module(f"{package}.{name}")
        setattr(sys.modules[package], kind, getattr(module, kind))
    names = ("models.blip2_models.blip2", "models.blip2_models.blip2_qformer")
    blip2, qformer = (importlib.import_module(f"lavis.{name}") for name in names)
    return blip2, qformer, importlib.import_module("lavis.processors.blip_processors")


def _model(blip2: Any, qformer: Any, config: dict[str, Any], vocabulary: Path) -> Any:
    """Blip2Qformer at the sizes of ``config``, its downloads replaced."""
    vision, text = config["vision_config"], dict(config["qformer_config"])
    places = text.pop("vocab_size")
    eva = importlib.import_module("lavis.models.eva_vit")
    tower = eva.VisionTransformer(
        img_size=vision["image_size"],
        patch_size=14,
        use_mean_pooling=False,
        embed_dim=vision["hidden_size"],
        depth=vision["num_hidden_layers"],
        num_heads=vision["num_attention_heads"],
        mlp_ratio=vision["intermediate_size"] / vision["hidden_size"],
        qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
    )
    blip2.create_eva_vit_g = lambda *_: tower
    _answer(blip2.BertTokenizer, lambda *_: blip2.BertTokenizer(str(vocabulary)))
    _answer(blip2.BertConfig, lambda *_: blip2.BertConfig(vocab_size=places - 1, **text))
    _answer(blip2.BertLMHeadModel, lambda *_, config: blip2.BertLMHeadModel(config))
    return qformer.Blip2Qformer(
        img_size=vision["image_size"],
        vit_precision="fp32",
        num_query_token=config["num_query_tokens"],
        embed_dim=config["image_text_hidden_size"],
    )


def _answer(kind: Any, make: Any) -> None:
    kind.from_pretrained = staticmethod(make)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
