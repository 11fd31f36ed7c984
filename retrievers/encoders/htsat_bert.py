"""HTSAT-BERT of WavCaps: HTSAT for sounds, BERT for texts, compared by cosine (Mei et al., 2024).

The published code hears 10 s at random of a longer sound, here they are its middle, and fills a
shorter one with silence to the longest of its batch, here to 10 s, as its own classification of
sounds does. Captions lose their punctuation before they are split into word pieces. The released
file brings the front end of torchlibrosa along: it is computed here, and its bands are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from retrievers.base import RetrieverSpec, Settings
from retrievers.dual_tower import DualTower
from retrievers.encoders.htsat import (
    SMALL,
    SMALL_MEL,
    Hearing,
    LogMel,
    check_front_end,
    fill_computed,
    is_computed,
    renamed_audio,
    silence,
)
from retrievers.encoders.token_rows import FILE, TokenRows, read_tokenizer, without_padding
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import PretrainedAdapter
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import State, load_strictly, read_state

_LONGEST = 30
_PADDING = "[PAD]"
_AUDIO = "audio_encoder.audio_enc."
# Word pieces are split at spaces and at punctuation, so nothing else of it is left.
_PUNCTUATION = str.maketrans(dict.fromkeys('(,.!?;:|*")', " "))


@dataclass(frozen=True)
class Config:
    """Sizes, where they are not those of ``ClapAudioModel`` and of BERT's base, and the front end.

    width  of what HTSAT gives; ``dim`` that of the vectors that are compared
    """

    hearing: Hearing
    audio: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=dict)
    width: int = 768
    dim: int = 1024


RELEASED = Config(Hearing(LogMel(32_000, 320), 10.0, silence))
TINY = Config(
    Hearing(SMALL_MEL, 1.0, silence),
    SMALL,
    {
        "vocab_size": 200,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 32,
        "initializer_range": 0.5,
    },
    width=32,
    dim=20,
)
RELEASE = Release(
    needs=("*.pt", FILE),
    obtain="HTSAT-BERT-FT-AudioCaps.pt and HTSAT-BERT-FT-Clotho.pt are in the folder of models "
    "that https://github.com/XinhaoMei/WavCaps names, for research that is not commercial. Name "
    "one of them, with the tokenizer.json of bert-base-uncased beside it.",
)


class HtsatBert(nn.Module):
    """Two towers with a head of two layers each.

    sounds  [batch, 1, moments, mels] -> [batch, dim]
    texts   tokens and mask [batch, length] -> [batch, dim], from BERT's first token
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        ensure_torchvision()
        import transformers

        bert = transformers.BertConfig(**config.text)
        self.audio_encoder = transformers.ClapAudioModel(
            transformers.ClapAudioConfig(**config.audio)
        )
        self.text_encoder = transformers.BertModel(bert, add_pooling_layer=False)
        self.audio_proj = _head(config.width, config.dim)
        self.text_proj = _head(bert.hidden_size, config.dim)
        # Divides the scores in training; an order of them does not depend on it.
        self.temp = nn.Parameter(torch.tensor(0.07))

    def sounds(self, mel: Tensor) -> Tensor:
        return F.normalize(self.audio_proj(self.audio_encoder(mel).pooler_output), dim=-1)

    def texts(self, tokens: Tensor, mask: Tensor) -> Tensor:
        first = self.text_encoder(tokens, attention_mask=mask).last_hidden_state[:, 0]
        return F.normalize(self.text_proj(first), dim=-1)


def without_punctuation(caption: str) -> str:
    """A caption in lower case with a space for each mark, as it is given to the word pieces."""
    return caption.lower().translate(_PUNCTUATION)


def open_release(
    spec: RetrieverSpec, located: Located, settings: Settings, config: Config = RELEASED
) -> DualTower:
    """HTSAT-BERT with its released weights. Raises CheckpointError."""
    state = read_state(located.files, under="model")
    check_front_end(state, config.hearing.mel, located.source)
    with torch.device("meta"):
        model = HtsatBert(config)
    load_strictly(model, {**_renamed(state), **fill_computed(model)}, located.source)
    places = model.text_encoder.config.vocab_size
    tokenizer = read_tokenizer(located.folder, places)
    placement = Placement(settings.device, settings.precision)
    placement.put(model)
    named = tower_fingerprint("htsat-bert", located, RELEASE, ["torch", "transformers", "soxr"])
    items, texts = _towers(model, config.hearing, tokenizer, named, placement)
    return dual_tower(spec, items, texts, config.dim, settings)


def open_tiny(spec: RetrieverSpec, seed: int) -> DualTower:
    """Random weights over sounds of a second and the letters of texts."""
    model = seeded(seed, lambda: HtsatBert(TINY))
    placement = Placement("cpu")
    placement.put(model)
    items, texts = _towers(model, TINY.hearing, letter_tokenizer(), f"htsat-bert-{seed}", placement)
    return tiny_dual_tower(spec, items, texts, TINY.dim)


def letter_tokenizer() -> Tokenizer:
    """BERT's splitting of texts with a vocabulary of letters and digits, alone and as endings."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [_PADDING, "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{one}" for one in letters)]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(
        models.WordPiece(vocab=numbers, unk_token=words[1], max_input_chars_per_word=100)
    )
    tokenizer.add_special_tokens(words[:4])
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def full_network() -> nn.Module:
    """HTSAT-BERT in its released size."""
    return HtsatBert(RELEASED)


def _towers(
    model: HtsatBert, hearing: Hearing, tokenizer: Tokenizer, named: str, placement: Placement
) -> tuple[NetworkTower[Any], NetworkTower[str]]:
    rows = TokenRows(tokenizer, _PADDING, _LONGEST)
    return (
        NetworkTower(hearing.sounds, model.sounds, named, placement, batch=8),
        NetworkTower(
            lambda texts: rows.rows([without_punctuation(text) for text in texts]),
            lambda batch: model.texts(*without_padding(batch)),
            named,
            placement,
        ),
    )


def _head(width: int, dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Linear(dim, dim))


def _renamed(state: State) -> State:
    found = {
        f"audio_encoder.audio_encoder.{name}": one
        for name, one in renamed_audio(state, _AUDIO).items()
    }
    for name, one in state.items():
        if not name.startswith(_AUDIO) and not is_computed(name):
            found[name.replace("text_encoder.text_encoder.", "text_encoder.", 1)] = one
    return found


HTSAT_BERT = PretrainedAdapter(
    name="htsat-bert",
    paradigm="dual tower",
    modalities=("audio",),
    licence="UK data copyright exemption",
    release=RELEASE,
    open=open_release,
    open_tiny=open_tiny,
    network=full_network,
    options={
        "sound": f"{RELEASED.hearing.told}; behind a shorter one silence",
        "text": f"word pieces of BERT, lower case without punctuation, {_LONGEST} tokens",
        "score": "cosine",
    },
)
