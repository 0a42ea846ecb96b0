"""Many comparisons: Holm's correction in declared families, and whether a family can reject anything at all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.ranks import smallest_p
from faas_exp.analysis.model import FloatArray

_KEYS = {
    "table": ["metric", "function", "load", "scaling"],
    "function": ["metric", "function"],
    "all": ["metric"],
}
WORDS = {
    "table": "the comparisons of one metric in one function and load type",
    "function": "the comparisons of one metric in one function",
    "all": "all comparisons of one metric",
}


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's (1979) step-down adjustment, in the order of the input.

    The same numbers as statsmodels' ``multipletests(method="holm")``, which collects garbage on every call: with
    hundreds of families that was more than half of the time of a whole comparison.
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def correct(pairs: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Add ``family_size``, ``p_holm``, ``smallest_p`` and ``reachable``.

    ``reachable`` says whether the comparison could be significant at all: even the smallest p-value its number of
    runs can give, corrected for the whole family, is at most alpha. Comparisons without a p-value are no part of a
    family.
    """
    pairs = pairs.copy()
    pairs["family_size"] = 0
    pairs["p_holm"] = np.nan
    tested = pairs[pairs["p"].notna()]
    for _, family in tested.groupby(_KEYS[options.family], sort=False):
        pairs.loc[family.index, "family_size"] = len(family)
        pairs.loc[family.index, "p_holm"] = holm(family["p"].to_numpy())
    pairs["smallest_p"] = [smallest_p(int(n), int(m)) for n, m in zip(pairs["n_a"], pairs["n_b"], strict=True)]
    pairs["reachable"] = pairs["smallest_p"] * pairs["family_size"] <= options.alpha
    return pairs
