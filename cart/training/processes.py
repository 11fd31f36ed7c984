"""One training in several processes of this machine, each with a part of every batch.

The processes are set up by Accelerate, on a graphics card each or on the processor. The caller's
own process trains nothing: it validates, tells of progress and takes what was learned.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cart.config import ModelConfig, TrainConfig
from cart.model import CartModel
from cart.monitor import Monitor
from cart.targets import Targets
from cart.training.accelerated import Accelerated, Place
from cart.training.checkpoint import Progress
from cart.training.examples import Examples
from cart.training.loop import optimise

# The loss of a batch under a configuration, by its name: a function of a module.
NamedLoss = Callable[[CartModel, Tensor, Tensor, Targets, TrainConfig], Tensor]


@dataclass(frozen=True)
class Work:
    """What every process is sent; the weights as arrays, so that none shares another's memory."""

    shape: ModelConfig
    vocabulary: int
    levels: list[int]
    weights: dict[str, np.ndarray]
    loss: NamedLoss
    examples: Examples
    config: TrainConfig
    seed: int
    validated: bool
    checkpoint: Path | None
    checkpoint_steps: int

    def model(self, device: torch.device) -> CartModel:
        model = CartModel(self.shape, self.vocabulary, self.levels)
        _fill(model, self.weights)
        return model.to(device)


@dataclass(frozen=True)
class Member:
    """One process, and where it tells what it does."""

    process: BaseProcess
    pipe: Connection


def train_in_processes(
    count: int,
    model: CartModel,
    loss: NamedLoss,
    examples: Examples,
    config: TrainConfig,
    seed: int,
    validate: Callable[[CartModel], float] | None,
    checkpoint: Path | None,
    monitor: Monitor | None,
    checkpoint_steps: int,
) -> Progress:
    """As ``cart.training.train``, by ``count`` processes; apart from rounding and the drawing of
    dropout their number changes nothing.

    On the processor they share its threads. A checkpoint may be picked up by another number of
    processes. Raises ModuleNotFoundError without Accelerate, ValueError for more processes than
    graphics cards, and RuntimeError when a process fails.
    """
    device = next(model.parameters()).device
    _check(count, device)
    work = Work(
        model.config,
        model.tokens.num_embeddings,
        list(model.levels),
        _arrays(model),
        loss,
        examples,
        config,
        seed,
        validate is not None,
        checkpoint,
        checkpoint_steps,
    )
    context = multiprocessing.get_context("forkserver")
    # Imported once, for the processes of the next training too; an optimiser needs the second.
    context.set_forkserver_preload(["torch", "torch._dynamo"])
    threads = max(1, torch.get_num_threads() // count)
    crew: list[Member] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for rank in range(count):
                place = Place(rank, count, device.type == "cuda", threads, folder)
                crew.append(_started(context, place, work))
            progress = _answer(crew, model, validate, monitor)
            for one in crew:
                one.process.join()
            return progress
        finally:
            for one in crew:
                one.process.terminate()
                one.process.join()
                one.pipe.close()


def _check(count: int, device: torch.device) -> None:
    if importlib.util.find_spec("accelerate") is None:
        raise ModuleNotFoundError(
            "Training in several processes needs Accelerate: "
            "python -m pip install -e '.[distributed]', or train in one."
        )
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise ValueError(
            f"{count} processes would share {torch.cuda.device_count()} graphics cards. "
            "Ask for a process a card at most."
        )


def _started(context: ForkServerContext, place: Place, work: Work) -> Member:
    ours, theirs = context.Pipe()
    process = context.Process(target=_take_part, args=(place, work, theirs), daemon=True)
    process.start()
    theirs.close()
    return Member(process, ours)


def _answer(
    crew: Sequence[Member],
    model: CartModel,
    validate: Callable[[CartModel], float] | None,
    monitor: Monitor | None,
) -> Progress:
    """Do what the main process of the crew asks for, until it tells what was learned."""
    while True:
        match _heard(crew):
            case ("step", label, done, total):
                if monitor is not None:
                    monitor(label, done, total)
            case ("validate", weights):
                assert validate is not None
                _fill(model, weights)
                crew[0].pipe.send(validate(model.eval()))
            case ("done", weights, progress):
                _fill(model, weights)
                model.eval()
                return progress
            case ("failed", rank, sentence):
                raise RuntimeError(f"Training process {rank} of {len(crew)} failed: {sentence}")


def _heard(crew: Sequence[Member]) -> tuple[Any, ...]:
    """The next message, the main process's first. Raises RuntimeError where one has ended
    without a word."""
    ready = wait([one.pipe for one in crew])
    rank, member = next((rank, one) for rank, one in enumerate(crew) if one.pipe in ready)
    try:
        return member.pipe.recv()
    except EOFError:
        member.process.join()
        raise RuntimeError(
            f"Training process {rank} of {len(crew)} ended with status {member.process.exitcode}. "
            "A negative one is the number of the signal that ended it: 9 is often want of memory."
        ) from None


def _take_part(place: Place, work: Work, pipe: Connection) -> None:
    """What each process does; ``pipe`` leads to the caller."""
    # A Ctrl-C reaches the caller too, who ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _learn(place, work, pipe)
    except Exception as problem:
        pipe.send(("failed", place.rank, f"{type(problem).__name__}: {problem}"))


def _learn(place: Place, work: Work, pipe: Connection) -> None:
    team = Accelerated.joined(place)
    model = work.model(team.device)

    def loss(ids: Tensor, mask: Tensor, targets: Targets) -> Tensor:
        return work.loss(model, ids, mask, targets, work.config)

    def validate() -> float:
        pipe.send(("validate", _arrays(model)))
        return float(pipe.recv())

    def monitor(label: str, done: int, total: int) -> None:
        if place.rank == 0:
            pipe.send(("step", label, done, total))

    progress = optimise(
        model,
        loss,
        work.examples,
        work.config,
        work.seed,
        validate if work.validated else None,
        work.checkpoint,
        monitor,
        checkpoint_steps=work.checkpoint_steps,
        team=team,
    )
    if place.rank == 0:
        pipe.send(("done", _arrays(model), progress))
    team.leave()


def _arrays(model: CartModel) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}


def _fill(model: CartModel, weights: dict[str, np.ndarray]) -> None:
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
