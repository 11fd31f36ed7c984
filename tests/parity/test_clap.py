"""CLAP against the package laion-clap, from samples and captions to scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from retrievers.encoders.clap import CLAP, TINY, tiny_tokenizer
from tests.parity import goldens, htsat_cases
from tests.parity.goldens import Golden
from tests.parity.seeded import seeded_state


def test_equals_what_laion_clap_gave(tmp_path: Path) -> None:
    golden = goldens.read("clap")
    state = {f"module.{name}": one for name, one in seeded_state(golden.shapes).items()}
    state["module.audio_branch.bn0.num_batches_tracked"] = torch.tensor(7)
    torch.save({"state_dict": state}, tmp_path / "release.pt")
    tiny_tokenizer().save(str(tmp_path / "tokenizer.json"))
    goldens.assert_close(htsat_cases.ours(CLAP, TINY, tmp_path / "release.pt"), golden)


@pytest.mark.parity
def test_equals_laion_clap(tmp_path: Path) -> None:
    theirs = htsat_cases.theirs("clap", tmp_path, tiny_tokenizer())
    ours = htsat_cases.ours(CLAP, TINY, tmp_path / "release.pt")
    goldens.conclude(
        Golden(
            system="clap",
            upstream="laion-clap",
            version="1.1.7",
            compared="vectors of 4 sounds of 0.3 to 1.9 s from samples and of 7 texts, scores",
            difference=goldens.largest_difference(ours, theirs),
            shapes=json.loads((tmp_path / "shapes.json").read_text()),
            numbers=goldens.kept(theirs),
        )
    )
