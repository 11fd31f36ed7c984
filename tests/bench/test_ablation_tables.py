"""The paper's ablations as changes, held against the published figures and the config."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import bench.published
from bench.ablations.effort import shortened
from bench.ablations.tables import ABLATIONS, TABLES, ablation_of, choose
from bench.metrics import METRIC_NAMES
from bench.published import ablated, name_in_paper
from cart.config import CartConfig
from cart.variants import changed

PUBLISHED = Path(bench.published.__file__).with_name("published.csv")


def test_every_published_row_of_an_ablation_is_run_and_no_other() -> None:
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["system"] == "CART"]
    published = {(line["source_table"], line["dataset"], line["setting"]) for line in lines}
    ours = {
        (f"Table {table}", dataset, setting.name)
        for table in TABLES
        for dataset in {of for of, _ in ablated(table)}
        for setting in ablation_of(table).settings
    }
    assert ours == published
    assert TABLES == (4, 5, 6, 7, 8, 9, 10, 11)
    figures = {
        (line["source_table"], line["dataset"], line["setting"], line["metric"]): line["value"]
        for line in lines
    }
    for (table, dataset, setting, metric), value in figures.items():
        number = int(table.removeprefix("Table "))
        assert ablated(number)[dataset, setting][metric] == float(value)
    assert {metric for *_, metric in figures} == set(METRIC_NAMES)


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.title)
def test_every_row_is_a_config_of_its_own(ablation: bench.ablations.tables.Ablation) -> None:
    configs = [changed(CartConfig(), setting.changes) for setting in ablation.settings]
    assert len(set(configs)) == len(configs)
    assert ablation.whole in {setting.name for setting in ablation.settings}


def test_the_components_are_left_out_by_name() -> None:
    rows = {
        setting.label: changed(CartConfig(), setting.changes) for setting in ablation_of(4).settings
    }
    assert rows["CART"] == CartConfig()
    assert rows["w/o consistency loss"].fit.consistency == "off"
    assert rows["w/o consistency loss"].absorb.consistency == "off"
    assert rows["w/o fusion strategy"].model.coarse_gate == "off"
    assert not rows["w/o fusion strategy"].model.fine_fusion
    assert rows["w/o K-Means"].identifiers.scheme == "rq-vae"
    assert rows["w/o RQ-VAE"].identifiers.scheme == "hierarchical-kmeans"


def test_the_values_of_the_series() -> None:
    def configs(table: int) -> list[CartConfig]:
        return [changed(CartConfig(), each.changes) for each in ablation_of(table).settings]

    assert [each.model.encoder_layers for each in configs(5)] == [1, 2, 3, 4, 5]
    assert [each.model.decoder_layers for each in configs(10)] == [1, 2, 3, 4, 5]
    assert [each.identifiers.latent_dim for each in configs(11)] == [32, 64, 128]
    # The identifier is the coarse token, the codebooks' and the counter.
    lengths = [2 + len(each.identifiers.codebook_sizes) for each in configs(7)]
    assert lengths == [int(each.label) for each in ablation_of(7).settings] == [4, 5, 6]
    sizes = [(each.identifiers.coarse_size, each.identifiers.codebook_sizes) for each in configs(6)]
    assert sizes[:4] == [(64, (64, 64)), (64, (128, 128)), (64, (256, 256)), (128, (64, 64))]
    assert len(set(sizes)) == 9


@pytest.mark.parametrize(
    ("table", "dataset", "chosen", "published", "remark"),
    [
        (4, "flickr30k", 4, "Flickr30K", ""),
        (4, "flickr30k-mini", 4, "Flickr30K", ""),
        (4, "clotho-mini", 8, "Clotho", "of Clotho it is Table 8"),
        (8, "msvd", 8, "MSVD", ""),
        (8, "mscoco", 9, "MS-COCO", "Table 8 is of Clotho and AudioCaps and MSR-VTT and MSVD"),
        (9, "toys", 9, "MS-COCO", "no such table of toys"),
        (5, "clotho-mini", 5, "Flickr30K", "no such table of clotho-mini"),
    ],
)
def test_which_table_it_is_follows_from_the_dataset(
    table: int, dataset: str, chosen: int, published: str, remark: str
) -> None:
    (found,) = choose([table], dataset)
    assert (found.table, found.published) == (chosen, published)
    assert remark in found.remark
    assert bool(found.remark) == bool(remark)


def test_tables_of_one_ablation_are_run_once() -> None:
    assert [each.table for each in choose([8, 4, 9, 5], "msrvtt-mini")] == [8, 5]
    assert name_in_paper("msrvtt-mini") == "MSR-VTT"


def test_effort_shortens_training_alone_and_rounds_up() -> None:
    fields = CartConfig().flat()
    assert shortened(fields, 1) == {}
    short = shortened({**fields, "fit.epochs": 10, "absorb.least_steps": 300}, 0.05)
    assert short["fit.epochs"] == "1"
    assert short["absorb.least_steps"] == "15"
    assert set(short) == {
        "identifiers.epochs",
        "fit.epochs",
        "fit.least_steps",
        "absorb.epochs",
        "absorb.least_steps",
    }
    assert changed(CartConfig(), short).absorb.least_steps == 15
    assert shortened({"other": 3}, 0.5) == {}
