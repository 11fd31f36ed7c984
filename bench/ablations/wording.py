"""What a table says in sentences, the same on the terminal, on the page and in a file."""

from __future__ import annotations

from collections.abc import Iterator

from bench.ablations.evidence import MAIN, Best, Evidence
from bench.ablations.runs import Of
from bench.cells import Measure
from bench.item_map import Cohesion, Points
from bench.metrics import METRIC_NAMES

VERDICTS = {
    "agrees": "agrees",
    "contradicts": "contradicts",
    "not told apart": "not told apart at this size",
    "no direction": "published as equal",
}


def title(found: Evidence) -> str:
    """As "Table 4, each component left out, on flickr30k-mini"."""
    return f"Table {found.run.table}, {found.ablation.title}, on {found.run.of.dataset}"


def whole(found: Evidence) -> str:
    """The row that the others are held against, as "CART" or "Layers 3, as the paper proposes"."""
    label = found.whole.label
    if not found.ablation.series:
        return label
    return f"{found.ablation.column} {label}, as the paper proposes"


def points(measure: Measure) -> str:
    """A difference in points with its interval, as "-1.2 (-2.3 to -0.1)"."""
    low, high = 100 * measure.low, 100 * measure.high
    return f"{100 * measure.value:+.1f} ({low:+.1f} to {high:+.1f})"


def directions(found: Evidence) -> Iterator[str]:
    """A line a metric: how many rows go the published way; and the best of a series."""
    if not any(row.verdicts for row in found.rows):
        yield "Direction: no row can be held against the whole."
        return
    for metric in METRIC_NAMES:
        yield f"Direction, {metric}: {found.tally(metric)}."
    best = found.best.get(MAIN)
    if best is not None:
        yield _best(best)


def _best(best: Best) -> str:
    told = f"Best setting by {MAIN}: published {best.published}, measured {best.measured}"
    if best.apart is None:
        return f"{told}."
    verdict = "" if best.apart.low > 0 else ", which is not told apart"
    return f"{told}, here {points(best.apart)} points above the published best{verdict}."


def remarks(found: Evidence) -> Iterator[str]:
    """What a reader must know of the figures."""
    run = found.run
    if run.remark:
        yield run.remark
    yield (
        f"Differences are to {whole(found)}, paired query by query; intervals are 95 %, by "
        "bootstrap over items. Published differences come without one."
    )
    yield from reduced(run.of)
    what = "on smaller, synthetic data" if run.of.synthetic else "of other weights and captions"
    yield (
        f"The base is {run.of.base}, {what} than the paper's: figures cannot be compared with the "
        "published ones, only the direction of a difference can."
    )
    if len(found.whole.seeds) == 1:
        yield (
            f"One seed ({found.whole.seeds[0]}): what training anew would change is in no "
            "interval; --seeds 0,1,2 takes the mean of three."
        )


def reduced(of: Of) -> Iterator[str]:
    """Nothing for a run of full length."""
    if of.effort < 1:
        fields = ", ".join(f"{name} {value}" for name, value in of.shortened.items())
        yield (
            f"Reduced run: every row was trained with effort {of.effort:g} ({fields}), which may "
            "itself decide a direction."
        )


def figure_title(of: Of) -> str:
    """As "Figure 5, items by code prefix, on flickr30k-mini"."""
    return f"Figure 5, items by code prefix, on {of.dataset}"


def distances(found: Cohesion) -> str:
    """What one depth of prefix says, a sentence."""
    codes = "1 code" if found.depth == 1 else f"{found.depth} codes"
    if found.within != found.within:
        return f"No two items share a prefix of {codes}."
    low, high = found.shuffled
    verdict = "agrees: tighter than chance" if found.tighter else "not told apart from chance"
    return (
        f"Prefixes of {codes} ({found.prefixes} in use): mean cosine distance within "
        f"{found.within:.3f}, between {found.between:.3f}; within shuffled prefixes "
        f"{low:.3f} to {high:.3f}. {verdict.capitalize()}."
    )


def figure_remarks(found: Points) -> Iterator[str]:
    """What a reader must know of a map."""
    if len(found.embeddings) < found.gallery:
        yield f"{len(found.embeddings):,} of {found.gallery:,} items, drawn at random."
    yield (
        "Codes are made from these very embeddings, so that items of one prefix lie together is "
        "how they were built and says nothing of retrieval; the number says how far it went."
    )
