"""Result folders for the tests, written through the real store with pictures drawn here."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from bench.cells import Cell, CellSpec, Measure
from bench.files import digest_of
from bench.item_media import ItemMedia
from bench.looks import ATTACHMENT, Looks, Seen, drawn, looks_to_json
from bench.media_samples import clip_sample, sound_sample
from bench.store import ResultStore
from datasets.base import Clip, Item, MediaToText, Modality, Sound
from retrievers.base import Paradigm, RetrieverSpec, Weights

DEPTH = 10
COLOURS = {
    "crimson": (196, 40, 60),
    "teal": (20, 130, 130),
    "amber": (230, 160, 30),
    "violet": (110, 70, 170),
    "olive": (110, 120, 40),
}
SHAPES = ("disc", "square", "triangle")
GROUNDS = ((236, 232, 222), (40, 46, 58), (205, 220, 232), (120, 140, 110))


@dataclass(frozen=True)
class Plan:
    """What one stored result should look like; ``skill`` is the chance of rank 1."""

    retriever: str
    dataset: str = "photos"
    protocol: str = "seeded-split-0"
    paradigm: Paradigm = "dual tower"
    weights: Weights = "trained here"
    synthetic: bool = False
    seed: int = 0
    skill: float = 0.5
    items: int = 24
    captions: int = 5
    digest: str = "9f31c2d07be44aa8"
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str | int | float | bool | None] = field(
        default_factory=lambda: {"index": "exact", "dimensions": 128, "temperature": 0.07}
    )
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    modality: Modality = "image"
    rule: MediaToText = "any caption"
    reverse: bool = False
    folds: int = 1
    created: str = "2026-11-21T09:45:00+00:00"
    seconds: Mapping[str, float] = field(
        default_factory=lambda: {
            "fit/epochs": 141.7,
            "fit/tokenizer": 0.8,
            "index/encode": 2.31,
            "index/build": 0.04,
            "search/encode": 3.9,
        }
    )
    pace: float = 420.0
    machine: Mapping[str, str] = field(
        default_factory=lambda: {
            "processor": "Example Processor 3.1 GHz",
            "cores": "2",
            "threads": "2",
            "memory": "8.2 GB",
            "accelerator": "none",
            "system": "Linux 6.8",
        }
    )


def cell_spec(plan: Plan) -> CellSpec:
    return CellSpec(
        retriever=RetrieverSpec(
            name=plan.retriever,
            paradigm=plan.paradigm,
            modalities=(plan.modality,),
            weights=plan.weights,
            licence="Apache-2.0",
            checkpoint=plan.checkpoint,
            revision=dict.fromkeys(plan.checkpoint, "blake2b:4f0c77d1"),
            options=plan.options,
        ),
        dataset=plan.dataset,
        protocol=plan.protocol,
        dataset_digest=plan.digest,
        synthetic=plan.synthetic,
        seed=plan.seed,
        k=DEPTH,
        code="c0de5eed",
    )


def store_result(
    store: ResultStore,
    plan: Plan,
    texts: Sequence[str] = (),
    media: Callable[[ResultStore, Plan, int], ItemMedia] | None = None,
    attachments: Mapping[str, bytes] | None = None,
) -> Cell:
    """Write one finished cell; its captions are ``texts``, repeated, or described scenes.

    media        names the media of an item, by its number; without it they are drawn here
    attachments  what is stored beside it besides its looks
    """
    rng = np.random.default_rng([plan.seed, len(plan.retriever), plan.items])
    queries = plan.items * plan.captions
    best = _ranks(rng, queries, plan.skill)
    captions = [
        texts[place % len(texts)] if texts else scene_caption(place // plan.captions)
        for place in range(queries)
    ]
    ranks = pd.DataFrame(
        {
            "query": [f"q{place:05d}" for place in range(queries)],
            "item": [f"item-{place // plan.captions}" for place in range(queries)],
            "text": captions,
            "best": best,
            "worst": best,
            "right": (best > 0).astype(np.int64),
            "ids": [
                _top(place // plan.captions, rank, len(plan.retriever))
                for place, rank in enumerate(best)
            ],
            "scores": [list(np.linspace(0.9, 0.1, DEPTH))] * queries,
        }
    )
    last = best[plan.captions - 1 :: plan.captions]
    backward = ranks.iloc[:: plan.captions].assign(
        query=[f"item-{item}" for item in range(plan.items)],
        **dict.fromkeys(("best", "worst"), last),
        right=(last > 0).astype(np.int64),
    )
    cell = Cell(
        spec=cell_spec(plan),
        status="done",
        created=plan.created,
        command=f"python -m bench.accuracy --dataset {plan.dataset} "
        f"--retriever {plan.retriever} --seeds {plan.seed}",
        modality=plan.modality,
        media_to_text=plan.rule,
        metrics=metrics(best),
        reverse=metrics(last) if plan.reverse else {},
        counts={
            "gallery": plan.items // plan.folds,
            "folds": plan.folds,
            "queries": queries,
            "items_asked": plan.items,
            "train_items": 4 * plan.items,
        },
        seconds=plan.seconds,
        pace={"batch-100": Measure(plan.pace, 0.9 * plan.pace, 1.1 * plan.pace)},
        memory={"peak_bytes": 913_000_000 + plan.seed, "index_bytes": plan.items * 512},
        diagnostics=plan.diagnostics,
        machine=plan.machine,
        versions={"numpy": "2.4.1", "torch": "2.13.0", "python": "3.11.9"},
        revision="b884516d0c3e+changes",
        notes=plan.notes,
    )
    shown = looks_to_json(_looks(store, plan, ranks, media or stored_media))
    store.write(
        cell,
        ranks,
        reverse=backward if plan.reverse else None,
        attachments={ATTACHMENT: shown, **(attachments or {})},
    )
    return cell


def _top(item: int, rank: int, shift: int) -> list[str]:
    """Ten items, the right one at its rank; ``shift`` makes retrievers answer differently."""
    top = [f"item-{item + shift + other}" for other in range(1, DEPTH + 1)]
    if rank:
        top[rank - 1] = f"item-{item}"
    return top


def _looks(
    store: ResultStore,
    plan: Plan,
    ranks: pd.DataFrame,
    media: Callable[[ResultStore, Plan, int], ItemMedia],
) -> Looks:
    chosen = drawn(plan.dataset, plan.protocol, ranks["query"])
    by_query = ranks.set_index("query")
    queries = {query: (str(by_query.loc[query, "item"]),) for query in chosen}
    met = {item for query in chosen for item in (*by_query.loc[query, "ids"], *queries[query])}
    numbers = sorted(int(item.removeprefix("item-")) for item in met)
    writes = plan.paradigm == "generative"
    return Looks(
        queries,
        {
            f"item-{n}": Seen(media(store, plan, n), (n // 8, n % 8, 0) if writes else ())
            for n in numbers
        },
    )


def stored_media(store: ResultStore, plan: Plan, number: int) -> ItemMedia:
    """A scene, with a tone or a moving band where the plan's items are sounds or videos."""
    kind = {"audio": "mp3", "video": "webm"}.get(plan.modality)
    return ItemMedia(
        _kept(store, scene_jpeg(number), "jpg"),
        _kept(store, _sample(plan.modality, number), kind) if kind else "",
    )


