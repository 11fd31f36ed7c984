"""HTSAT-BERT against the code of WavCaps, from samples and captions to scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from retrievers.encoders.htsat_bert import HTSAT_BERT, TINY, letter_tokenizer
from tests.parity import goldens, htsat_cases
from tests.parity.goldens import Golden
from tests.parity.seeded import seeded_state


def test_equals_what_the_code_of_wavcaps_gave(tmp_path: Path) -> None:
    golden = goldens.read("htsat-bert")
    state = seeded_state(golden.shapes)
    state["audio_encoder.audio_enc.bn0.num_batches_tracked"] = torch.tensor(7)
    torch.save({"model": state}, tmp_path / "release.pt")
    letter_tokenizer().save(str(tmp_path / "tokenizer.json"))
    goldens.assert_close(htsat_cases.ours(HTSAT_BERT, TINY, tmp_path / "release.pt"), golden)


@pytest.mark.parity
def test_equals_the_code_of_wavcaps(tmp_path: Path) -> None:
    source = goldens.upstream_source("WavCaps")
    theirs = htsat_cases.theirs("htsat-bert", tmp_path, letter_tokenizer(), source)
    ours = htsat_cases.ours(HTSAT_BERT, TINY, tmp_path / "release.pt")
    goldens.conclude(
        Golden(
            system="htsat-bert",
            upstream="XinhaoMei/WavCaps",
            version="a5a9649",
            compared="vectors of 4 sounds of 0.3 to 1.9 s from samples and of 7 texts, scores",
            difference=goldens.largest_difference(ours, theirs),
            shapes=json.loads((tmp_path / "shapes.json").read_text()),
            numbers=goldens.kept(theirs),
        )
    )
