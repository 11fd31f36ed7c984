"""GRACE's beam against the score of every identifier, and what each kind of token computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cart.beam import beam_search
from cart.config import ModelConfig
from cart.prefix_tree import ENDED, PrefixTree
from cart.targets import Targets
from cart.tokenizer import encode, pad, train_tokenizer
from retrievers.grace.config import GraceConfig
from retrievers.grace.gallery import Gallery
from retrievers.grace.model import GraceModel, Lessons, negative_log_likelihood
from retrievers.grace.tokens import IdentifierTokens, ItemTokens, LevelTokens, WordTokens

CONFIG = ModelConfig(
    width=16, heads=2, feed_forward=16, encoder_layers=2, coarse_gate="off", fine_fusion=False
)
WORDS = (
    WordTokens(16, (12, 4)),
    np.array(
        [
            [3, 4, 9, ENDED],
            [3, 4, 10, ENDED],
            [3, 4, 5, 9],
            [9, ENDED, ENDED, ENDED],
            [0, 9, -1, -1],
        ]
    ),
)
LEVELS = (
    LevelTokens(16, (4, 4, 4)),
    np.array([[0, 1, ENDED], [0, 2, 0], [0, 2, 1], [3, ENDED, ENDED], [1, 0, 3]]),
)
ITEMS = ItemTokens(16, (8, 6)), np.array([[7], [3], [4], [5], [6]])
KINDS = ["words", "levels", "items"]
QUERIES = ["a red disc", "", "two dogs on a wall and a hat"]


def model_of(tokens: IdentifierTokens) -> GraceModel:
    """Far from flat, so that no two identifiers are alike."""
    torch.manual_seed(0)
    model = GraceModel(CONFIG, 300, 6, tokens).eval()
    with torch.no_grad():
        for parameter in tokens.parameters():
            parameter.normal_()
        if isinstance(tokens, ItemTokens):
            tokens.matrix.normal_()
    return model


def log_probability(model: GraceModel, query: list[int], identifier: list[int]) -> float:
    """Word after word, each with all before it decoded anew."""
    total = 0.0
    with torch.no_grad():
        encoded = model.encode(torch.tensor([query]), torch.ones((1, len(query)), dtype=torch.bool))
        for level, token in enumerate(identifier):
            before = torch.tensor([[*identifier[:level], 0]])
            y = model.decode(encoded, before)[0, -1]
            total += float(model.logits(level, y).log_softmax(0)[token])
    return total


@pytest.mark.parametrize("penalty", [0.0, -2.0])
@pytest.mark.parametrize(("tokens", "rows"), [WORDS, LEVELS, ITEMS], ids=KINDS)
def test_a_gallery_answers_as_the_score_of_every_identifier_says(
    tokens: IdentifierTokens, rows: np.ndarray, penalty: float
) -> None:
    model, tokenizer = model_of(tokens), train_tokenizer(QUERIES, 300)
    config = replace(GraceConfig(model=CONFIG), length_penalty=penalty)
    gallery = Gallery(config, tokenizer, model, rows, PrefixTree.build(rows), "cpu")
    answer = gallery.search(QUERIES, len(rows))
    for query, read in enumerate(encode(tokenizer, QUERIES, CONFIG.max_tokens)):
        written = [[token for token in row if token != ENDED] for row in rows.tolist()]
        scores = np.array(
            [log_probability(model, read, row) / (len(row) + 1) ** penalty for row in written]
        )
        order = np.argsort(-scores)
        assert answer.items[query].tolist() == order.tolist()
        np.testing.assert_allclose(answer.scores[query], scores[order], rtol=1e-4)
    few = gallery.search(QUERIES, 2)
    np.testing.assert_array_equal(few.items, answer.items[:, :2])


def test_the_penalty_orders_what_ten_beams_found_and_no_more() -> None:
    levels = LevelTokens(16, (30, 4))
    rows = np.array([[one, ENDED] for one in range(20)] + [[20 + one, 0] for one in range(10)])
    model, tokenizer = model_of(levels), train_tokenizer(QUERIES, 300)
    config = GraceConfig(model=CONFIG)
    gallery = Gallery(config, tokenizer, model, rows, PrefixTree.build(rows), "cpu")
    ids, mask = pad(encode(tokenizer, QUERIES, CONFIG.max_tokens))
    beams = beam_search(model, gallery.tree, ids, mask, 10, config.search.beam, "nothing")
    answer = gallery.search(QUERIES, 10)
    for found, penalised in zip(beams.items.tolist(), answer.items.tolist(), strict=True):
        assert set(found) == set(penalised)
    # Of ten beams' items; divided by length, another might have come first.
    assert not answer.certified.any()


def test_an_atomic_answer_is_a_softmax_over_inner_products_with_frozen_vectors() -> None:
    model = model_of(ITEMS[0])
    tokens = model.written
    assert isinstance(tokens, ItemTokens)
    y = torch.randn(3, 16)
    torch.testing.assert_close(tokens.logits(0, y), tokens.map(y) @ tokens.matrix.T)
    assert "matrix" not in dict(tokens.named_parameters())
    with pytest.raises(ValueError, match="one token"):
        tokens.embed(0, torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize(("tokens", "rows"), [WORDS, LEVELS, ITEMS], ids=KINDS)
def test_the_loss_is_the_mean_over_the_tokens_that_are_there(
    tokens: IdentifierTokens, rows: np.ndarray
) -> None:
    model, wanted = model_of(tokens), torch.from_numpy(rows)
    queries = [[1, 5 + row] for row in range(len(rows))]
    ids, mask = pad(queries)
    with torch.no_grad():
        loss = negative_log_likelihood(model, model.encode(ids, mask), wanted)
    written = [[token for token in row if token != ENDED] for row in rows.tolist()]
    total = sum(
        log_probability(model, query, row) for query, row in zip(queries, written, strict=True)
    )
    assert float(loss) == pytest.approx(-total / sum(map(len, written)), rel=1e-4)


def test_memorising_adds_the_loss_of_items_read_from_their_embeddings() -> None:
    tokens, rows = LEVELS
    model, wanted = model_of(tokens), torch.from_numpy(rows)
    embeddings = F.normalize(torch.randn(len(rows), 6), dim=1)
    ids, mask = pad([[1, 5 + row] for row in range(len(rows))])
    targets = Targets(wanted[:, None], torch.ones(len(rows), 1))
    alone = Lessons(model, embeddings, wanted, 0).loss(ids, mask, targets)
    torch.manual_seed(4)
    drawn = torch.randint(len(rows), (7,))
    torch.manual_seed(4)
    both = Lessons(model, embeddings, wanted, 7).loss(ids, mask, targets)
    of_items = negative_log_likelihood(model, model.encode_items(embeddings[drawn]), wanted[drawn])
    torch.testing.assert_close(both, alone + of_items)
