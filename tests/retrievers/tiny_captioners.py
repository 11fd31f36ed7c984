"""Captioning networks with random weights, in folders as transformers writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded

ensure_torchvision()

import transformers as hf  # noqa: E402  (its image processors import torchvision)

WORDS = ("a", "red", "blue", "green", "disc", "square", "star", "on", "the", "table", "of")
IMAGE = "<image>"
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "bos": "[CLS]", "eos": "[SEP]"}
SIDE = 32

_VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 16,
}
_TEXT = {**_VISION, "max_position_embeddings": 32}
_SQUARE = {"height": SIDE, "width": SIDE}


def _tokenizer() -> Any:
    special = {f"{name}_token": token for name, token in SPECIAL.items()}
    words = {word: row for row, word in enumerate((*SPECIAL.values(), IMAGE, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(words, special["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, additional_special_tokens=[IMAGE], **special
    )


def _numbers(tokenizer: Any) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _blip(numbers: dict[str, int]) -> Any:
    text = {**_TEXT, **numbers, "encoder_hidden_size": 16, "sep_token_id": numbers["eos_token_id"]}
    config = hf.BlipConfig(text_config=text, vision_config=_VISION, projection_dim=8)
    return hf.BlipForConditionalGeneration(config)


def _blip2(numbers: dict[str, int]) -> Any:
    text = {**numbers, "model_type": "opt", "hidden_size": 16, "word_embed_proj_dim": 16}
    text |= {"ffn_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    asking = {**_TEXT, "vocab_size": numbers["vocab_size"], "encoder_hidden_size": 16}
    config = hf.Blip2Config(
        vision_config=_VISION,
        qformer_config=asking,
        text_config=text,
        num_query_tokens=4,
        image_token_index=len(SPECIAL),
    )
    return hf.Blip2ForConditionalGeneration(config)


def _git(numbers: dict[str, int]) -> Any:
    return hf.GitForCausalLM(hf.GitConfig(vision_config=_VISION, **_TEXT, **numbers))


def _encoder_decoder(numbers: dict[str, int]) -> Any:
    decoder = hf.GPT2Config(
        **numbers, n_positions=32, n_embd=16, n_layer=1, n_head=2, add_cross_attention=True
    )
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        hf.ViTConfig(**_VISION), decoder
    )
    network = hf.VisionEncoderDecoderModel(config)
    network.generation_config.decoder_start_token_id = numbers["bos_token_id"]
    network.generation_config.eos_token_id = numbers["eos_token_id"]
    network.generation_config.pad_token_id = numbers["pad_token_id"]
    return network


KINDS: Mapping[str, Callable[[dict[str, int]], Any]] = {
    "blip": _blip,
    "blip-2": _blip2,
    "git": _git,
    "vision-encoder-decoder": _encoder_decoder,
}


def written(folder: Path, kind: str, seed: int = 0) -> Path:
    """A folder with a network of this kind, its tokenizer and its processor of pictures."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    seeded(seed, lambda: KINDS[kind](_numbers(tokenizer))).save_pretrained(folder)
    hf.ViTImageProcessor(size=_SQUARE).save_pretrained(folder)
    return folder
