"""The thesis's own tables, to the character: what was published can be computed again from its summaries.

The rule, per case and pair of orchestrators: ``-`` when the medians are equal or the Mann-Whitney test gives p >
0.05, else ``+`` when the row's orchestrator is better and ``o`` when it is worse. The p-value is the one of SciPy
before 1.7: one-sided, normal approximation with correction for ties and continuity, whatever the number of runs;
nothing corrects for many comparisons. A function with warm and cold chunks has all of its chunks pooled as if they
were runs. None of this is what ``compare`` does; docs/statistics.md says why.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from faas_exp.analysis.model import FloatArray
from faas_exp.analysis.summary_csv import Summary

ALPHA = 0.05
HIGHER_IS_BETTER = ("throughput",)
NO_DATA = "?"
"""Where one of the two orchestrators has no value: the thesis had no such case."""

_FIRST = ("k8s", "nomad", "swarm")
_MATH = {"-": r"\text{--}\ ", "o": r"\triangledown\ ", "+": r"\blacktriangle\ "}


def symbol(factor: str, row: FloatArray, column: FloatArray) -> str:
    """``+``, ``o`` or ``-`` for one case: is the row's orchestrator better than the column's?"""
    if not len(row) or not len(column):
        return NO_DATA
    row_median, column_median = float(np.median(row)), float(np.median(column))
    if row_median == column_median:
        return "-"
    two_sided = mannwhitneyu(row, column, use_continuity=True, alternative="two-sided", method="asymptotic").pvalue
    if two_sided / 2 > ALPHA:
        return "-"
    better = row_median > column_median if factor in HIGHER_IS_BETTER else row_median < column_median
    return "+" if better else "o"


def tables(summary: Summary) -> dict[str, pd.DataFrame]:
    """The table of every factor: rows and columns are orchestrators, or warm and cold."""
    table = summary.table
    return {
        str(factor): _warm_table(str(factor), table) if "startTime" in table else _plain_table(str(factor), table)
        for factor in table["factor"].unique()
    }


def _plain_table(factor: str, table: pd.DataFrame) -> pd.DataFrame:
    frameworks = [str(name) for name in table["framework"].unique()]
    cases = table["caseNumber"].unique()
    values = _values(table[table["factor"] == factor], ["framework", "caseNumber"])
    result = pd.DataFrame("", index=frameworks[:-1], columns=frameworks[1:])
    for row, column in combinations(frameworks, 2):
        line = (symbol(factor, values.get((row, case), _NONE), values.get((column, case), _NONE)) for case in cases)
        result.loc[row, column] = "".join(line)
    return result


def _warm_table(factor: str, table: pd.DataFrame) -> pd.DataFrame:
    """Warm chunks pooled, cold chunks pooled; the orchestrators in the thesis's order, whatever the file's."""
    present = list(table["framework"].unique())
    frameworks = [name for name in _FIRST if name in present] + [name for name in present if name not in _FIRST]
    order = table["framework"].map(frameworks.index)
    ordered = table.iloc[np.argsort(order.to_numpy(), kind="stable")]
    cases = ordered["caseNumber"].unique()
    pairs = list(combinations(frameworks, 2))
    columns = ["p_value"] if len(pairs) == 1 else [f"{row}-{column}" for row, column in pairs]
    kinds = [kind for kind in ("warm", "cold") if table["startTime"].str.contains(kind).any()]
    result = pd.DataFrame("", index=kinds, columns=columns)
    for kind in kinds:
        chosen = ordered[(ordered["factor"] == factor) & ordered["startTime"].str.contains(kind)]
        values = _values(chosen, ["framework", "caseNumber"])
        for (row, column), name in zip(pairs, columns, strict=True):
            line = (symbol(factor, values.get((row, case), _NONE), values.get((column, case), _NONE)) for case in cases)
            result.loc[kind, name] = "".join(line)
    return result


_NONE = np.empty(0)


def _values(table: pd.DataFrame, by: list[str]) -> dict[tuple[str, str], FloatArray]:
    return {key: group.to_numpy(dtype=float) for key, group in table.groupby(by, sort=False)["factorValue"]}  # type: ignore[misc]


def to_csv(table: pd.DataFrame) -> str:
    """Tab-separated, as published."""
    return table.to_csv(sep="\t", lineterminator="\n")


def to_latex(table: pd.DataFrame, factor: str) -> str:
    """The published document: jMetal's layout, in which ``+`` is a filled triangle and ``o`` an empty one."""
    heads = " & ".join(rf"\textbf{{{str(name).replace('_', chr(92) + '_')}}}" for name in table.columns)
    lines = [
        r"\documentclass{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{tabularx}",
        r"\usepackage{amssymb}",
        r"\usepackage{amsmath}",
        r"\title{Wilcoxon - Mann-Whitney rank sum test}",
        r"\author{}",
        r"\begin{document}",
        r"\maketitle",
        r"\section{Table}",
        r"\begin{table}[!htp]",
        rf"  \caption{{Wilcoxon values of the {factor} factor}}",
        rf"  \label{{table:{factor}}}",
        r"  \centering",
        r"  \begin{scriptsize}",
        rf"  \begin{{tabular}}{{c|{'c' * table.shape[1]}}}",
        rf"      & {heads} \\\hline",
    ]
    for name, row in zip(table.index, table.to_numpy(), strict=True):
        cells = " $ & $ ".join("".join(_MATH.get(mark, mark) for mark in str(cell)) for cell in row)
        lines.append(rf"      \textbf{{{name}}} & ${cells}$ \\")
    lines += [r"  \end{tabular}", r"  \end{scriptsize}", r"\end{table}", r"\end{document}"]
    return "\n".join(lines)
