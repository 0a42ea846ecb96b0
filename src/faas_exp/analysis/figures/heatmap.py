"""A map of ratios: functions by cases for one pair of orchestrators, in the colour of the faster one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from faas_exp.analysis import names, numbers
from faas_exp.analysis.figures.style import COLUMN, GREY, PAGE, grid, looks, safe
from faas_exp.analysis.inference.compare import UNDECIDED, Comparison
from faas_exp.analysis.inference.metrics import BY_NAME, RESPONSE

_SHORT = {
    "sequential/noautoscaling": "1 user",
    "parallel/autoscaling": "autoscaled",
    "parallel/noautoscaling": "many users",
}
_WEAK = 1.6
"""Ratios beyond this and its inverse have the full colour."""


def heatmap(comparison: Comparison, a: str, b: str, metric: str = RESPONSE.name) -> Figure | None:
    """Ratios a ÷ b; numbers in brackets are undecided. None when the pair shares no cell."""
    pairs = comparison.pairs
    if pairs.empty:
        return None
    rows = pairs[(pairs["metric"] == metric) & (pairs["a"] == a) & (pairs["b"] == b) & (pairs["phase"] != "cold")]
    rows = rows[np.isfinite(rows["ratio"])]
    if rows.empty:
        return None
    functions = list(dict.fromkeys(rows["function"]))
    columns = _columns(rows)
    ratios = np.full((len(functions), len(columns)), np.nan)
    texts = np.full(ratios.shape, "", dtype=object)
    for row in rows.to_dict("records"):
        at = functions.index(row["function"]), columns.index((row["load"], row["scaling"], row["case"]))
        ratios[at] = row["ratio"]
        text = numbers.ratio(row["ratio"])
        texts[at] = f"({text})" if row["verdict"] == UNDECIDED else text
    width = min(PAGE, max(COLUMN, 1.2 + 0.58 * len(columns)))
    figure, axes = grid(1, 1, width, 1.1 + 0.24 * len(functions))
    _draw(figure, axes[0][0], ratios, texts, functions, columns, a, b, metric)
    return figure


def _draw(
    figure: Figure,
    axis: object,
    ratios: np.ndarray,
    texts: np.ndarray,
    functions: list[str],
    columns: list[tuple[str, str, str]],
    a: str,
    b: str,
    metric: str,
) -> None:
    look = looks((a, b))
    first, second = look[a].colour, look[b].colour
    # Low ratios of something that should be low are good for a, of something that should be high for b.
    # Blended with white, so that black numbers can be read on them.
    first, second = (sns.blend_palette([colour, "white"], 5)[1] for colour in (first, second))
    low, high = (first, second) if BY_NAME[metric].better == "lower" else (second, first)
    colours = LinearSegmentedColormap.from_list("ratio", [low, "#f4f4f4", high])
    limit = np.log2(_WEAK)
    with np.errstate(divide="ignore"):
        shades = np.clip(np.log2(ratios), -limit, limit)
    sns.heatmap(
        shades,
        ax=axis,
        cmap=colours,
        vmin=-limit,
        vmax=limit,
        annot=texts,
        fmt="",
        annot_kws={"fontsize": 6, "color": "black"},
        linewidths=0.6,
        linecolor="white",
        cbar=False,
        xticklabels=[safe(_case(case)) for _, _, case in columns],
        yticklabels=[safe(names.function_label(function)) for function in functions],
    )
    _headings(axis, columns)
    axis.tick_params(axis="both", length=0)  # type: ignore[attr-defined]
    axis.set_yticklabels(axis.get_yticklabels(), rotation=0)  # type: ignore[attr-defined]
    axis.set_xticklabels(axis.get_xticklabels(), rotation=0)  # type: ignore[attr-defined]
    first_name, second_name = safe(names.display(a), 18), safe(names.display(b), 18)
    faster = first_name if BY_NAME[metric].better == "lower" else second_name
    figure.suptitle(f"{BY_NAME[metric].label}: {first_name} ÷ {second_name}", fontsize=7.5, x=0.01, ha="left")
    figure.supxlabel(
        f"below 1: {faster} is better; (in brackets): undecided", fontsize=6, color=GREY, x=0.01, ha="left"
    )


def _columns(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    found = dict.fromkeys(zip(rows["load"], rows["scaling"], rows["case"], strict=True))
    return sorted(found, key=lambda key: (key[0] != "sequential", key[1], names.natural(key[2])))


def _headings(axis: object, columns: list[tuple[str, str, str]]) -> None:
    """The load type over its columns, and a line between load types."""
    types = [(load, scaling) for load, scaling, _ in columns]
    for kind in dict.fromkeys(types):
        places = [place for place, found in enumerate(types) if found == kind]
        axis.text(  # type: ignore[attr-defined]
            (places[0] + places[-1] + 1) / 2,
            -0.12,
            _SHORT.get("/".join(kind), names.type_label(*kind)),
            ha="center",
            va="bottom",
            fontsize=6.5,
        )
        if places[0]:
            axis.axvline(places[0], color="#444444", linewidth=0.8)  # type: ignore[attr-defined]


def _case(case: str) -> str:
    if names.case_number(case) is None:
        return case
    return names.case_label(case).replace(" ", "\n")
