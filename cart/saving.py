"""A CART on disk: safetensors for the arrays, JSON for the rest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from cart.cart import Cart
from cart.identifiers import Quantizers
from cart.model import CartModel
from cart.rqvae import RQVAE


def save(cart: Cart, folder: Path) -> None:
    """Write all that a search needs. Raises ValueError when no gallery was indexed."""
    model, quantizers, tokenizer, gallery = cart.parts()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    save_file(quantizers.rqvae.state_dict(), folder / "rqvae.safetensors")
    save_file(
        {"centres": quantizers.centres.contiguous(), "identifiers": torch.from_numpy(gallery)},
        folder / "identifiers.safetensors",
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = {
        "levels": model.levels,
        "scale": quantizers.scale,
        "vocabulary": model.tokens.num_embeddings,
        "config": cart.config.flat(),
    }
    (folder / "cart.json").write_text(json.dumps(shape, indent=1), encoding="utf-8")


def load(cart: Cart, folder: Path) -> None:
    """Restore what ``save`` wrote into a Cart of the same config.

    Raises ValueError when the config is another one.
    """
    shape = json.loads((folder / "cart.json").read_text(encoding="utf-8"))
    mine = json.loads(json.dumps(cart.config.flat()))
    if shape["config"] != mine:
        differing = sorted(key for key in mine if shape["config"].get(key) != mine[key])
        raise ValueError(f"{folder} was saved with another configuration: {differing}")
    stored = load_file(folder / "identifiers.safetensors", device=cart.device)
    rqvae = RQVAE(stored["centres"].shape[1], cart.config.identifiers).to(cart.device)
    rqvae.load_state_dict(load_file(folder / "rqvae.safetensors", device=cart.device))
    model = CartModel(cart.config.model, shape["vocabulary"], shape["levels"]).to(cart.device)
    model.load_state_dict(load_file(folder / "model.safetensors", device=cart.device))
    gallery: np.ndarray = stored["identifiers"].cpu().numpy()
    cart.restore(
        model.eval(),
        Quantizers(stored["centres"], shape["scale"], rqvae.eval()),
        Tokenizer.from_file(str(folder / "tokenizer.json")),
        gallery,
    )
