"""The rows of the throughput sweep by name, each loaded only when it is run.

A name is a system and, behind a colon, the form in which it serves. Nothing here imports torch.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from retrievers.serving.contract import ServedRow

_SERVING = "retrievers.serving"


class UnknownRow(LookupError):
    """No row has this name; the message lists those that come near."""


@dataclass(frozen=True)
class _Form:
    """One way in which every dual tower serves; its module calls it so, in capitals."""

    name: str
    sentence: str
    agreement: float = 1.0
    in_default: bool = False


@dataclass(frozen=True)
class _Tower:
    """A dual tower, whose forms are in ``module``."""

    name: str
    system: str
    module: str
    dim: int


# Indexes are tuned to 0.95 over many queries; a sample of 16 under load may show less.
_INDEX_AGREEMENT = 0.8
# In fp32 all ten are the reference's; in whole numbers between 8 and 9, since random weights set
# identifiers less apart than trained ones do.
_WRITTEN_AGREEMENT = 0.75
_FORMS = (
    _Form("paper", "texts padded to 77, fp32, FAISS flat: as the paper ran it", in_default=True),
    _Form("exact", "texts at their real length, exact search in torch"),
    _Form(
        "best",
        "texts at their real length; exact search to 20,000 candidates, then a tuned index",
        agreement=_INDEX_AGREEMENT,
        in_default=True,
    ),
    _Form("ivf", "texts at their real length, FAISS IVF tuned to recall", _INDEX_AGREEMENT),
    _Form("hnsw", "texts at their real length, FAISS HNSW tuned to recall", _INDEX_AGREEMENT),
    _Form("pq", "texts at their real length, FAISS IVF-PQ tuned to recall", _INDEX_AGREEMENT),
    _Form("gpu", "texts at their real length, FAISS on the GPU", _INDEX_AGREEMENT),
)
_TOWERS = (
    _Tower("clip", "clip", "clip_text", 512),
    _Tower("clap", "clap", "clap_text", 512),
    _Tower("imagebind", "imagebind", "imagebind_text", 1024),
    _Tower("languagebind", "languagebind-image", "languagebind_text", 768),
)
_DRAWN_FEATURES = "random, and a few drawn features stand for those of all candidates"
_DRAWN_QUERY = "random: each text's vector is computed, and one that was drawn for it searched with"


def _dual(tower: _Tower, form: _Form) -> ServedRow:
    return ServedRow(
        name=f"{tower.name}:{form.name}",
        target=f"{_SERVING}.{tower.module}:{form.name.upper()}",
        system=tower.system,
        paradigm="dual tower",
        form=form.sentence,
        weights=_DRAWN_QUERY,
        dim=tower.dim,
        agreement=form.agreement,
        in_default=form.in_default,
    )


ROWS: tuple[ServedRow, ...] = (
    ServedRow(
        name="cart",
        target=f"{_SERVING}.generative:Cart",
        system="cart",
        paradigm="generative",
        form="width 512, 3 + 3 layers, beam 10",
        agreement=_WRITTEN_AGREEMENT,
    ),
    ServedRow(
        name="cart:256",
        target=f"{_SERVING}.generative:Cart256",
        system="cart",
        paradigm="generative",
        form="width 256, 3 + 3 layers, beam 10",
        agreement=_WRITTEN_AGREEMENT,
    ),
    ServedRow(
        name="hf-generative",
        target=f"{_SERVING}.hf_peer:HfPeer",
        system="",
        paradigm="generative",
        form="an encoder-decoder of transformers as wide as cart, prefix_allowed_tokens_fn",
        agreement=_WRITTEN_AGREEMENT,
    ),
    *(_dual(tower, form) for tower in _TOWERS for form in _FORMS),
    ServedRow(
        name="blip2:scan",
        target=f"{_SERVING}.pair_scan:Blip2Scan",
        system="blip2",
        paradigm="single tower",
        form="every candidate matched with every text; a part is measured",
        weights=_DRAWN_FEATURES,
    ),
    ServedRow(
        name="internvl-g:scan",
        target=f"{_SERVING}.decoder_part:InternvlScan",
        system="internvl-g",
        paradigm="dual tower",
        form="texts read by a decoder of 7B, measured on one layer of 32; exact search in torch",
        weights=_DRAWN_QUERY,
        dim=768,
    ),
    ServedRow(
        name="blip2:cascade",
        target=f"{_SERVING}.shortlist:Blip2Cascade",
        system="blip2",
        paradigm="single tower",
        form="the best 128 of its own contrast matched again; a part is measured",
        weights=_DRAWN_FEATURES,
    ),
    ServedRow(
        name="null",
        target=f"{_SERVING}.null:Null",
        system="",
        paradigm="dual tower",
        form="answers at once: the ceiling of what asks",
        weights="none",
        in_default=False,
    ),
)


def row(name: str) -> ServedRow:
    """The row of this name. Raises UnknownRow."""
    known = {one.name: one for one in ROWS}
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise UnknownRow(f"There is no row named {name!r}. {hint}Rows: {', '.join(known)}.")
    return known[name]
