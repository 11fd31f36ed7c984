"""A CART on disk: safetensors for the arrays, JSON for the rest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from cart.cart import Cart
from cart.identifiers import restored
from cart.model import CartModel


def save(cart: Cart, folder: Path) -> None:
    """Write all that a search needs. Raises ValueError when no gallery was indexed."""
    model, quantizers, tokenizer, gallery = cart.parts()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    state = {name: one.contiguous() for name, one in quantizers.state().items()}
    save_file(state, folder / "quantizers.safetensors")
    save_file({"identifiers": torch.from_numpy(gallery)}, folder / "identifiers.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = {
        "levels": model.levels,
        "vocabulary": model.tokens.num_embeddings,
        "config": cart.config.flat(),
    }
    (folder / "cart.json").write_text(json.dumps(shape, indent=1), encoding="utf-8")


def load(cart: Cart, folder: Path) -> None:
    """Restore what ``save`` wrote into a Cart of the same config.

    Raises ValueError when the config is another one, or the codebooks are not of it.
    """
    shape = json.loads((folder / "cart.json").read_text(encoding="utf-8"))
    mine = json.loads(json.dumps(cart.config.flat()))
    if shape["config"] != mine:
        differing = sorted(key for key in mine if shape["config"].get(key) != mine[key])
        raise ValueError(f"{folder} was saved with another configuration: {differing}")
    state = load_file(folder / "quantizers.safetensors", device=cart.device)
    quantizers = restored(cart.config.identifiers, state)
    model = CartModel(cart.config.model, shape["vocabulary"], shape["levels"]).to(cart.device)
    model.load_state_dict(load_file(folder / "model.safetensors", device=cart.device))
    gallery: np.ndarray = load_file(folder / "identifiers.safetensors")["identifiers"].numpy()
    cart.restore(
        model.eval(),
        quantizers,
        Tokenizer.from_file(str(folder / "tokenizer.json")),
        gallery,
    )
