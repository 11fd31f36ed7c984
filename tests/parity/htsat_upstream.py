"""What laion-clap or the code of WavCaps gives, run by a Python of its own.

``python -m tests.parity.htsat_upstream clap FOLDER`` runs the package laion-clap 1.1.7;
``... htsat-bert FOLDER SOURCE`` the source of WavCaps. Both read ``FOLDER/inputs.npz`` and
``FOLDER/tokenizer.json`` and write a release as its authors save it (``release.pt``),
``outputs.npz`` and ``shapes.json``. The environment holds laion-clap 1.1.7, numpy<2, torchvision
and any torch and transformers. Language models and tokenizers, which their code fetches, are
replaced by small ones; what is drawn at random is drawn from the middle.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from tests.parity.seeded import seeded_state

# Computed from the sizes and the front end's settings: kept as upstream makes them.
_COMPUTED = ("spectrogram_extractor", "logmel_extractor", "audio_feats_extractor", "attn_mask")
_HTSAT: dict[str, Any] = {
    "spec_size": 64,
    "patch_size": 4,
    "patch_stride": (4, 4),
    "num_classes": 5,
    "embed_dim": 8,
    "depths": [2, 2, 2],
    "num_heads": [2, 2, 4],
    "window_size": 4,
}
_WIDTH, _DIM = 32, 20
_LANGUAGE: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
}


def clap(folder: Path, inputs: Any) -> tuple[Any, Any]:
    for name in ("BertTokenizer", "RobertaTokenizer", "BartTokenizer"):
        setattr(transformers, name, _Fetched)
    hook: Any = importlib.import_module("laion_clap.hook")
    # The package puts its own folder on the path: its parts go by two names.
    network: Any = importlib.import_module("clap_module.model")
    htsat: Any = importlib.import_module("clap_module.htsat")
    roberta = transformers.RobertaConfig(
        vocab_size=260,
        max_position_embeddings=80,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        **_LANGUAGE,
    )
    network.RobertaModel = _Fetched.giving(lambda: transformers.RobertaModel(roberta))
    network.create_htsat_model = lambda cfg, fused, kind: htsat.HTSAT_Swin_Transformer(
        config=cfg, enable_fusion=fused, fusion_type=kind, **_HTSAT
    )
    audio = {
        "audio_length": 1024,
        "clip_samples": 16_000,
        "mel_bins": 16,
        "sample_rate": 16_000,
        "window_size": 512,
        "hop_size": 160,
        "fmin": 50,
        "fmax": 7000,
        "class_num": 5,
        "model_type": "HTSAT",
        "model_name": "tiny",
    }
    text = {"context_length": 77, "vocab_size": 260, "width": 16, "heads": 2, "layers": 2}
    model = network.CLAP(
        _WIDTH, audio, {**text, "model_type": "roberta"}, joint_embed_shape=_DIM
    ).eval()
    model.text_projection[0] = nn.Linear(16, _DIM)
    state = _seed(model)
    # Written by the transformers that the release was made with.
    state["text_branch.embeddings.position_ids"] = torch.arange(80)[None]
    parallel = {f"module.{name}": one for name, one in state.items()}
    torch.save({"epoch": 1, "name": "small", "state_dict": parallel}, folder / "release.pt")
    np.random.randint = lambda low, high: (high - 1) // 2
    prepared = [
        hook.get_audio_features(
            {},
            torch.from_numpy(hook.int16_to_float32(hook.float32_to_int16(sound))).float(),
            16_000,
            data_truncating="rand_trunc",
            data_filling="repeatpad",
            audio_cfg=audio,
        )
        for sound in inputs
    ]
    tokenizer = _tokenizer(folder, "<pad>")

    def tokens(texts: list[str]) -> Any:
        return tokenizer(
            texts, padding="max_length", truncation=True, max_length=77, return_tensors="pt"
        )

    return (
        lambda: model.get_audio_embedding(prepared),
        lambda texts: model.get_text_embedding(tokens(texts)),
    )


def htsat_bert(folder: Path, inputs: Any, source: Path) -> tuple[Any, Any]:
    sys.path.insert(0, str(source / "retrieval"))
    _module("ruamel")
    _module("ruamel.yaml")
    _module("tools.losses", AudioTextContrastiveLoss=nn.Identity, NTXent=nn.Identity)
    _module("tools.utils", remove_grad=None)
    bert = transformers.BertConfig(vocab_size=200, max_position_embeddings=32, **_LANGUAGE)
    tokenizer = _tokenizer(folder, "[PAD]")
    data, captions, ase, audio_encoder, text_encoder = (
        importlib.import_module(name)
        for name in (
            "data_handling.pretrain_dataset",
            "data_handling.text_transform",
            "models.ase_model",
            "models.audio_encoder",
            "models.text_encoder",
        )
    )
    small = (
        _Fetched.giving(lambda: transformers.BertModel(bert, add_pooling_layer=False)),
        _Fetched.giving(lambda: tokenizer),
        16,
    )
    vars(text_encoder)["MODELS"]["small"] = small
    full = audio_encoder.HTSAT_Swin_Transformer
    vars(audio_encoder)["HTSAT_Swin_Transformer"] = lambda config, **sizes: full(
        config=config, **_HTSAT
    )
    keep = audio_encoder.AudioEncoder.__init__

    def narrow(self: Any, config: Any) -> None:
        keep(self, config)
        self.audio_width = _WIDTH

    audio_encoder.AudioEncoder.__init__ = narrow
    config = {
        "embed_size": _DIM,
        "temp": 0.07,
        "embed_regularization": True,
        "audio_args": {
            "sr": 16_000,
            "n_fft": 512,
            "hop_length": 160,
            "f_min": 50,
            "f_max": 7000,
            "n_mels": 16,
        },
        "audio_encoder_args": {"type": "transformer", "pretrained": False, "freeze": False},
        "text_encoder_args": {"type": "small", "freeze": False},
        "training": {"spec_augmentation": True},
    }
    model = ase.ASE(config).eval()
    state = _seed(model)
    state["text_encoder.text_encoder.embeddings.position_ids"] = torch.arange(32)[None]
    torch.save({"model": state, "epoch": 1}, folder / "release.pt")
    middles = [
        one[(len(one) - 16_000) // 2 :][:16_000] if len(one) > 16_000 else one for one in inputs
    ]
    batch = data.collate_fn([(torch.from_numpy(one), "", row) for row, one in enumerate(middles)])[
        0
    ]
    return (
        lambda: model.encode_audio(batch),
        lambda texts: model.encode_text([captions.text_preprocess(text) for text in texts]),
    )


class _Fetched:
    """Stands for a class whose models are fetched by name."""

    @staticmethod
    def from_pretrained(name: str, **rest: object) -> Any:
        return None

    @staticmethod
    def giving(make: Callable[[], Any]) -> Any:
        return types.SimpleNamespace(from_pretrained=lambda name, **rest: make())


def _seed(model: nn.Module) -> dict[str, Any]:
    """Give the model seeded weights; its state as saved."""
    state = model.state_dict()
    shapes = {
        name: list(one.shape)
        for name, one in state.items()
        if one.is_floating_point() and not any(part in name for part in _COMPUTED)
    }
    model.load_state_dict({**state, **seeded_state(shapes)})
    Path(sys.argv[2], "shapes.json").write_text(json.dumps(shapes))
    return dict(model.state_dict())


def _tokenizer(folder: Path, padding: str) -> Any:
    return transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token=padding
    )


def _module(name: str, **holds: object) -> None:
    module = types.ModuleType(name)
    vars(module).update(holds)
    sys.modules[name] = module


def main(system: str, folder: Path, *source: Path) -> None:
    with np.load(folder / "inputs.npz") as held:
        texts = [str(text) for text in held["texts"]]
        sounds = [held[name] for name in held.files if name != "texts"]
    made = clap(folder, sounds) if system == "clap" else htsat_bert(folder, sounds, *source)
    audio, text = made
    with torch.no_grad():
        items, queries = audio().numpy(), text(texts).numpy()
    np.savez(folder / "outputs.npz", items=items, texts=queries, scores=queries @ items.T)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
