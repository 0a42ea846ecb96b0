"""How every figure looks: paper widths, colour-blind safe colours that mean the same orchestrator everywhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from faas_exp.analysis import names
from faas_exp.analysis.files import write

COLUMN, PAGE = 3.5, 7.0
"""Widths in inches: one column of a two-column paper, and both."""

_PALETTE = sns.color_palette("colorblind").as_hex()
_FIXED = {"k8s": 0, "nomad": 2, "swarm": 1, "embedded": 4}
_SPARE = (3, 9, 5, 7, 6, 8)
_MARKERS = {"k8s": "o", "nomad": "^", "swarm": "s", "embedded": "D"}
_SPARE_MARKERS = ("v", "P", "X", "<", ">", "*")
GREY = "#5f5f5f"

_PATH, _INDENT, _DECIMALS = re.compile(r' d="[^"]*"'), re.compile(r"\n\s*<"), re.compile(r"(\.\d\d)\d+")

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "patch.linewidth": 0.4,
    "axes.edgecolor": "#444444",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "faas-exp",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and marker of one orchestrator."""

    colour: str
    marker: str


def looks(orchestrators: Iterable[str]) -> dict[str, Look]:
    """The look of every orchestrator: fixed for the known ones, by order of name for others; twins look like their
    base.
    """
    found: dict[str, Look] = {}
    spare = 0
    for name in names.in_natural_order(names.base_of(name) for name in orchestrators):
        if name in _FIXED:
            found[name] = Look(_PALETTE[_FIXED[name]], _MARKERS[name])
        else:
            turn = spare % len(_SPARE)
            found[name] = Look(_PALETTE[_SPARE[turn]], _SPARE_MARKERS[turn])
            spare += 1
    return found | {name: found[names.base_of(name)] for name in orchestrators}


@contextmanager
def paper() -> Iterator[None]:
    """Draw inside this context: seaborn's white grid, with sizes that can be read in print."""
    settings: Any = {**sns.axes_style("whitegrid"), **_RC}
    with mpl.rc_context(settings):
        yield


def grid(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """A figure of ``rows`` by ``columns`` axes, ``width`` by ``height`` inches, without pyplot's global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def legend(
    figure: Figure, orchestrators: Sequence[str], look: dict[str, Look], *, extra: Sequence[Line2D] = ()
) -> None:
    """One legend for the whole figure, above it."""
    handles = [
        Line2D(
            [], [], color=look[name].colour, marker=look[name].marker, linewidth=1.4, label=safe(names.display(name))
        )
        for name in orchestrators
    ]
    figure.legend(
        handles=[*handles, *extra],
        loc="outside upper center",
        ncols=max(1, min(len(handles) + len(extra), int(figure.get_figwidth() * 1.1))),
        frameon=False,
        handlelength=1.6,
        columnspacing=1.4,
    )


def log_ticks(axis: Axis, span: float) -> None:
    """Labels in plain numbers on a log axis, few enough that they don't touch.

    Args:
        axis: the x or y axis.
        span: largest value over smallest.
    """
    if not np.isfinite(span) or span < 4:
        # Hardly a log axis: ticks at round numbers, a handful.
        axis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    else:
        steps = (1, 2, 5) if span < 80 else (1, 3) if span < 500 else (1,)
        axis.set_major_locator(LogLocator(base=10, subs=steps, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(plain_tick)


def plain_tick(value: float, _: object = None) -> str:
    """A tick's label without exponent and needless zeros."""
    return f"{value:,.0f}" if value >= 10 and value == round(value) else f"{value:.4g}"


def safe(text: str, longest: int = 28) -> str:
    """Text that matplotlib does not take for mathematics, and that fits."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return shown.replace("$", r"\$")


def svg(figure: Figure) -> str:
    """The figure as an SVG document, the same bytes for the same figure."""
    text = io.StringIO()
    with paper():
        figure.savefig(text, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    return _PATH.sub(_shorter, _INDENT.sub("\n<", text.getvalue()))


def _shorter(path: re.Match[str]) -> str:
    """A path on one line, coordinates to a hundredth of a point: half the size, the same picture."""
    return _DECIMALS.sub(r"\1", path[0].replace(" \n", " ").replace("\n", " "))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``<stem>.svg`` and ``<stem>.png`` (200 dots per inch)."""
    vector = svg(figure)
    # The layout is computed once; the second file has the same.
    figure.set_layout_engine("none")
    with paper():
        return [
            write(stem.with_name(stem.name + ".svg"), lambda path: path.write_text(vector, encoding="utf-8")),
            write(stem.with_name(stem.name + ".png"), lambda path: figure.savefig(path, format="png", dpi=200)),
        ]
