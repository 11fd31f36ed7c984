"""The tokenizer of another model, by which a generative retriever may read queries."""

from __future__ import annotations

from tokenizers import Tokenizer

from cart.tokenizer import adopted
from retrievers.base import Availability
from retrievers.weights import releases
from retrievers.weights.releases import Located, Release, locate
from retrievers.weights.report import CheckpointError

# --checkpoint cart.tokenizer=google-bert/bert-base-uncased
ROLE = "tokenizer"

_WHOLE = Release(needs=("tokenizer.json",))
_RELEASE = Release(
    needs=("tokenizer.json|vocab.txt|vocab.json|*.model",),
    reads=("*.json", "*.txt", "*.model"),
)


def availability(source: str) -> Availability:
    """Whether it can be had; nothing is fetched to find out."""
    return releases.availability("the tokenizer", source, _RELEASE, f"cart.{ROLE}")


def fingerprint(source: str) -> str:
    """Digest of its files. Raises WeightsAbsent."""
    located = locate(source, _RELEASE)
    return located.fingerprint(_WHOLE if _is_whole(located) else _RELEASE)


def open_tokenizer(source: str) -> Tokenizer:
    """That of a file ``tokenizer.json``, or of a folder or hub id as transformers writes it, made
    fit to read queries.

    Raises WeightsAbsent, and CheckpointError where the files hold no tokenizer that works and
    needs no code of its own.
    """
    located = locate(source, _RELEASE)
    try:
        return adopted(_read(located))
    # The library of tokenizers raises plain exceptions.
    except Exception as error:
        raise CheckpointError(f"{source} cannot be read as a tokenizer: {error}") from error


def _is_whole(located: Located) -> bool:
    """Whether one file holds all of it."""
    first = located.files[0]
    return first.suffix == ".json" and first.name != "vocab.json"


def _read(located: Located) -> Tokenizer:
    if _is_whole(located):
        return Tokenizer.from_file(str(located.files[0]))
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(
        located.folder, local_files_only=True, use_fast=True, trust_remote_code=False
    )
    if not loaded.is_fast:
        raise ValueError("it has no fast form; convert it to a tokenizer.json")
    return loaded.backend_tokenizer
