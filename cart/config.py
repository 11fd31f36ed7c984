"""Every choice of CART in one frozen place.

What the paper states is marked with its section; the rest is a guess of ours and says so.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Literal

from cart.code_sizes import sizes_for

Scheme = Literal["coarse-fine", "rq-vae", "hierarchical-kmeans", "random", "shuffled"]
Assignment = Literal["nearest", "sinkhorn"]
CodebookStart = Literal["k-means", "drawn"]
Decay = Literal["none", "inverse-square-root"]
CoarseGate = Literal["sigmoid", "self-gated", "off"]
Consistency = Literal["decoder", "model", "off"]
Lending = Literal["asked", "offered"]
Renormalise = Literal["nothing", "counter", "everything"]
Schedule = Literal["cosine", "restarts"]
Numbers = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class IdentifierConfig:
    """How an item embedding becomes (k, v1, ..., vM, u); section 3.2 and appendix C.

    The paper's choices, as far as it tells them, are ``cart.presets.PAPER_IDENTIFIERS``; the
    defaults are faster. ``commitment`` is alpha and ``encoder_pull`` beta of equation 1, which it
    does not give.

    An identifier is as long as there are ``sizes``, and one token longer for the counter: two
    tokens at least, k and u. A counter alone would give the first training item and the first
    gallery item the same identifier.

    scheme          "coarse-fine" is the paper's; "rq-vae" and "hierarchical-kmeans" are its
                    ``w/o K-Means`` and ``w/o RQ-VAE``, with as many tokens of the same sizes:
                    coarse_size is then that of the first codebook, or of the first branching.
                    "random" and "shuffled" are controls, whose codes say nothing of the items
    expected_items  of a gallery; where given, all sizes are doubled until a share
                    ``even_ceiling`` of so many would have a code prefix to itself, were they
                    spread evenly
    assignment      of items that come together: to their nearest codes, or spread over the last
                    codebook by Sinkhorn and Knopp where they collide; schemes whose last code is
                    no entry of a codebook know the nearest alone
    codebook_start  of the RQ-VAE's entries: centres of its residuals, or drawn
    revive          move entries that no item uses while the RQ-VAE learns
    decay           of the learning rate after ``warmup_epochs``, in which it rises from
                    ``initial_rate``
    """

    scheme: Scheme = "coarse-fine"
    coarse_size: int = 128
    codebook_sizes: tuple[int, ...] = (128, 128)
    expected_items: int | None = None
    even_ceiling: float = 0.9
    assignment: Assignment = "nearest"
    hidden: tuple[int, ...] = (256, 128)
    latent_dim: int = 64
    commitment: float = 1.0
    encoder_pull: float = 0.25
    codebook_start: CodebookStart = "k-means"
    revive: bool = True
    epochs: int = 40
    batch_size: int = 256
    learning_rate: float = 1e-3
    initial_rate: float = 1e-6
    warmup_epochs: int = 0
    decay: Decay = "none"

    def __post_init__(self) -> None:
        if min(self.coarse_size, *self.codebook_sizes, 1) < 1:
            raise ValueError("codes of no size: coarse_size and codebook_sizes count from 1")
        if not 0 < self.even_ceiling < 1:
            raise ValueError(f"even_ceiling {self.even_ceiling}: give a share between 0 and 1")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes at each position before the counter."""
        given = (self.coarse_size, *self.codebook_sizes)
        if self.expected_items is None:
            return given
        return sizes_for(self.expected_items, given, self.even_ceiling)

    @property
    def is_tree(self) -> bool:
        """Whether codes are a path through clusters, as is a coarse token with none behind it."""
        return self.scheme == "hierarchical-kmeans" or (
            self.scheme == "coarse-fine" and not self.codebook_sizes
        )


@dataclass(frozen=True)
class ModelConfig:
    """The encoder-decoder of section 3.4.

    The paper has three layers of each kind and gives neither width, heads, feed-forward nor
    dropout. The defaults are small enough to train on two cores within minutes.
    """

    width: int = 128
    heads: int = 4
    feed_forward: int = 256
    encoder_layers: int = 2
    decoder_layers: int = 1
    dropout: float = 0.1
    coarse_gate: CoarseGate = "sigmoid"
    fine_fusion: bool = True
    max_tokens: int = 64


