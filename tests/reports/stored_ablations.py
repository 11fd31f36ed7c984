"""Result folders with ablations for the tests, written through the real stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.ablations.runs import Drawn, Of, Run, RunRow, RunStore
from bench.ablations.tables import ablation_of
from bench.item_map import Points, to_bytes
from bench.store import ResultStore
from tests.reports.stored_results import Plan, store_failure, store_result

OF = Of("photos", "seeded-split-0", False, "cart", 0.5, {"fit.epochs": "1"})
SKILLS = {"full": 0.6, "w/o fusion strategy": 0.1, "w/o K-Means": 0.6}


def store_table(store: ResultStore, table: int = 4, of: Of = OF) -> Run:
    """Some rows measured, one failed, one never run."""
    rows = []
    for setting in ablation_of(table).settings:
        name = "cart" if setting.name == "full" else f"cart[a={len(rows)}]"
        keys: Mapping[str, str] = {}
        if setting.name in SKILLS:
            cell = store_result(store, Plan(name, skill=SKILLS[setting.name], items=40))
            keys = {"0": cell.spec.key}
        elif setting.name == "w/o RQ-VAE":
            keys = {"0": store_failure(store, Plan(name), "It <b>broke</b>.").spec.key}
        rows.append(RunRow(setting.name, setting.label, setting.changes, name, keys))
    run = Run(of, table, "Flickr30K", "A remark | with <marks> & 100 %.", tuple(rows))
    RunStore(store.root).write(run)
    return run


def store_map(store: ResultStore) -> Drawn:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 6)
    embeddings = np.eye(10, dtype=np.float32)[groups]
    plane = rng.normal(size=(60, 2)).astype(np.float32)
    drawn = Drawn(OF, 5, "cart[fit.epochs=1]", 0, "c" * 32)
    records = RunStore(store.root)
    records.write(drawn)
    records.arrays(drawn.key).parent.mkdir(parents=True)
    prefixes = np.stack([groups, rng.integers(0, 3, 60)], axis=1)
    content = to_bytes(Points(embeddings, prefixes, plane, 90))
    records.arrays(drawn.key).write_bytes(content)
    return drawn
