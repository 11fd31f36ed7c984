"""A key names everything that decides a result, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.results import RETRIEVER, SPEC


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, dataset="toys-2"),
        replace(SPEC, protocol="own-split-9of10"),
        replace(SPEC, dataset_digest="d2"),
        replace(SPEC, seed=1),
        replace(SPEC, k=20),
        replace(SPEC, code="c2"),
        replace(SPEC, retriever=replace(RETRIEVER, name="toy2")),
        replace(SPEC, retriever=replace(RETRIEVER, checkpoint={"image": "other"})),
        replace(SPEC, retriever=replace(RETRIEVER, revision={"image": "abd"})),
        replace(SPEC, retriever=replace(RETRIEVER, options={**RETRIEVER.options, "width": 4})),
        replace(SPEC, retriever=replace(RETRIEVER, options={})),
    ],
)
def test_another_result_has_another_key(other: object) -> None:
    assert other.key != SPEC.key  # type: ignore[attr-defined]


def test_the_order_of_options_does_not_matter() -> None:
    turned = dict(reversed(RETRIEVER.options.items()))
    assert replace(SPEC, retriever=replace(RETRIEVER, options=turned)).key == SPEC.key


def test_a_key_is_a_folder_name() -> None:
    assert len(SPEC.key) == 32
    assert set(SPEC.key) <= set("0123456789abcdef")
