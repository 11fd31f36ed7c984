"""The two directions of search: a text asks for its item, an item for its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from bench.galleries import Gallery, padded, relevant_rows, shuffled
from bench.metrics import IntArray, Ranks, first_relevant_ranks
from bench.ranking_check import check_ranking
from datasets.base import MediaToText
from retrievers.base import Cost, Ranking, Retriever, TextRanker

QUESTIONS_AT_ONCE = 256
PLACES_AT_ONCE = 1_000_000

T = TypeVar("T")


@dataclass(frozen=True)
class Answers:
    """What one direction gave.

    frame  a row a question, the columns of ``bench.store.RANK_COLUMNS`` or REVERSE_COLUMNS
    cost   of the whole search
    """

    frame: pd.DataFrame
    cost: Cost


def text_to_media(retriever: Retriever, gallery: Gallery, k: int) -> Answers:
    """Ask every query for the best ``k`` items. Raises BadRanking."""
    queries = gallery.queries
    texts = [query.text for query in queries]
    blocks = _blocks(retriever.search, texts, k, len(gallery.items), QUESTIONS_AT_ONCE, "search")
    answers = _scored(
        blocks, relevant_rows(queries, gallery.items), [item.id for item in gallery.items], k
    )
    asked = {
        "query": [query.id for query in queries],
        "item": [query.relevant[0] for query in queries],
        "text": [query.text for query in queries],
    }
    return _asked_by(asked, answers)


def media_to_text(
    retriever: TextRanker, gallery: Gallery, rule: MediaToText, k: int, seed: int
) -> Answers:
    """Ask every item that has a caption for the best ``k`` captions, or caption sets.

    The texts are the gallery's queries, shuffled. By the rule "any caption" the first of the
    item's own captions counts. By "caption set" all texts are ranked and each item stands where
    its best caption does among the best captions of the others.

    Raises BadRanking.
    """
    texts = shuffled(gallery.queries, seed)
    retriever.index_texts([text.text for text in texts])
    owners = relevant_rows(texts, gallery.items)
    rows = np.unique(owners[owners >= 0])
    items = [gallery.items[row] for row in rows]
    if rule == "any caption":
        blocks = _blocks(
            retriever.search_texts, items, k, len(texts), QUESTIONS_AT_ONCE, "search texts"
        )
        answers = _scored(blocks, _captions_of(rows, owners), [text.id for text in texts], k)
    else:
        at_once = max(1, PLACES_AT_ONCE // len(texts))
        whole = _blocks(
            retriever.search_texts, items, len(texts), len(texts), at_once, "search texts"
        )
        blocks = (by_set(block, owners, len(gallery.items)) for block in whole)
        answers = _scored(blocks, rows[:, None], [item.id for item in gallery.items], k)
    ids = [item.id for item in items]
    return _asked_by({"query": ids, "item": ids}, answers)


def by_set(ranking: Ranking, owners: IntArray, sets: int) -> Ranking:
    """The ranking of the sets that texts belong to, each at its best text.

    ranking  of texts, [questions, texts] deep
    owners   [texts, most sets of a text] numbers of sets, padded with -1
    """
    best = np.full((len(ranking.ids), sets), -np.inf, np.float32)
    question, place = np.nonzero(ranking.ids >= 0)
    text, score = ranking.ids[question, place], ranking.scores[question, place]
    for owner in owners.T:
        belongs = owner[text] >= 0
        np.maximum.at(best, (question[belongs], owner[text[belongs]]), score[belongs])
    ids = np.argsort(-best, axis=1, kind="stable")
    scores = np.take_along_axis(best, ids, axis=1)
    return Ranking(np.where(np.isfinite(scores), ids, -1), scores, ranking.cost)


def ranks_of(frame: pd.DataFrame) -> Ranks:
    """The ranks that a frame of answers holds."""
    return Ranks(*(frame[name].to_numpy() for name in ("best", "worst", "right")))


def _captions_of(rows: IntArray, owners: IntArray) -> IntArray:
    """[items, most captions of an item] rows of the texts of each item, padded with -1."""
    found: dict[int, list[int]] = {int(row): [] for row in rows}
    for text, owner in zip(*np.nonzero(owners >= 0), strict=True):
        found[int(owners[text, owner])].append(int(text))
    return padded([found[int(row)] for row in rows])


def _blocks(
    search: Callable[[Sequence[T], int], Ranking],
    asked: Sequence[T],
    k: int,
    ranked: int,
    at_once: int,
    label: str,
) -> Iterator[Ranking]:
    """The rankings of all that is asked, block by block. Raises BadRanking."""
    starts = range(0, len(asked), at_once)
    for start in track(starts, description=label, console=Console(stderr=True)):
        block = asked[start : start + at_once]
        ranking = search(block, k)
        check_ranking(ranking, queries=len(block), k=k, gallery=ranked)
        yield ranking


def _scored(blocks: Iterable[Ranking], relevant: IntArray, names: Sequence[str], k: int) -> Answers:
    """Where the right answers stand, and the ids and scores of the first ``k``.

    relevant  [questions, most right answers to a question], padded with -1
    names     id of each row that is ranked
    """
    frames, costs, start = [], [], 0
    for block in blocks:
        right = relevant[start : start + len(block.ids)]
        start += len(block.ids)
        ranks = first_relevant_ranks(block.ids, block.scores, right)
        held = block.ids[:, :k] >= 0
        places = list(zip(block.ids[:, :k], block.scores[:, :k], held, strict=True))
        frames.append(
            pd.DataFrame(
                {
                    "best": ranks.best,
                    "worst": ranks.worst,
                    "right": ranks.right,
                    "ids": [[names[row] for row in ids[found]] for ids, _, found in places],
                    "scores": [scores[found].tolist() for _, scores, found in places],
                }
            )
        )
        costs.append(block.cost)
    return Answers(pd.concat(frames, ignore_index=True), added(costs))


def _asked_by(asked: dict[str, list[str]], answers: Answers) -> Answers:
    frame = pd.concat([pd.DataFrame(asked), answers.frame], axis=1)
    return Answers(frame, answers.cost)


def added(costs: Iterable[Cost]) -> Cost:
    """The work of several searches."""
    parts = list(costs)
    return Cost(
        **{field.name: sum(getattr(one, field.name) for one in parts) for field in fields(Cost)}
    )
