"""Each table as CSV, Markdown and LaTeX, and each plot as SVG and PNG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.ablations import wording
from bench.ablations.evidence import MAIN, Compared, Evidence
from bench.cells import Measure
from bench.files import replace_file
from bench.metrics import METRIC_NAMES
from reports.ablations.map_plot import draw_map
from reports.ablations.palette import PRINT
from reports.ablations.plot import draw
from reports.ablations.section import Ablations

DOTS_PER_INCH = 200
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "–": "--",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
)


def write_files(found: Ablations, folder: Path) -> list[Path]:
    """Write everything and return the files; each is replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_written(folder / name, content) for name, content in _contents(found)]


def _contents(found: Ablations) -> Iterator[tuple[str, bytes]]:
    for table in found.tables:
        stem = table.run.stem
        yield f"{stem}.csv", as_csv(table).encode()
        yield f"{stem}.md", as_markdown(table).encode()
        yield f"{stem}.tex", as_latex(table).encode()
        yield f"{stem}.svg", _svg(draw(table, PRINT), stem)
        yield f"{stem}.png", _png(draw(table, PRINT))
    for mapped in found.maps:
        stem = mapped.drawn.stem
        yield f"{stem}.svg", _svg(draw_map(mapped.points, mapped.depths, PRINT), stem)
        yield f"{stem}.png", _png(draw_map(mapped.points, mapped.depths, PRINT))


def _written(path: Path, content: bytes) -> Path:
    replace_file(path, content)
    return path


def as_csv(found: Evidence) -> str:
    """A line a row and metric; figures in per cent, differences in points, empty where absent."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    head = ("setting", "metric", "published", "measured", "low", "high", "published_difference")
    lines.writerow((*head, "difference", "difference_low", "difference_high", "direction"))
    for row in found.rows:
        for metric in METRIC_NAMES:
            lines.writerow(
                (
                    row.setting,
                    metric,
                    row.published.get(metric, ""),
                    *_numbers(row.measured.get(metric)),
                    row.further.get(metric, ""),
                    *_numbers(row.apart.get(metric)),
                    row.verdicts.get(metric, ""),
                )
            )
    return text.getvalue()


def as_markdown(found: Evidence) -> str:
    """The table by R@1 with what it says below."""
    lines = [f"# {wording.title(found)}", ""]
    lines += [f"| {' | '.join(_head(found))} |", f"|{'---|' * len(_head(found))}"]
    lines += [f"| {' | '.join(_marked(cell) for cell in _cells(row))} |" for row in found.rows]
    lines += ["", *(f"- {_marked(line)}" for line in _below(found))]
    return "\n".join(lines) + "\n"


def as_latex(found: Evidence) -> str:
    """A ``table`` that wants the package booktabs."""
    rows = [" & ".join(map(_latex, _cells(row))) + r" \\" for row in found.rows]
    caption = _latex(". ".join([wording.title(found), *_below(found)]))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{l{'r' * (len(_head(found)) - 2)}l}}",
            r"\toprule",
            " & ".join(map(_latex, _head(found))) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{caption}}}",
            r"\end{table}",
            "",
        ]
    )


def _below(found: Evidence) -> list[str]:
    return [*wording.directions(found), *wording.remarks(found)]


def _head(found: Evidence) -> Sequence[str]:
    return (found.ablation.column, MAIN, "published", "to the whole", "published", "direction")


def _cells(row: Compared) -> Sequence[str]:
    measure, apart = row.measured.get(MAIN), row.apart.get(MAIN)
    told = row.verdicts.get(MAIN)
    return (
        row.label,
        _percent(measure) if measure else "",
        f"{row.published[MAIN]:.2f}" if MAIN in row.published else "",
        wording.points(apart) if apart else "",
        f"{row.further[MAIN]:+.2f}" if MAIN in row.further else "",
        wording.VERDICTS[told] if told else "",
    )


def _percent(measure: Measure) -> str:
    return f"{100 * measure.value:.1f} ({100 * measure.low:.1f}–{100 * measure.high:.1f})"


def _numbers(measure: Measure | None) -> tuple[str, str, str]:
    if measure is None:
        return "", "", ""
    low, value, high = (f"{100 * one:.3f}" for one in (measure.low, measure.value, measure.high))
    return value, low, high


def _marked(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _latex(text: str) -> str:
    return text.translate(_LATEX)


def _svg(figure: Figure, stem: str) -> bytes:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": stem}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
