"""The answer in sentences: which orchestrator, by how much, how sure; and what one must know before quoting it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from faas_exp.analysis import names, numbers
from faas_exp.analysis.inference.compare import Comparison
from faas_exp.analysis.inference.noise import NoiseFloor
from faas_exp.analysis.inference.overall import Overall
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset

MOST_SENTENCES = 6
FAILING = 1.0
"""From so many percent of failed requests on, response times of the rest need a warning."""


def answer(data: Dataset, comparison: Comparison, results: list[Overall]) -> list[str]:
    """The sentences of the answer; the most telling first."""
    if not results:
        return _without_comparison(data)
    ordered = sorted((result.faster_first for result in results), key=lambda result: result.ratio)
    sentences = [_ranking(ordered)] if len({name for r in ordered for name in (r.a, r.b)}) > 2 else []
    return sentences + [_sentence(result, comparison) for result in ordered[:MOST_SENTENCES]]


def _sentence(result: Overall, comparison: Comparison) -> str:
    a, b = names.display(result.a), names.display(result.b)
    confidence = f"{comparison.options.confidence * 100:g} %"
    span = numbers.interval(result.low, result.high)
    over = f"over {result.cells} cases" if result.cells > 1 else "in the one case they share"
    counts = _counts(a, result)
    if np.isnan(result.low):
        head = f"On {a} the median response time is {numbers.ratio(result.ratio)} of {b}'s {over}, from single runs: "
        return head + "without repetition nobody can say how sure that is."
    if not result.sure:
        ratio = numbers.ratio(result.ratio)
        return f"{a} and {b} can't be told apart {over}: ratio {ratio} ({confidence} interval {span}). {counts}"
    return (
        f"On {a} the median response time is {numbers.ratio(result.ratio)} of {b}'s {over} "
        f"({confidence} interval {span}). {counts}"
    )


def _counts(a: str, result: Overall) -> str:
    """What the tests say about the single cases."""
    if result.cells == 1:
        verdicts = {"faster": result.better, "slower": result.worse, "equivalent": result.equivalent}
        return f"By the test it is {next((word for word, number in verdicts.items() if number), 'undecided')} there."
    told = [f"{word} in {number}" for word, number in (("faster", result.better), ("slower", result.worse)) if number]
    rest = [(result.equivalent, "equivalent"), (result.undecided, "undecided")]
    others = [f"{number} {word}" for number, word in rest if number]
    if not told:
        return f"By the tests {' and '.join(others)}."
    if max(result.better, result.worse) == result.cells:
        return f"By the tests {a} is {'faster' if result.better else 'slower'} in each of them."
    return f"By the tests {a} is {' and '.join(told)} of them" + (f"; {', '.join(others)}." if others else ".")


def _ranking(ordered: list[Overall]) -> str:
    """From the fastest to the slowest, by wins over the others."""
    orchestrators = list(dict.fromkeys(name for result in ordered for name in (result.a, result.b)))
    strength = {
        name: np.mean([np.log(r.ratio if r.a == name else 1 / r.ratio) for r in ordered if name in (r.a, r.b)])
        for name in orchestrators
    }
    ranked = [names.display(name) for name in sorted(orchestrators, key=lambda name: strength[name])]
    return f"{ranked[0]} is the fastest over all cases, then {', then '.join(ranked[1:])}."


def _without_comparison(data: Dataset) -> list[str]:
    runs = usable(data)
    if runs.empty:
        return ["Every run is void: nothing can be said."]
    seen = [name for name in names.in_natural_order(runs["orchestrator"]) if not names.is_twin(name)]
    medians = runs.groupby(["function", "load", "scaling", "case"])["p50"].median().dropna()
    if medians.empty:
        return [f"{', '.join(map(names.display, seen))}: not a single request succeeded."]
    low, high = medians.idxmin(), medians.idxmax()
    span = (
        f"median response times go from {numbers.plain(float(medians.min()))} ms ({_where(low)}) "
        f"to {numbers.plain(float(medians.max()))} ms ({_where(high)})"
        if len(medians) > 1
        else f"the median response time is {numbers.plain(float(medians.min()))} ms"
    )
    if len(seen) == 1:
        return [
            f"Only {names.display(seen[0])} was measured, so nothing is compared here: {span}.",
            "Run the same experiment file on another orchestrator into the same result folder to compare the two.",
        ]
    return [f"{', '.join(map(names.display, seen))} share no case, so nothing is compared here: {span}."]


def _where(key: Any) -> str:
    function, load, scaling, case = map(str, key)
    return f"{names.function_label(function)}, {names.type_label(load, scaling)}, {names.case_label(case)}"


def caveats(data: Dataset, comparison: Comparison, noise: NoiseFloor | None, results: list[Overall]) -> list[str]:
    """What limits the answer, most serious first."""
    found = [*data.provenance.errors, *_failures(data)]
    runs = data.runs.groupby(["orchestrator", "function", "load", "scaling", "case", "run"])["void"].any()
    if runs.any():
        found.append(
            f"{int(runs.sum())} of {len(runs)} runs are void (the load generator judged itself too slow): they are "
            "listed "
            "below and not in the statistics."
        )
    if noise is not None:
        found.append(
            f"The same thing measured twice differed by {numbers.percent(100 * noise.median)} in the median and "
            f"by {numbers.percent(100 * noise.largest)} at most ({len(noise.twins)} A/A pairs): what is smaller is "
            "noise."
        )
    if results:
        found.extend(_sentence_case(warning) for warning in comparison.warnings)
    if data.runs["whole_ms"].any() or (data.runs["source"] == "summary").any():
        found.append(
            "Some times were recorded in whole milliseconds: below about 10 ms their medians jump by several percent."
        )
    if data.provenance.left_out:
        found.append(f"{len(data.provenance.left_out)} folders or files were left out: see the list below.")
    return found


def _failures(data: Dataset) -> list[str]:
    runs = usable(data)
    cells = runs.groupby(["orchestrator", "function", "load", "scaling", "case"])["error_pct"].median().dropna()
    sentences = []
    for orchestrator in names.in_natural_order(runs["orchestrator"]):
        of_one = cells[cells.index.get_level_values("orchestrator") == orchestrator]
        failing = of_one[of_one >= FAILING]
        if len(failing):
            sentences.append(
                f"{names.display(orchestrator)} failed {numbers.percent(FAILING)} or more of its requests in "
                f"{len(failing)} of {len(of_one)} cases ({numbers.percent(float(failing.max()))} at worst): its "
                "response times there are those of the requests that succeeded, and it had fewer to serve."
            )
    return sentences


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


def void_rows(data: Dataset) -> pd.DataFrame:
    """The void runs."""
    return data.runs[data.runs["void"]]