def _kept(store: ResultStore, content: bytes, suffix: str) -> str:
    name = f"{digest_of(content)}.{suffix}"
    store.keep_medium(name, lambda: content)
    return name


@cache
def _sample(modality: Modality, number: int) -> bytes:
    if modality == "audio":
        tone = np.sin(2 * np.pi * (200 + 40 * number) * np.arange(4_000) / 8_000)
        return sound_sample(Item("tone", "audio", Sound(tone[None].astype(np.float32), 8_000)))
    frames = np.zeros((6, 24, 32, 3), np.uint8)
    for place, frame in enumerate(frames):
        frame[:, 5 * place : 5 * place + 5, number % 3] = 200
    return clip_sample(Item("band", "video", Clip(frames, np.arange(6) / 6)))


def store_failure(store: ResultStore, plan: Plan, reason: str) -> Cell:
    cell = Cell(
        spec=cell_spec(plan),
        status="failed",
        created=plan.created,
        command=f"python -m bench.accuracy --retriever {plan.retriever}",
        reason=reason,
        machine=plan.machine,
        revision="b884516d0c3e",
    )
    store.write(cell)
    return cell


def metrics(best: np.ndarray) -> dict[str, Measure]:
    """Recall and MRR of ranks without ties, with a normal interval: enough to be told apart."""
    per_query = {f"R@{k}": (best > 0) & (best <= k) for k in (1, 5, 10)}
    per_query["MRR@10"] = np.where(best > 0, 1 / np.maximum(best, 1), 0)
    found = {}
    for name, values in per_query.items():
        value = float(np.mean(values))
        half = 1.96 * float(np.std(values)) / len(values) ** 0.5
        found[name] = Measure(value, max(0.0, value - half), min(1.0, value + half))
    return found


def _ranks(rng: np.random.Generator, queries: int, skill: float) -> np.ndarray:
    later = rng.geometric(max(0.15, skill / 2), queries) + 1
    best = np.where(rng.random(queries) < skill, 1, later)
    return np.where(best > DEPTH, 0, best).astype(np.int64)


def scene_caption(item: int) -> str:
    (first, one), (second, other) = _scene(item)
    return f"One {first} {one} to the left of a smaller {second} {other}."


def _scene(item: int) -> list[tuple[str, str]]:
    rng = np.random.default_rng(item)
    colours = rng.choice(list(COLOURS), 2, replace=False)
    return [(str(colour), str(rng.choice(SHAPES))) for colour in colours]


@cache
def scene_jpeg(item: int) -> bytes:
    """The scene that ``scene_caption`` tells, 160 pixels on its longer side."""
    rng = np.random.default_rng(item)
    width, height = (160, 120) if item % 3 else (110, 160)
    picture = Image.new("RGB", (width, height), GROUNDS[item % len(GROUNDS)])
    draw = ImageDraw.Draw(picture)
    for (colour, shape), across, radius in zip(
        _scene(item), (0.3, 0.74), (0.24, 0.15), strict=True
    ):
        x, y = across * width, height * float(rng.uniform(0.35, 0.65))
        r = radius * min(width, height) * float(rng.uniform(0.9, 1.1))
        if shape == "disc":
            draw.ellipse((x - r, y - r, x + r, y + r), COLOURS[colour])
        elif shape == "square":
            draw.rectangle((x - r, y - r, x + r, y + r), COLOURS[colour])
        else:
            draw.polygon([(x - r, y + r), (x + r, y + r), (x, y - r)], COLOURS[colour])
    grained = np.asarray(picture) + rng.normal(0, 5, (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(grained, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
