"""Queries as tokens: our own tokenizer, and another's made fit for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from cart.cart import Cart
from cart.saving import load, save
from cart.tokenizer import PAD, START, adopted, encode, pad, train_tokenizer, vocabulary_size
from tests.cart.test_training import COLOURS, CONFIG, SHAPES, world

WORDS = ("a", "this", "is", "brown", "dog", "runs", "two", "cats", *COLOURS, *SHAPES)
OWN = train_tokenizer(["a brown dog runs", "two cats sleep on the sofa"], 300)


def of_another_model() -> Tokenizer:
    """Words as BERT has them: marks around a text, padding and cutting of its own, and ids with
    holes between them."""
    ids = {word: 3 * row + 7 for row, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, **ids}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.enable_padding(length=12)
    tokenizer.enable_truncation(4)
    return tokenizer


def test_another_models_tokenizer_neither_pads_nor_cuts_nor_marks() -> None:
    own = adopted(of_another_model())
    start = own.token_to_id(START)
    dog, cats = own.token_to_id("dog"), own.token_to_id("cats")
    assert encode(own, ["dog cats", "", "dog " * 9], 8) == [
        [start, dog, cats],
        [start],
        [start, *[dog] * 7],
    ]


def test_every_token_has_a_place_among_the_embeddings_whatever_holes_there_are() -> None:
    own = adopted(of_another_model())
    assert vocabulary_size(own) == max(own.get_vocab().values()) + 1 > own.get_vocab_size()
    assert own.token_to_id(START) < vocabulary_size(own)


def test_adopting_again_changes_nothing_and_the_given_one_stays_as_it_is() -> None:
    given_one = of_another_model()
    before = given_one.to_str()
    own = adopted(given_one)
    assert given_one.to_str() == before
    assert adopted(own).to_str() == own.to_str()


def test_a_tokenizer_without_its_vocabulary_is_refused() -> None:
    empty = Tokenizer(models.WordLevel({"[UNK]": 0}, "[UNK]"))
    empty.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ValueError, match="vocabulary is missing"):
        adopted(empty)
    with pytest.raises(ValueError, match="vocabulary is missing"):
        adopted(Tokenizer(models.BPE()))


@given(st.text(max_size=20), st.sampled_from([PAD, START]), st.text(max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_text_that_spells_a_special_token_is_text(before: str, special: str, behind: str) -> None:
    [tokens] = encode(OWN, [before + special + behind], 200)
    assert tokens[0] == OWN.token_to_id(START)
    assert not {OWN.token_to_id(PAD), OWN.token_to_id(START)} & set(tokens[1:])


def test_padding_is_masked() -> None:
    ids, mask = pad([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]


def test_a_cart_reads_by_the_tokenizer_that_it_is_given_and_is_saved_with_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("cart")
    pairs, _ = world(0, 2)
    model = Cart(CONFIG, 0, tokenizer=of_another_model())
    model.fit(pairs, world(1, 1)[0], None)
    model.absorb(pairs.embeddings, None)
    assert model.tokenizer is not None
    assert model.tokenizer.token_to_id("disc") == of_another_model().token_to_id("disc")
    again = Cart(CONFIG, 0)
    save(model, folder)
    load(again, folder)
    asked = ["a red disc", "this star is blue", "", "unheard of"]
    assert (again.search(asked, 5).items == model.search(asked, 5).items).all()
