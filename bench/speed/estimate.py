"""What rows are estimated to need, asked of their own code before anything is built.

Their code imports torch, so it is asked in a process of its own
(``python -m bench.speed.estimate DESCRIPTOR``), which reads the questions as one line of JSON from
standard input and says the answers on the given file descriptor, a line each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.as_child import failure_sentence, obey_parent, teller
from bench.children import death, start_child
from bench.speed.lookup import served_class, served_row
from retrievers.serving.contract import CannotServe, Needs, Place


@dataclass(frozen=True)
class Question:
    """A row that may be run at a place with so many candidates.

    row  its name, or its full name
    """

    row: str
    place: Place
    candidates: int


@dataclass(frozen=True)
class Estimated:
    """What a row needs, or why there is no such figure.

    cannot  why it cannot run here, its own sentence
    broken  what went wrong where its code fails
    """

    needs: Needs | None = None
    cannot: str = ""
    broken: str = ""


def estimates(questions: Sequence[Question]) -> list[Estimated]:
    """The answers, in the order of the questions. Rows that fail spoil no other."""
    if not questions:
        return []
    child = start_child("bench.speed.estimate", quiet=True)
    try:
        child.tell(json.dumps([_question_to_json(each) for each in questions]))
        answers = [_answer_from_json(json.loads(line)) for line in child.lines(None)]
        if len(answers) < len(questions):
            lost = Estimated(broken=f"while being asked what it needs: {death(child.left())}")
            answers += [lost] * (len(questions) - len(answers))
    finally:
        child.end()
    return answers


def _answer(question: Question) -> Estimated:
    try:
        made_by = served_class(served_row(question.row))
        return Estimated(needs=made_by.needs(question.place, question.candidates))
    except CannotServe as problem:
        return Estimated(cannot=str(problem))
    except Exception as problem:
        return Estimated(broken=failure_sentence(problem))


def _question_to_json(question: Question) -> dict[str, Any]:
    place = {**asdict(question.place), "cache": str(question.place.cache)}
    return {**asdict(question), "place": place}


def _question_from_json(found: dict[str, Any]) -> Question:
    place = Place(**{**found["place"], "cache": Path(found["place"]["cache"])})
    return Question(found["row"], place, found["candidates"])


def _answer_from_json(found: dict[str, Any]) -> Estimated:
    needs = found["needs"]
    return Estimated(**{**found, "needs": None if needs is None else Needs(**needs)})


def main() -> int:
    tell = teller(int(sys.argv[1]))
    questions = json.loads(sys.stdin.buffer.readline())
    obey_parent()
    for question in questions:
        tell(**asdict(_answer(_question_from_json(question))))
    return 0


if __name__ == "__main__":
    status = main()
    # Libraries of accelerators may hang in their farewell.
    os._exit(status)
