"""The authors' code of VALOR, run as it stands where what it imports is not here.

Its own preparation of sounds and texts runs too, with torchaudio's bands. Its video tower, which
sounds do not meet, is one layer, and the weights that it starts from are not read.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.parity import goldens
from tests.parity.borrowed import borrowed, module, package
from tests.parity.goldens import FloatArray
from tests.parity.seeded import seeded_state, shapes_of
from tests.parity.valor_small import SIZES, TEXTS, sounds, write_words

# Slices of the settings for AudioCaps, and of those for Clotho.
_FEW, _MANY = 2, 6
# AudioCaps's sounds last 10 s.
_SHORT = 10.2 * 22_050
_SETTINGS = "config/fast-retrieval-audiocaps.json"
_OFF = (
    *("frozen_vision", "frozen_multimodal", "checkpointing", "late_fusion", "use_task_prompt"),
    *("initial_multimodal", "initial_vision", "init_clip_head", "dual_softmax", "label_smoothing"),
    *("max_generation_len", "beam_size", "beam_size_qa", "caption_type", "evaluate_ret_text"),
    *("scst_finetuning", "full_masker", "contra_loss_ratio", "fineweight_type"),
)
_UNUSED = ("ipdb", "tensorboardX", "boto3", "requests", "toolz")


def answers(
    folder: Path, patch: pytest.MonkeyPatch
) -> tuple[dict[str, list[int]], dict[str, FloatArray]]:
    """The layout of its weights, which are written to ``folder``, and what its test gives.

    Skips the test where a source is not given.
    """
    root = goldens.upstream_source("VALOR")
    _write_settings(folder / "pretrained_weights")
    patch.chdir(folder)
    with borrowed([root], {**_stand_ins(root), "torchaudio": _torchaudio()}):
        from data.data import AudioMapper, TxtMapper
        from model import modeling
        from model.pretrain import VALOR

        options = _options(root)
        _make_small(modeling, patch)
        model = VALOR(options).eval()
        shapes = shapes_of(model.state_dict())
        # One tensor under several names: words that are read and written, and one BERT for both.
        state = seeded_state(shapes)
        state |= {
            name: state[name.replace("multimodal_encoder.", "txt_encoder.")]
            for name in shapes
            if name.startswith("multimodal_encoder.")
        }
        state["cls.decoder.weight"] = state["txt_encoder.embeddings.word_embeddings.weight"]
        model.load_state_dict(state)
        torch.save(state, folder / "model_step_7.pt")
        (folder / "texts.json").write_text(json.dumps({"0": TEXTS}))
        texts = TxtMapper("texts.json", options, 30, "txt")
        tokens = torch.stack([texts.get_single_txt(text)["bert_tokens"] for text in TEXTS])
        for row in range(len(sounds())):
            (folder / f"{row}.wav").touch()
        mappers = {count: AudioMapper(".", options, "audio", count) for count in (_FEW, _MANY)}
        for one in mappers.values():
            one.training = False
        heard = [
            mappers[_FEW if len(samples) < _SHORT else _MANY][str(row)]
            for row, samples in enumerate(sounds())
        ]
        return shapes, _tested(model, tokens, heard)


@torch.no_grad()
def _tested(model: Any, tokens: Tensor, heard: list[Tensor]) -> dict[str, FloatArray]:
    """Sounds of one number of slices at once, as in one data set."""
    columns, slices = {}, {}
    for count in (_FEW, _MANY):
        rows = [row for row, one in enumerate(heard) if len(one) == count]
        batch = {
            "txt_tokens": {"bert_tokens": tokens},
            "audio_spectrograms": torch.stack([heard[row] for row in rows]),
        }
        found = model(batch, "ret%ta", compute_loss=False)
        words, sound = found["feat_t"], found["feat_a"]
        scores = model.compute_fine_matrix(
            words,
            sound,
            (tokens != 0).long(),
            torch.ones(sound.shape[:2]).long(),
            model.fine_weight_mapper["text"](words).squeeze(2),
            model.fine_weight_mapper["audio"](sound).squeeze(2),
        )
        columns |= {row: scores[:, place] for place, row in enumerate(rows)}
        slices |= {row: sound[place] for place, row in enumerate(rows)}
    order = sorted(columns)
    return {
        "first and last slices": torch.stack(
            [torch.stack([slices[row][0], slices[row][-1]]) for row in order]
        ).numpy(),
        "words": (words * (tokens != 0)[:, :, None]).numpy(),
        "scores": torch.stack([columns[row] for row in order], dim=1).numpy(),
    }


def _options(root: Path) -> Any:
    """Its settings for AudioCaps, with what VALOR-B was trained with and its parser's defaults."""
    told = json.loads((root / _SETTINGS).read_text())
    told |= dict.fromkeys(_OFF, False)
    told |= {
        "video_encoder_type": "videoswin_base_k600_22k",
        "txt_encoder_type": "bert_base_uncased",
        "share_txt_and_multimodal": True,
        "multimodal_use_cross_attn": True,
        "cross_attn_type": "va_concate",
        "contra_type": "fine",
        "contra_dim": SIZES.dim,
    }
    return SimpleNamespace(**told)


