"""The part of a beam's tree that is drawn, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.inside.record import Branch, QueryTree
from reports import units

# Answers that are drawn, and prefixes a step that were let go.
ANSWERS = 5
LET_GO = 2


@dataclass(frozen=True)
class Node:
    """A branch that is drawn.

    prefix  all its tokens
    parent  the place of what it extends among the nodes, -1 at the first step
    height  rows from the top: a leaf's own, or the middle of its children's
    answer  its place in the ranking from 1; 0 where it is in none
    """

    branch: Branch
    prefix: tuple[int, ...]
    parent: int
    height: float
    answer: int

    @property
    def codes(self) -> str:
        """As "17, 4, 33"."""
        return codes(self.prefix)

    @property
    def state(self) -> str:
        return "kept" if self.branch.kept else "let go"


@dataclass(frozen=True)
class Drawn:
    """A tree to be drawn: its nodes in the order of the record, and how many rows it takes."""

    tree: QueryTree
    names: tuple[str, ...]
    nodes: tuple[Node, ...]
    rows: int

    def counts(self, step: int) -> tuple[int, int, int]:
        """Prefixes of a step: weighed, kept, and how many of the kept ones are drawn."""
        size = self.tree.steps[step]
        shown = sum(node.branch.step == step and node.branch.kept for node in self.nodes)
        return size.weighed, size.kept, shown


def codes(prefix: Iterable[int]) -> str:
    """Tokens with commas; those behind the end of a short identifier are left out."""
    return ", ".join(str(token) for token in prefix if token >= 0)


def drawn(tree: QueryTree) -> Drawn:
    """What leads to the first ``ANSWERS`` answers, whatever begins a right identifier, and the
    likeliest prefixes that were let go beside it."""
    answers = _answers(tree)
    shown = _shown(tree, answers)
    heights, rows = _heights(tree, shown)
    places = {number: place for place, number in enumerate(shown)}
    prefixes: dict[int, tuple[int, ...]] = {-1: ()}
    nodes = []
    for number in shown:
        branch = tree.branches[number]
        prefixes[number] = (*prefixes[branch.parent], branch.code)
        nodes.append(
            Node(
                branch,
                prefixes[number],
                places.get(branch.parent, -1),
                heights[number],
                answers.get(number, 0),
            )
        )
    return Drawn(tree, token_names(len(tree.steps)), tuple(nodes), rows)


def token_names(length: int) -> tuple[str, ...]:
    """Of the positions of identifiers of ``length`` tokens, as ``cart.diagnosis`` names them."""
    return (*["k", *(f"v{place}" for place in range(1, length - 1))][: length - 1], "u")


def _answers(tree: QueryTree) -> dict[int, int]:
    """Branch -> its place in the ranking, of those that the beam ended with."""
    last = len(tree.steps) - 1
    ended = [
        number for number, branch in enumerate(tree.branches) if branch.step == last and branch.kept
    ]
    return {number: place for place, number in enumerate(ended[: tree.k], start=1)}


def _shown(tree: QueryTree, answers: dict[int, int]) -> list[int]:
    """Branches by number, ascending; of each the ones that it extends too."""
    wanted = {number for number, place in answers.items() if place <= ANSWERS}
    wanted |= {number for number, branch in enumerate(tree.branches) if branch.right}
    shown = {one for number in wanted for one in (number, *_before(tree, number))}
    for step in range(len(tree.steps)):
        beside = [
            number
            for number, branch in enumerate(tree.branches)
            if branch.step == step and not branch.kept and branch.parent in {-1, *shown}
        ]
        shown.update(beside[:LET_GO])
    return sorted(shown)


def _before(tree: QueryTree, number: int) -> Iterator[int]:
    parent = tree.branches[number].parent
    while parent >= 0:
        yield parent
        parent = tree.branches[parent].parent


def _heights(tree: QueryTree, shown: list[int]) -> tuple[dict[int, float], int]:
    """Each branch's row, and how many rows there are: children lie together, kept ones first."""
    children: dict[int, list[int]] = {}
    for number in shown:
        children.setdefault(tree.branches[number].parent, []).append(number)
    heights: dict[int, float] = {}
    rows = 0
    waiting = [*reversed(children.get(-1, []))]
    while waiting:
        number = waiting[-1]
        below = children.get(number, [])
        if below and below[0] not in heights:
            waiting.extend(reversed(below))
            continue
        waiting.pop()
        if below:
            heights[number] = (heights[below[0]] + heights[below[-1]]) / 2
        else:
            heights[number] = rows
            rows += 1
    return heights, rows


def story(shown: Drawn) -> Iterator[str]:
    """What became of each right item, a sentence each."""
    for item in shown.tree.right:
        own = [
            node
            for node in shown.nodes
            if node.branch.right and node.prefix == item.identifier[: len(node.prefix)]
        ]
        yield _ending(shown, name(item.id), item.identifier, own)


def _ending(shown: Drawn, item: str, identifier: tuple[int, ...], own: list[Node]) -> str:
    whole = f"The right item {item} is written {codes(identifier)}."
    if not own:
        return f"{whole} No step weighed a prefix of it."
    last = own[-1]
    score = logarithm(last.branch.score)
    if not last.branch.kept:
        written = shown.names[last.branch.step]
        return (
            f"{whole} It fell out at {written}, where its prefix {last.codes} had {score}"
            f"{_bar(shown, last.branch.step)}."
        )
    if last.answer:
        return f"{whole} It was kept at every step and ended at rank {last.answer} with {score}."
    return (
        f"{whole} It was kept at every step with {score}, and ended behind the first "
        f"{shown.tree.k}."
    )


def _bar(shown: Drawn, step: int) -> str:
    """The score that would have been enough, where the record holds it."""
    kept = [one.score for one in shown.tree.branches if one.step == step and one.kept]
    if len(kept) < shown.tree.steps[step].kept:
        return ""
    return f" and the last one kept {logarithm(min(kept))}"


def logarithm(score: float) -> str:
    """A log-probability with a true minus sign and two decimals."""
    return f"{score:.2f}".replace("-", "\N{MINUS SIGN}")


def name(item: str) -> str:
    """An item's id on one line, with what cannot be seen made visible."""
    return " ".join(units.visible(item).split())
