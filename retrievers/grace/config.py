"""Every choice of the small GRACE in one frozen place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from cart.config import CaptionConfig, ModelConfig, SearchConfig, TrainConfig

Options = dict[str, str | int | float | bool | None]

# What chooses among epochs: GRACE trains for a fixed number of them, and without consistency.
_UNUSED = ("consistency", "consistency_weight", "validations", "patience", "label_smoothing")


@dataclass(frozen=True)
class GraceConfig:
    """The released code trains OpenFlamingo-3B on 600,000 queries an epoch for five epochs, and a
    step takes one picture to memorise beside every three queries to retrieve by. That proportion
    is kept, as are the beam of 10 and the length penalty; the rest is small enough to train in a
    quarter of a minute on one core.

    memorised       items of a step that are learned from their embedding; none for the atomic
                    identifiers, whose frozen matrix is their memory
    length_penalty  a finished identifier's log-probability is divided by its number of tokens
                    and its end, to this power; at -2 a long one falls behind a short one
    """

    model: ModelConfig = field(
        default_factory=lambda: ModelConfig(
            encoder_layers=1, dropout=0.0, coarse_gate="off", fine_fusion=False
        )
    )
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            epochs=2, least_steps=150, batch_size=96, learning_rate=3e-3, consistency="off"
        )
    )
    memorised: int = 32
    captions: CaptionConfig = field(default_factory=lambda: CaptionConfig(captions_per_item=20))
    search: SearchConfig = field(default_factory=lambda: SearchConfig(10, "nothing"))
    length_penalty: float = -2.0
    vocabulary: int = 2000

    def flat(self) -> Options:
        """As one level of JSON scalars, "model.width" -> 128, without what plays no part."""
        found: Options = {}
        for group, value in asdict(self).items():
            if isinstance(value, dict):
                found |= {f"{group}.{name}": one for name, one in value.items()}
            else:
                found[group] = value
        return {key: one for key, one in found.items() if key.partition(".")[2] not in _UNUSED}
