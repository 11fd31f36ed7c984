"""Means over datasets, withheld wherever one of them is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.averages import Average, averages
from bench.cells import Cell, Measure
from bench.store import ResultStore
from bench.summary import Row, summarise
from datasets.base import Modality
from retrievers.base import Weights
from tests.bench.results import RETRIEVER, done, failed, frame

PLACES = {"photos": [1, 1, 0, 1], "pictures": [1, 0, 0, 0], "clips": [0, 0, 2, 0]}


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path)


def put(
    store: ResultStore,
    name: str,
    dataset: str,
    *,
    modality: Modality = "image",
    ranks: tuple[Modality, ...] = ("image",),
    weights: Weights = "pretrained",
    **changes: object,
) -> Cell:
    retriever = replace(RETRIEVER, name=name, modalities=ranks, weights=weights)
    places = PLACES[dataset]
    cell = replace(
        done(places, retriever=retriever, dataset=dataset, **changes),  # type: ignore[arg-type]
        modality=modality,
    )
    store.write(cell, frame(places))
    return cell


def of(store: ResultStore) -> dict[tuple[str, tuple[Modality, ...]], Average]:
    return {(one.label, one.over): one for one in averages(summarise(store))}


def test_the_mean_of_a_retriever_that_finished_all(store: ResultStore) -> None:
    for dataset in ("photos", "pictures"):
        put(store, "whole", dataset)
    (found,) = averages(summarise(store))
    assert found.withheld == ""
    assert found.over == ("image",)
    assert found.datasets == (("photos", "own-split"), ("pictures", "own-split"))
    assert found.metrics["R@1"].value == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert found.metrics["R@1"].low < found.metrics["R@1"].value < found.metrics["R@1"].high


def test_the_interval_is_that_of_independent_normal_figures() -> None:
    rng = np.random.default_rng(3)
    spread = {"photos": 0.03, "pictures": 0.05}
    rows = [
        Row(
            name,
            "own-split",
            True,
            replace(RETRIEVER, modalities=("image",)),
            (0,),
            "done",
            metrics={
                metric: Measure(0.5, 0.5 - 1.96 * sd, 0.5 + 1.96 * sd)
                for metric in ("R@1", "R@5", "R@10")
            },
        )
        for name, sd in spread.items()
    ]
    (found,) = averages(rows)
    drawn = np.mean([rng.normal(0.5, sd, 200_000) for sd in spread.values()], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.metrics["R@1"].low == pytest.approx(low, abs=0.001)
    assert found.metrics["R@1"].high == pytest.approx(high, abs=0.001)


def test_a_missing_or_failed_dataset_withholds_the_mean_and_is_named(store: ResultStore) -> None:
    for dataset in ("photos", "pictures"):
        put(store, "whole", dataset)
    for name in ("absent", "broken"):
        put(store, name, "photos")
    store.write(
        failed(
            retriever=replace(RETRIEVER, name="broken", modalities=("image",)), dataset="pictures"
        )
    )
    found = of(store)
    assert found["whole", ("image",)].metrics
    absent, broken = found["absent", ("image",)], found["broken", ("image",)]
    assert absent.metrics == broken.metrics == {}
    assert absent.withheld == "No mean: pictures (own-split) was not measured."
    assert broken.withheld == "No mean: pictures (own-split) is failed."


def test_another_protocol_is_not_the_same_dataset(store: ResultStore) -> None:
    for name in ("one", "other"):
        put(store, name, "photos")
        put(store, name, "pictures")
    put(store, "odd", "photos")
    put(store, "odd", "pictures", protocol="own-split-3of4")
    found = of(store)
    assert found["one", ("image",)].metrics
    assert "pictures (own-split) was not measured" in found["odd", ("image",)].withheld


def test_an_enlarged_gallery_is_no_dataset_of_its_own(store: ResultStore) -> None:
    for dataset in ("photos", "pictures"):
        put(store, "whole", dataset)
    put(store, "whole", "photos", protocol="own-split full corpus")
    (found,) = averages(summarise(store))
    assert [protocol for _, protocol in found.datasets] == ["own-split", "own-split"]
    assert found.metrics


def test_twins_and_real_sets_and_the_untrained_stay_apart(store: ResultStore) -> None:
    for dataset in ("photos", "pictures"):
        put(store, "trained", dataset)
        put(store, "chance", dataset, weights="random")
    put(store, "trained", "photos", synthetic=False)
    found = averages(summarise(store))
    assert {(one.label, one.synthetic, one.untrained) for one in found} == {
        ("trained", True, False),
        ("chance (untrained)", True, True),
    }
    assert all(one.metrics and len(one.datasets) == 2 for one in found)


def test_over_all_that_a_retriever_ranks(store: ResultStore) -> None:
    for name, ranks in (("both", ("image", "video")), ("images", ("image",))):
        for dataset in ("photos", "pictures"):
            put(store, name, dataset, ranks=ranks)  # type: ignore[arg-type]
    put(store, "both", "clips", modality="video", ranks=("image", "video"))
    found = of(store)
    assert set(found) == {
        ("both", ("image",)),
        ("both", ("image", "video")),
        ("images", ("image",)),
    }
    mean = found["both", ("image", "video")].metrics
    assert mean["R@1"].value == pytest.approx((3 / 4 + 1 / 4 + 0) / 3)
    assert mean["R@5"].value == pytest.approx((3 / 4 + 1 / 4 + 1 / 4) / 3)


def test_checkpoints_are_retrievers_of_their_own(store: ResultStore) -> None:
    put(store, "tower", "photos")
    put(store, "tower", "pictures")
    other = replace(RETRIEVER, name="tower", modalities=("image",), checkpoint={"image": "b"})
    cell = replace(done(PLACES["photos"], retriever=other, dataset="photos"), modality="image")
    store.write(cell, frame(PLACES["photos"]))
    found = averages(summarise(store))
    assert len(found) == 2
    assert sorted(bool(one.withheld) for one in found) == [False, True]


def test_nothing_stored_nothing_averaged() -> None:
    assert averages([]) == []
