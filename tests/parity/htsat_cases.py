"""Sounds and captions for CLAP and HTSAT-BERT, and both ways to their vectors."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from datasets.base import Item, Sound
from retrievers.base import Settings
from retrievers.pretrained import PretrainedAdapter
from tests.parity import goldens
from tests.parity.goldens import FloatArray

RATE = 16_000
TEXTS = [
    "A dog barks , then a car (far away) starts; birds sing.",
    'wind,  "water" and  |*metal* : 25 cm!',
    "żółta łódź 🚤 at sea",
    "x",
    "",
    "<pad> [PAD] a <s>",
    "a very long tale of rain on a tin roof " * 12,
]


def sounds() -> list[FloatArray]:
    """Samples [channels, samples]: short, too loud, in stereo and long."""
    rng = np.random.default_rng(5)
    short, loud, left, long = (_sound(rng, seconds) for seconds in (0.3, 1.0, 0.7, 1.875))
    return [short, 4 * loud, np.concatenate([left, -0.5 * left[:, ::-1]]), long]


def ours(adapter: PretrainedAdapter, config: object, file: Path) -> dict[str, FloatArray]:
    """Through the adapter, at a small size."""
    small = replace(adapter, open=partial(adapter.open, config=config))
    retriever: Any = small.build(Settings(0, "cpu", file.parent / "cache", {"model": str(file)}))
    items = [Item(str(row), "audio", Sound(one, RATE)) for row, one in enumerate(sounds())]
    retriever.index(items)
    ranking = retriever.search(TEXTS, len(items))
    return {
        "items": retriever._encoder.encode_items(items),
        "texts": retriever._encoder.encode_texts(TEXTS),
        "scores": np.take_along_axis(ranking.scores, ranking.ids.argsort(axis=1), axis=1),
    }


def theirs(system: str, folder: Path, tokenizer: Tokenizer, *source: Path) -> dict[str, FloatArray]:
    """By the authors' code, which leaves its release in ``folder``."""
    python = goldens.peers() / "laion-clap/bin/python"
    if not python.exists():
        pytest.skip(f"{python} is not there: pip install laion-clap==1.1.7 'numpy<2' torchvision")
    tokenizer.save(str(folder / "tokenizer.json"))
    mono = {f"sound {row}": one.mean(axis=0) for row, one in enumerate(sounds())}
    np.savez(folder / "inputs.npz", texts=np.array(TEXTS), **mono)  # type: ignore[arg-type]
    root = Path(__file__).parents[2]
    words = ["-m", "tests.parity.htsat_upstream", system, str(folder), *map(str, source)]
    subprocess.run(  # noqa: S603
        [python, "-W", "ignore", *words],
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"},
    )
    with np.load(folder / "outputs.npz") as outputs:
        return {name: outputs[name] for name in outputs.files}


def _sound(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Noise that grows and a tone that climbs, float32 [1, samples]."""
    times = np.arange(int(RATE * seconds)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * (200 + 700 * times) * times)
    noise = 0.1 * times * rng.standard_normal(len(times))
    return (tone + noise).astype(np.float32)[None]
