"""How the numbers were made and what they can't say, in words for a reader who was not there."""

from __future__ import annotations

from faas_exp.analysis.inference.families import WORDS
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.model import Dataset
from faas_exp.analysis.reporting.model import Section, Text


def method(data: Dataset, options: Options) -> Section:
    """The section on method and limits."""
    level = f"{options.confidence * 100:g} %"
    hierarchical = (
        "runs are resampled, then the requests within each resampled run"
        if data.quantiles
        else "runs are resampled (there are no single requests to resample)"
    )
    lines = [
        "The unit is the run. Requests of one run share its machines, its deployment and its hour: they are not "
        "independent, so no test here counts requests. A run gives one median, one throughput, one error rate.",
        "Response times are of successful requests (2xx), in milliseconds, as the client saw them. Throughput is "
        "successes "
        "per second of wall time, from the first start to the last end. Percentiles interpolate linearly.",
        "A case's value is the median over its runs. “Without outliers” is the same after leaving out runs beyond "
        "Tukey's "
        "fences (1.5 interquartile ranges), as the original thesis did; nothing else here leaves anything out but void "
        "runs, in which the load generator judged itself too slow to be believed.",
        f"Intervals ({level}) are from a bootstrap of {options.resamples:,} resamples, seed {options.seed}: "
        f"{hierarchical}; "
        "percentile method. In simulation they cover 96 to 97 % at 5 runs or more, and only 88 % at 3.",
        "Differences are tested with Kruskal-Wallis over all orchestrators (9,999 permutations), then between each "
        "pair with "
        "two-sided Mann-Whitney tests, exact, ties included. "
        f"Holm's correction keeps the chance of any false alarm in a family at {options.alpha * 100:g} %; a family is "
        f"{WORDS[options.family]}.",
        "A12 (Vargha and Delaney) is the probability that a run of A has a larger value than one of B: 0.5 is no "
        "difference, 0.71 and more (or 0.29 and less) is called large.",
        f"“Equivalent” means that the {100 - 200 * options.alpha:g} % interval of the ratio lies within "
        f"{options.margin * 100:g} % of 1 (error rates: within {options.error_margin:g} percentage points), which is "
        "two "
        "one-sided tests. “Undecided” is not “equal”: it means that there are too few runs, or too noisy ones.",
        "Ratios over several cases are geometric means, every case counting the same. They speak of these functions "
        "and "
        "cases, not of all functions there are.",
    ]
    return Section("Method", [Text(lines, listed=True)])


def limits(data: Dataset) -> Section:
    """What the numbers can't say."""
    lines = [
        "Cases were not run at the same moment. Runs are spread in a seeded order where deployments allow it; a slow "
        "drift "
        "of the machines over hours can still favour one orchestrator. The A/A pairs, where there are any, show how "
        "much.",
        "A closed loop sends the next request when the last one was answered: a slow platform gets less load, and a "
        "stall "
        "is seen by as many requests as there are users. An open loop (rate) has no such mercy.",
        "Cold responses are told by clocks of two machines, the generator's and the replica's: they must be "
        "synchronised to "
        "well below the start-up time.",
        "With whole milliseconds or few distinct values, bootstrap intervals jump between neighbouring values.",
    ]
    if (data.runs["source"] == "case").any():
        lines.append(
            "Some cases are known by one aggregated value only: for those there are no intervals and no tests."
        )
    return Section("Limits", [Text(lines, listed=True)])