def _make_small(modeling: Any, patch: pytest.MonkeyPatch) -> None:
    """Widths that the code writes as numbers become those of the small size."""
    kind = modeling.VALORModel
    load_sounds, load_bert = kind.load_ast_model, kind.load_bert_model

    def sounds_of(self: Any, base: Any, config: Any) -> None:
        base.hidden_size, base.intermediate_size = SIZES.width, SIZES.hidden
        base.num_attention_heads, base.num_hidden_layers = SIZES.heads, SIZES.layers
        load_sounds(self, base, config)
        self.audio_dim = SIZES.width

    def bert_of(self: Any, config: Any) -> None:
        load_bert(self, config)
        self.multimodal_dim = SIZES.text.width

    def videos_of(self: Any, config: Any) -> None:
        self.video_encoder, self.video_dim = nn.Linear(3, 20), 20

    patch.setattr(kind, "load_ast_model", sounds_of)
    patch.setattr(kind, "load_bert_model", bert_of)
    patch.setattr(kind, "load_videoswin_model", videos_of)
    patch.setattr(kind, "initialize_audio_weights", lambda self: None)


def _write_settings(folder: Path) -> None:
    write_words(folder, "bert-base-uncased-vocab.txt")
    text = SIZES.text
    config = {
        "vocab_size": text.vocabulary,
        "hidden_size": text.width,
        "intermediate_size": text.hidden,
        "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads,
        "max_position_embeddings": text.positions,
        "type_vocab_size": text.kinds,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
    }
    (folder / "bert_base_uncased_config.json").write_text(json.dumps(config))
    # They are looked up, and not used.
    start = "cls.predictions."
    names = ("dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias")
    looked_up = [*(f"transform.{name}" for name in names), "decoder.weight", "bias"]
    unused = {f"{start}{name}": torch.zeros(1) for name in looked_up}
    torch.save(unused, folder / "bert-base-uncased.bin")


def _stand_ins(root: Path) -> dict[str, ModuleType]:
    found = {name: module(name) for name in _UNUSED}
    norms = module("apex.normalization.fused_layer_norm", FusedLayerNorm=nn.LayerNorm)
    return found | {
        "apex": module("apex"),
        "apex.normalization": module("apex.normalization"),
        norms.__name__: norms,
        "toolz.sandbox": module("toolz.sandbox", unzip=None),
        "botocore": module("botocore"),
        "botocore.exceptions": module("botocore.exceptions", ClientError=OSError),
        "easydict": module("easydict", EasyDict=dict),
        "scorer": module("scorer"),
        "scorer.scorer": module("scorer.scorer", Scorer=None),
        # Its first lines take what loads data in parallel.
        "data": package("data", root / "data"),
    }


def _torchaudio() -> ModuleType:
    """What reads sounds, and the one file of bands, which is plain Python."""
    source = goldens.upstream_source("torchaudio") / "torchaudio/compliance/kaldi.py"
    held = sys.modules.get("torchaudio")
    sys.modules["torchaudio"] = module("torchaudio")
    try:
        named = importlib.util.spec_from_file_location("torchaudio_kaldi", source)
        assert named is not None and named.loader is not None
        kaldi = importlib.util.module_from_spec(named)
        named.loader.exec_module(kaldi)
    finally:
        sys.modules.pop("torchaudio")
        if held is not None:
            sys.modules["torchaudio"] = held
    return module("torchaudio", load=_load, compliance=SimpleNamespace(kaldi=kaldi))


def _load(name: str) -> tuple[Tensor, int]:
    return torch.from_numpy(sounds()[int(Path(name).stem)])[None], 22_050
