"""``python -m datasets verify`` on the published annotation files, without their media."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from datasets.__main__ import app

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RETRIEVAL_TEST_DATA")
    if not folder:
        pytest.skip("RETRIEVAL_TEST_DATA names no folder of real data")
    return Path(folder)


def verify(name: str, real: Path, cache: Path, *more: str) -> Result:
    words = ["verify", name, "--cache", str(cache), *more]
    return CliRunner().invoke(app, words, env={"RETRIEVAL_DATA": str(real), "COLUMNS": "80"})


def counts(said: dict[str, Any], kind: str) -> list[int | None]:
    splits = said["splits"]
    return [splits[split].get(kind, {}).get("found") for split in ("train", "validation", "test")]


@pytest.mark.parametrize(
    ("name", "items", "queries"),
    [
        ("flickr30k", [0, 0, 1000], 5000),
        ("mscoco", [0, 0, 5000], 25_000),
        ("clotho", [3839, 1045, 1045], 5225),
        ("audiocaps", [49_838, 495, 975], 4875),
        ("msrvtt", [0, 0, 1000], 1000),
        ("msvd", [1200, 100, 670], 27_763),
    ],
)
def test_the_published_counts(
    name: str, items: list[int], queries: int, real: Path, tmp_path: Path
) -> None:
    ended = verify(name, real, tmp_path, "--annotations-only", "--json")
    said = json.loads(ended.stdout)
    assert counts(said, "items") == items
    assert counts(said, "items")[2] == said["splits"]["test"]["items"]["stated"]
    assert counts(said, "queries")[2] == queries == said["splits"]["test"]["queries"]["stated"]


def test_media_that_are_not_there(real: Path, tmp_path: Path) -> None:
    ended = verify("clotho", real, tmp_path)
    assert ended.exit_code == 1
    said = " ".join(ended.output.split())
    assert "0 of 5,929 files decode, 5,929 missing, 0 damaged." in said
    assert "test 1,045 5,225 5,225" in said
    assert "Protocol with these media: none" in said
