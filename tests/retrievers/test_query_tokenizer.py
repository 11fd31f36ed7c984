"""The tokenizer that a user names for CART."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from retrievers.base import Settings, WeightsAbsent
from retrievers.cart import CartAdapter
from retrievers.query_tokenizer import availability, fingerprint, open_tokenizer
from retrievers.weights.report import CheckpointError

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "brown", "dog", "runs", "two", "cats")


def word_level() -> Tokenizer:
    ids = {word: row for row, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(ids, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def as_bert_writes_it(folder: Path) -> Path:
    """A vocabulary and a word on what kind it is, without a tokenizer.json."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    told = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    return folder


def test_a_file_and_a_folder_and_a_vocabulary_are_read_alike(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    word_level().save(str(whole / "tokenizer.json"))
    sources = [whole, whole / "tokenizer.json", as_bert_writes_it(tmp_path / "bert")]
    for source in sources:
        read = open_tokenizer(str(source))
        found = read.encode("two brown dog", add_special_tokens=False).ids
        assert found == [WORDS.index(word) for word in ("two", "brown", "dog")], source
        assert availability(str(source)).ready
    assert fingerprint(str(sources[0])) == fingerprint(str(sources[1]))
    assert fingerprint(str(sources[0])) != fingerprint(str(sources[2]))


def test_what_is_no_tokenizer_is_refused_with_a_sentence(tmp_path: Path) -> None:
    damaged = tmp_path / "tokenizer.json"
    damaged.write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be read as a tokenizer"):
        open_tokenizer(str(damaged))
    empty = Tokenizer(models.WordLevel({"[UNK]": 0}, "[UNK]"))
    empty.save(str(damaged))
    with pytest.raises(CheckpointError, match="vocabulary is missing"):
        open_tokenizer(str(damaged))
    with pytest.raises(WeightsAbsent, match="no file or folder"):
        open_tokenizer(str(tmp_path / "absent"))
    assert not availability(str(tmp_path / "absent")).ready


def test_the_spec_names_it_and_its_digest_and_its_size(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    word_level().save(str(path))
    settings = Settings(0, "cpu", tmp_path, checkpoint={"tokenizer": str(path)})
    spec = CartAdapter().describe(settings)
    assert spec.checkpoint["tokenizer"] == str(path)
    assert spec.revision["tokenizer"] == fingerprint(str(path))
    assert spec.options["vocabulary"] == len(WORDS) + 1
    plain = CartAdapter().describe(Settings(0, "cpu", tmp_path))
    assert "tokenizer" not in {**plain.checkpoint, **plain.revision}
    assert plain.options["vocabulary"] == CartAdapter().config.vocabulary


def test_a_tokenizer_that_is_not_there_is_told_before_anything_runs(tmp_path: Path) -> None:
    settings = Settings(0, "cpu", tmp_path, checkpoint={"tokenizer": str(tmp_path / "absent")})
    told = CartAdapter().availability(settings)
    assert not told.ready
    assert "absent" in told.sentence