@dataclass(frozen=True)
class TrainConfig:
    """Section 3.5 and appendix C.

    ``epochs`` are made more where they would give fewer than ``least_steps`` steps.
    ``consistency`` is where the two passes of equation 7 part: after the encoder ("decoder") or
    before it ("model", twice the work).

    ``schedule`` is "cosine", one warm-up and then a cosine to zero, or "restarts", as published:
    each of ``cycles`` rounds warms up anew. ``warmup`` is the share of all steps, or of a round's.
    The optimiser is AdamW, which is Adam without ``weight_decay``; ``beta2`` is the memory of its
    second moment, ``clip`` the longest gradient that it is given.

    ``numbers`` is what matrices are multiplied in; weights and optimiser stay in fp32. "bf16" is
    slower on a processor without instructions for it (avx512_bf16, amx_bf16). A batch
    goes through in ``accumulate`` parts, which saves memory and changes nothing but rounding and
    the drawing of dropout.

    ``validations`` are spread evenly over the epochs; training stops after ``patience`` of them
    without a better R@10. An epoch takes at most ``captions_per_item`` human captions of an item,
    drawn anew each time: MSVD has up to 81, and would spend its epochs on a few items' wording.
    """

    epochs: int = 4
    least_steps: int = 400
    batch_size: int = 128
    learning_rate: float = 2e-3
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    cycles: int = 1
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip: float | None = 1.0
    numbers: Numbers = "fp32"
    accumulate: int = 1
    label_smoothing: float = 0.0
    consistency: Consistency = "decoder"
    consistency_weight: float = 0.15
    validations: int = 8
    patience: int = 4
    captions_per_item: int = 10

    def __post_init__(self) -> None:
        if self.accumulate < 1:
            raise ValueError(f"a batch goes through in one part or more, not in {self.accumulate}")

    def epochs_of(self, steps: int) -> int:
        """Epochs to train for when one has ``steps`` steps."""
        return max(self.epochs, math.ceil(self.least_steps / max(1, steps)))

    def validation_due(self, epoch: int, epochs: int) -> bool:
        """Whether to validate after ``epoch`` (counted from 1) of ``epochs``."""
        return epoch == epochs or epoch % max(1, epochs // self.validations) == 0


@dataclass(frozen=True)
class CaptionConfig:
    """Caption enhancement without weights: what an item borrows from its training neighbours.

    More captions teach the gallery better and make indexing longer, as long as they come from
    items that are alike: no more than ``neighbour_share`` of the training items lend any, but
    two may always.

    ``lending`` is "asked", where each item borrows what fits it, or "offered", where each training
    caption goes to the item that it fits, and items that get fewer than ``fewest`` borrow as many.
    """

    neighbours: int = 60
    captions_per_item: int = 30
    neighbour_share: float = 0.02
    lending: Lending = "asked"
    fewest: int = 5

    def lenders(self, items: int) -> int:
        """How many of ``items`` training items lend captions to one item."""
        return min(self.neighbours, max(2, round(self.neighbour_share * items)))


@dataclass(frozen=True)
class TeacherConfig:
    """How the towers label generated captions; see ``cart.teacher``. Not in the paper.

    sharpness   of the softmax over items, times that under which the human captions of
                validation items, or else of training items, are likeliest
    candidates  items that a caption is spread over at most
    fairness    power of an item's popularity that is divided out: 0 not at all, 1 wholly
    trust       weight kept by the item of which a captioner that saw it said the caption
    """

    sharpness: float = 1.6
    candidates: int = 32
    fairness: float = 1.0
    trust: float = 0.5


@dataclass(frozen=True)
class SearchConfig:
    """``beam`` is widened to k where k is larger, and doubled up to ``widest_beam`` for the queries
    whose answer is not certified to be the model's own k best (``cart.beam``); by default for none.

    ``renormalise`` names the steps whose probability is spread over the valid children only. The
    counter means nothing, so what the model says of it where there is no choice only blurs the
    score of the codes before it; with "counter" an item that shares its codes with no other
    loses nothing there, and its last token need not be decoded. The paper does not say.
    """

    beam: int = 20
    renormalise: Renormalise = "counter"
    widest_beam: int = 0


@dataclass(frozen=True)
class CartConfig:
    """``fit`` trains on the pairs, ``absorb`` on a new gallery's borrowed captions beside them.
    ``adapt`` is the short training on items that were added later, beside ``rehearsal`` old pairs
    for each new one: nine are their share where a tenth of the gallery is new. With three, the new
    items are found at the cost of those that were there.
    ``known_share`` of the training pairs, drawn at random, are learned beside a new gallery.

    The paper has no ``teacher`` and learns all that is known beside; what this default was chosen
    by is told in ``cart/defaults.md``.
    """

    identifiers: IdentifierConfig = field(default_factory=IdentifierConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    fit: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=1, least_steps=100))
    absorb: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=1, least_steps=600))
    adapt: TrainConfig = field(
        default_factory=lambda: TrainConfig(epochs=2, least_steps=60, learning_rate=1e-3)
    )
    rehearsal: float = 9.0
    captions: CaptionConfig | None = field(default_factory=lambda: CaptionConfig(lending="offered"))
    teacher: TeacherConfig | None = field(default_factory=TeacherConfig)
    known_share: float = 0.0
    search: SearchConfig = field(default_factory=SearchConfig)
    vocabulary: int = 2000

    def flat(self) -> dict[str, str | int | float | bool | None]:
        """The same as one level of JSON scalars, "model.width" -> 128."""
        found: dict[str, str | int | float | bool | None] = {}
        for group, value in asdict(self).items():
            if not isinstance(value, dict):
                found[group] = value
                continue
            for name, inner in value.items():
                text = "x".join(map(str, inner)) if isinstance(inner, tuple) else inner
                found[f"{group}.{name}"] = text
        return found
