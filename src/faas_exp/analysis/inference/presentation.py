"""The comparisons as tables to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from faas_exp.analysis import names, numbers
from faas_exp.analysis.inference.families import WORDS
from faas_exp.analysis.inference.metrics import BY_NAME
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.tables import Table

CELL_HEADS = ("Function", "Load", "Case")
PAIR_HEADS = ("A", "B", "Runs", "Median A", "Median B", "A ÷ B", "95 % interval", "A12", "p", "p (Holm)", "A is")
DIFFERENCE = f"A {numbers.MINUS} B"
NUMERIC = frozenset({"Runs", "Median A", "Median B", "A ÷ B", DIFFERENCE, "95 % interval", "A12", "p", "p (Holm)", "H"})


def pair_table(pairs: pd.DataFrame, metric: str, options: Options, title: str = "", *, function: bool = True) -> Table:
    """The comparisons of one metric, one row each; without the column of functions where there is only one."""
    skip = 0 if function else 1
    rows = pairs[pairs["metric"] == metric]
    known = BY_NAME[metric]
    heads = [head.replace("95 %", f"{options.confidence * 100:g} %") for head in (*CELL_HEADS, *PAIR_HEADS)]
    if known.scale == "difference":
        heads[heads.index("A ÷ B")] = DIFFERENCE
    return Table(
        title=title or known.title,
        heads=heads[skip:],
        rows=[(*cell_words(row)[skip:], *pair_words(row)) for row in rows.to_dict("records")],
        numeric=NUMERIC | {head for head in heads if head.endswith("interval")},
        note=(
            f"Mann-Whitney tests on runs, exact, two-sided; Holm's correction over {WORDS[options.family]}. "
            f"Equivalent: within {margin_words(metric, options)}."
        ),
    )


def margin_words(metric: str, options: Options) -> str:
    """The equivalence margin of a metric."""
    if BY_NAME[metric].scale == "difference":
        return f"{options.error_margin:g} percentage points"
    return f"{options.margin * 100:g} %"


def cell_words(row: Mapping[Any, Any]) -> tuple[str, str, str]:
    """Function, load type and case of a row, in words."""
    case = names.case_label(row["case"]) + (f", {row['phase']}" if row["phase"] else "")
    return names.function_label(row["function"]), names.type_label(row["load"], row["scaling"]), case


def pair_words(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """The cells of ``PAIR_HEADS``."""
    ratio = row["scale"] == "ratio"
    show = numbers.ratio if ratio else numbers.plain
    return (
        names.display(row["a"]),
        names.display(row["b"]),
        f"{row['n_a']} and {row['n_b']}",
        numbers.plain(row["median_a"]),
        numbers.plain(row["median_b"]),
        show(row["ratio"] if ratio else row["difference"]),
        numbers.interval(row["low"], row["high"], show),
        f"{row['a12']:.2f}",
        numbers.p_value(row["p"]),
        numbers.p_value(row["p_holm"]) + ("" if row["reachable"] else " (out of reach)"),
        row["verdict"],
    )


def omnibus_table(omnibus: pd.DataFrame, metric: str) -> Table:
    """Kruskal-Wallis per cell."""
    rows = omnibus[omnibus["metric"] == metric]
    return Table(
        title=f"{BY_NAME[metric].title}: do the orchestrators differ at all?",
        heads=(*CELL_HEADS, "Runs", "H", "p", "p (chi-square)"),
        rows=[
            (
                *cell_words(row),
                row["runs"],
                numbers.plain(row["h"]),
                numbers.p_value(row["p"]),
                numbers.p_value(row["p_chi2"]),
            )
            for row in rows.to_dict("records")
        ],
        numeric=frozenset({"H", "p", "p (chi-square)"}),
        note="Kruskal-Wallis test on runs; p from 9,999 permutations.",
    )
