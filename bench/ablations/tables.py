"""The paper's ablations: the rows of its tables 4 to 11 as changes to a base config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.published import ablated, name_in_paper

FULL = "full"


@dataclass(frozen=True)
class Setting:
    """One row.

    name     as ``bench/published.csv`` writes it
    label    as the paper prints it
    changes  dotted field of the config -> text, as ``cart.variants`` reads it
    """

    name: str
    label: str
    changes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ablation:
    """One table, or the same table of several datasets.

    tables    the numbers of the tables that hold it
    column    the head of the column of settings
    whole     the setting that is CART as the paper proposes it: what the others are held against
    series    whether the settings are values of one thing, of which one is best
    """

    tables: tuple[int, ...]
    title: str
    column: str
    settings: tuple[Setting, ...]
    whole: str
    series: bool = True


@dataclass(frozen=True)
class Chosen:
    """An ablation for one dataset.

    table      whose figures stand beside what is measured
    published  the dataset of those figures, as the paper names it
    remark     what a reader must know where that is not the table and the dataset asked for
    """

    ablation: Ablation
    table: int
    published: str
    remark: str = ""


def _layers(part: str) -> tuple[Setting, ...]:
    return tuple(
        Setting(f"{part}_layers={n}", str(n), {f"model.{part}_layers": str(n)}) for n in range(1, 6)
    )


def _sizes(clusters: int, codes: int) -> Setting:
    return Setting(
        f"K={clusters};codebook={codes}*{codes}",
        f"K {clusters}, {codes}*{codes}",
        {
            "identifiers.coarse_size": str(clusters),
            "identifiers.codebook_sizes": f"{codes}x{codes}",
        },
    )


# Section 4.3.5: without K-Means the RQ-VAE alone makes the identifier, without the RQ-VAE nested
# K-Means does; without fusion the decoder attends to the last encoder layer alone.
COMPONENTS = Ablation(
    tables=(4, 8, 9),
    title="each component left out",
    column="Setting",
    settings=(
        Setting(
            "w/o consistency loss",
            "w/o consistency loss",
            {"fit.consistency": "off", "absorb.consistency": "off"},
        ),
        Setting(
            "w/o fusion strategy",
            "w/o fusion strategy",
            {"model.coarse_gate": "off", "model.fine_fusion": "false"},
        ),
        Setting("w/o K-Means", "w/o K-Means", {"identifiers.scheme": "rq-vae"}),
        Setting("w/o RQ-VAE", "w/o RQ-VAE", {"identifiers.scheme": "hierarchical-kmeans"}),
        Setting(FULL, "CART"),
    ),
    whole=FULL,
    series=False,
)

ABLATIONS = (
    COMPONENTS,
    Ablation((5,), "encoder layers", "Layers", _layers("encoder"), "encoder_layers=3"),
    Ablation(
        (6,),
        "sizes of the identifier",
        "Sizes",
        tuple(_sizes(clusters, codes) for clusters in (64, 128, 256) for codes in (64, 128, 256)),
        "K=128;codebook=128*128",
    ),
    Ablation(
        (7,),
        "length of the identifier",
        "Length",
        tuple(
            Setting(
                f"id_length={length}",
                str(length),
                {"identifiers.codebook_sizes": "x".join(["128"] * (length - 2))},
            )
            for length in (4, 5, 6)
        ),
        "id_length=4",
    ),
    Ablation((10,), "decoder layers", "Layers", _layers("decoder"), "decoder_layers=3"),
    Ablation(
        (11,),
        "dimension of the codebooks",
        "Dimension",
        tuple(
            Setting(f"codebook_dim={dim}", str(dim), {"identifiers.latent_dim": str(dim)})
            for dim in (32, 64, 128)
        ),
        "codebook_dim=64",
    ),
)
TABLES = tuple(sorted(number for each in ABLATIONS for number in each.tables))


def ablation_of(table: int) -> Ablation:
    """Raises KeyError for a number that no ablation's table has."""
    found = {number: each for each in ABLATIONS for number in each.tables}
    return found[table]


def choose(tables: Sequence[int], dataset: str) -> list[Chosen]:
    """What to run of some tables on a dataset, each ablation once.

    Where the paper has the same ablation of the dataset in another table, that one's figures are
    taken; where it has none, those of the table that was named. A synthetic twin counts as the
    dataset whose name it has. Raises KeyError.
    """
    chosen: dict[tuple[int, ...], Chosen] = {}
    for table in tables:
        found = _chosen(table, dataset)
        chosen.setdefault(found.ablation.tables, found)
    return list(chosen.values())


def _chosen(table: int, dataset: str) -> Chosen:
    ablation = ablation_of(table)
    own = name_in_paper(dataset)
    homes = {
        published: number
        for number in reversed(ablation.tables)
        for published, _ in ablated(number)
    }
    theirs = next(published for published, _ in ablated(table))
    if own not in homes:
        return Chosen(
            ablation,
            table,
            theirs,
            f"The paper has no such table of {dataset}: beside its rows stand the figures of "
            f"{theirs}.",
        )
    if homes[own] == table:
        return Chosen(ablation, table, own)
    others = " and ".join(dict.fromkeys(name for name, _ in ablated(table)))
    return Chosen(
        ablation,
        homes[own],
        own,
        f"Table {table} is of {others}: of {own} it is Table {homes[own]}, which stands here.",
    )
