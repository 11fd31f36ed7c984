"""A beam's tree from left to right: a branch a prefix, its token and score on it."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import units
from reports.ablations.palette import Palette
from reports.inside.figure import LABEL, SMALL, blank
from reports.inside.tree import Drawn, Node, logarithm, name

# Inches.
STEP, ROW, HEAD, LEAF = 1.45, 0.32, 0.75, 2.1
# Characters that a leaf has room for.
ITEM = 26
GAP = 0.16


def draw_tree(shown: Drawn, palette: Palette) -> Figure:
    """Kept prefixes end in a dot on a whole line, those let go in a cross on a dashed one; the
    right item's are thick and end in a star."""
    steps = len(shown.tree.steps)
    width, height = GAP + steps * STEP + LEAF, HEAD + ROW * max(shown.rows, 1)
    figure = blank(width, height, palette)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    for step in range(steps):
        _head(axes, shown, step, palette)
    root = HEAD + ROW * (_middle(shown) + 0.5)
    for node in shown.nodes:
        before = shown.nodes[node.parent].height if node.parent >= 0 else None
        start = root if before is None else HEAD + ROW * (before + 0.5)
        _branch(axes, node, start, palette)
        if node.branch.item:
            _leaf(axes, node, palette)
    axes.plot([GAP / 2], [root], marker="o", markersize=4, color=palette.muted)
    return figure


def in_words(shown: Drawn) -> str:
    """The text alternative: the answers that are drawn, with their identifiers and scores."""
    answers = [
        f"{node.answer}. {name(node.branch.item)}, {node.codes}, {logarithm(node.branch.score)}"
        for node in shown.nodes
        if node.answer
    ]
    steps = [
        f"{token}: {kept} of {weighed} prefixes kept"
        for token, (weighed, kept, _) in zip(
            shown.names, map(shown.counts, range(len(shown.names))), strict=True
        )
    ]
    return f"{'; '.join(steps)}. Answers drawn: {'; '.join(answers)}."


def _middle(shown: Drawn) -> float:
    heights = [node.height for node in shown.nodes if node.parent < 0]
    return (heights[0] + heights[-1]) / 2 if heights else 0.0


def _head(axes: Axes, shown: Drawn, step: int, palette: Palette) -> None:
    weighed, kept, drawn = shown.counts(step)
    left = GAP + step * STEP + GAP
    axes.text(left, 0.2, shown.names[step], fontsize=LABEL, color=palette.ink, weight="bold")
    told = [f"kept {units.count(kept)} of {units.count(weighed)}"]
    told += [f"{units.count(kept - drawn)} not drawn"] if kept > drawn else []
    for line, words in enumerate(told):
        axes.text(left, 0.4 + 0.17 * line, words, fontsize=SMALL - 0.5, color=palette.muted)


def _branch(axes: Axes, node: Node, start: float, palette: Palette) -> None:
    branch = node.branch
    left = GAP / 2 + branch.step * STEP
    knee, right = left + GAP, left + STEP
    height = HEAD + ROW * (node.height + 0.5)
    colour = palette.first if branch.right else palette.ink if branch.kept else palette.muted
    axes.plot(
        [left, knee, knee, right],
        [start, start, height, height],
        color=colour,
        linewidth=2.6 if branch.right else 1.1,
        linestyle="solid" if branch.kept else (0, (3, 2)),
        zorder=3 if branch.right else 2 if branch.kept else 1,
        solid_capstyle="butt",
    )
    marker = "*" if branch.right and branch.kept else "o" if branch.kept else "X"
    axes.plot(
        [right],
        [height],
        marker=marker,
        markersize={"*": 11, "o": 4.5, "X": 7}[marker],
        color=colour,
        markeredgewidth=0,
        zorder=4,
    )
    token = str(branch.code) if branch.code >= 0 else "end"
    axes.text(knee + 0.06, height - 0.05, token, fontsize=SMALL, color=palette.ink, zorder=5)
    axes.text(
        *(right - 0.1, height - 0.05, logarithm(branch.score)),
        fontsize=SMALL - 1,
        color=palette.muted,
        ha="right",
        zorder=5,
    )


def _leaf(axes: Axes, node: Node, palette: Palette) -> None:
    left = GAP / 2 + (node.branch.step + 1) * STEP + 0.14
    place = f"{node.answer}. " if node.answer else ""
    sign = "\N{CHECK MARK} " if node.branch.right else ""
    axes.text(
        *(left, HEAD + ROW * (node.height + 0.5)),
        place + sign + units.cut(name(node.branch.item), ITEM),
        fontsize=SMALL,
        color=palette.ink if node.branch.kept else palette.muted,
        weight="bold" if node.branch.right else "normal",
        va="center",
        parse_math=False,
    )
