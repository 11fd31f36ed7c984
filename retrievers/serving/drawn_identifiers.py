"""Identifiers of drawn candidates: what a generative row writes.

Codebooks are fitted on the first of the drawn vectors, codes are given in a stream, and both lie
in files under the cache, so that every smaller gallery has the codes of the beginning of a larger
one wherever both have the same code sizes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cart.config import IdentifierConfig
from cart.identifiers import (
    Quantizers,
    assign,
    fit_quantizers,
    identifiers,
    level_sizes,
    restored,
    sizes_for,
)
from datasets.candidates import CandidateSet, drawn
from datasets.candidates.folder_lock import alone
from retrievers.base import FloatArray, IntArray
from retrievers.serving.contract import Say

Codes = npt.NDArray[np.uint16]

_FORM = 1
_SEED = 0
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Recipe:
    """How candidates are given identifiers.

    config   of the codebooks; its code sizes are the least, and a gallery that wants more of them
             to keep its items apart gets those of ``cart.identifiers.sizes_for``
    sample   the first of the drawn vectors, on which the codebooks are fitted
    ceiling  the collision ceiling that even codes of that size must reach
    """

    config: IdentifierConfig
    sample: int
    ceiling: float = 0.9

    def sized(self, count: int) -> IdentifierConfig:
        """The configuration for a gallery of ``count``."""
        coarse, *fine = sizes_for(count, self.config.sizes, self.ceiling)
        return replace(self.config, coarse_size=coarse, codebook_sizes=tuple(fine))


@dataclass(frozen=True)
class Given:
    """Identifiers int64 [candidates, length], and what giving them took.

    sizes    vocabulary of each position, that of the counter last
    seconds  phase -> seconds
    facts    code sizes, the largest counter, the collision ceiling (the share of items whose codes
             are theirs alone) and the share of code prefixes whose counter is therefore forced
    """

    identifiers: IntArray
    sizes: tuple[int, ...]
    quantizers: Quantizers
    seconds: Mapping[str, float]
    facts: Mapping[str, str | int | float | bool]


def give_identifiers(candidates: CandidateSet, recipe: Recipe, cache: Path, say: Say) -> Given:
    """Raises OSError where the disk has no room."""
    config = recipe.sized(candidates.count)
    sample = _sample(candidates, recipe.sample, cache, say)
    folder = cache / "identifiers" / _key(config, sample)
    folder.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with alone(folder):
        clock = time.perf_counter()
        quantizers, kept = _quantizers(folder / "quantizers.safetensors", sample, config, say)
        seconds[_phase("fit codebooks", kept)] = time.perf_counter() - clock
        clock = time.perf_counter()
        codes, kept = _codes(folder / "codes.npy", quantizers, candidates, config, say)
        seconds[_phase("assign codes", kept)] = time.perf_counter() - clock
    clock = time.perf_counter()
    given = identifiers(codes)
    seconds["counters"] = time.perf_counter() - clock
    sizes = tuple(level_sizes(config, int(given[:, -1].max()) + 1))
    facts = {"code sizes": " x ".join(map(str, sizes[:-1])), **_shared(given[:, -1])}
    return Given(given, sizes, quantizers, seconds, facts)


def _shared(counters: IntArray) -> Mapping[str, int | float]:
    """How far codes tell items apart, read off the counters: each prefix has one 0, and one that
    several items share a 1."""
    prefixes, shared = int((counters == 0).sum()), int((counters == 1).sum())
    return {
        "largest counter": int(counters.max()),
        "collision ceiling": (prefixes - shared) / len(counters),
        "forced counters": (prefixes - shared) / prefixes,
    }


def _sample(candidates: CandidateSet, rows: int, cache: Path, say: Say) -> FloatArray:
    """[rows, dim], the same for every gallery of this seed and width."""
    if candidates.count < rows:
        candidates = drawn(cache, rows, candidates.dim, candidates.seed, say)
    return np.array(candidates.vectors[:rows])


def _key(config: IdentifierConfig, sample: FloatArray) -> str:
    """Names all that decides codes: how the codebooks are fitted, and on what."""
    digest = hashlib.blake2b(digest_size=16)
    told = [_FORM, _SEED, asdict(config), list(sample.shape)]
    digest.update(json.dumps(told, sort_keys=True).encode())
    digest.update(sample.data)
    return digest.hexdigest()


def _phase(name: str, kept: bool) -> str:
    return f"{name} (kept)" if kept else name


def _quantizers(
    path: Path, sample: FloatArray, config: IdentifierConfig, say: Say
) -> tuple[Quantizers, bool]:
    """And whether they were kept."""
    found = _read_quantizers(path, config)
    if found is not None:
        return found, True

    def monitor(_: str, done: int, total: int) -> None:
        say("fitting codebooks", done, total)

    made = fit_quantizers(sample, config, _SEED, monitor=monitor)
    part = path.with_suffix(".part")
    save_file({name: one.contiguous() for name, one in made.state().items()}, part)
    part.replace(path)
    return made, False


def _read_quantizers(path: Path, config: IdentifierConfig) -> Quantizers | None:
    """Those in the file; nothing where there is none that fits."""
    if not path.is_file():
        return None
    try:
        return restored(config, load_file(path))
    except (SafetensorError, OSError, ValueError):
        return None


def _codes(
    path: Path, quantizers: Quantizers, candidates: CandidateSet, config: IdentifierConfig, say: Say
) -> tuple[IntArray, bool]:
    """[candidates, levels], and whether all were kept; the file grows by what it lacks."""
    there = _read_codes(path, config.sizes)
    if len(there) >= candidates.count:
        return there[: candidates.count].astype(np.int64), True
    vectors = candidates.vectors

    def lacking() -> Iterator[FloatArray]:
        for start in range(len(there), candidates.count, _BLOCK):
            say("assigning codes", start, candidates.count)
            yield np.array(vectors[start : start + _BLOCK])

    added = assign(quantizers, lacking())
    say("assigning codes", candidates.count, candidates.count)
    codes = np.concatenate([there, added.astype(np.uint16)])
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, codes, allow_pickle=False)
    part.replace(path)
    return codes.astype(np.int64), False


def _read_codes(path: Path, sizes: tuple[int, ...]) -> Codes:
    """Those in the file; none where there is no file or one that is broken."""
    none = np.empty((0, len(sizes)), np.uint16)
    if not path.is_file():
        return none
    try:
        codes = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return none
    fits = codes.ndim == 2 and codes.dtype == np.uint16 and codes.shape[1] == len(sizes)
    return codes if fits and (codes < np.array(sizes)).all() else none
