"""Putting a report together from a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from faas_exp import __version__
from faas_exp.analysis import names
from faas_exp.analysis.cost import costs
from faas_exp.analysis.figures.generate import Plan, draw_svg, further_plans, pair_plans
from faas_exp.analysis.inference.compare import Comparison, compare
from faas_exp.analysis.inference.metrics import RESPONSE, metrics_in
from faas_exp.analysis.inference.noise import noise_floor
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.overall import Overall, overall
from faas_exp.analysis.inference.presentation import omnibus_table, pair_table
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset
from faas_exp.analysis.parallel import in_parallel
from faas_exp.analysis.reporting.answer import answer, caveats
from faas_exp.analysis.reporting.method import limits, method
from faas_exp.analysis.reporting.model import Block, Picture, Report, Section
from faas_exp.analysis.reporting.provenance import what_was_run
from faas_exp.analysis.reporting.values import (
    cold_table,
    cost_table,
    failure_table,
    noise_table,
    overall_table,
    value_table,
)
from faas_exp.analysis.tables import Table

Keep = Callable[..., list[Block]]
"""Takes note of a table under a file name, and gives it back as a list of blocks: empty for an empty table."""


@dataclass(frozen=True, slots=True)
class Built:
    """A report, the comparison behind it, and its tables by file name: as shown, and in full precision."""

    report: Report
    comparison: Comparison
    tables: dict[str, tuple[Table, pd.DataFrame | None]]


def build(data: Dataset, source: str, options: Options) -> Built:
    """Compare, draw and word everything. Figures are drawn on all cores."""
    comparison = compare(data, options)
    results = overall(comparison)
    noise = noise_floor(data, options.alpha)
    plans = [*further_plans(data, comparison, options)]
    pictures = {
        plan.stem: Picture(plan.stem, plan.caption, drawing)
        for plan, drawing in zip(plans, in_parallel(plans, draw_svg), strict=True)
        if drawing
    }
    tables: dict[str, tuple[Table, pd.DataFrame | None]] = {}

    def keep(name: str, table: Table | None, full: pd.DataFrame | None = None) -> list[Block]:
        if table is None or not table.rows:
            return []
        tables[name] = (table, full)
        return [table]

    sections = []
    if results:
        by_type = _by_type(data, comparison)
        section = Section("Over all cases", keep("overall", overall_table(results, by_type, options)))
        section.blocks += _chosen(pictures, pair_plans(data, comparison))
        sections.append(section)
    sections.append(Section("Cold starts", [*keep("cold_starts", cold_table(data)), *_cold_pictures(pictures)]))
    sections.append(_functions(data, comparison, options, pictures, keep))
    sections.append(Section("Failed requests", keep("failures", failure_table(data)), folded=True))
    if noise is not None:
        sections.append(Section("Noise floor", keep("noise_floor", noise_table(noise), noise.twins)))
    found = costs(data)
    if found is not None:
        sections.append(Section("Cost", keep("cost", cost_table(found), found.table), folded=True))
    sections.append(_tests(data, comparison, options, keep))
    sections += [what_was_run(data), method(data, options), limits(data)]
    report = Report(
        title=_title(data),
        subtitle=_subtitle(data, source),
        answer=answer(data, comparison, results),
        caveats=caveats(data, comparison, noise, results),
        sections=[section for section in sections if not section.empty],
    )
    return Built(report, comparison, tables)


def _title(data: Dataset) -> str:
    orchestrators = [
        names.display(n) for n in names.in_natural_order(data.runs["orchestrator"]) if not names.is_twin(n)
    ]
    if len(orchestrators) == 1:
        return f"Functions on {orchestrators[0]}"
    return f"Functions on {', '.join(orchestrators[:-1])} and {orchestrators[-1]}"


def _subtitle(data: Dataset, source: str) -> str:
    runs = usable(data)
    count = int(runs["count"].sum())
    size = f"{count:,} requests in " if count else ""
    number = len(runs.drop_duplicates(["orchestrator", "function", "load", "scaling", "case", "run"]))
    ended = runs["end_ms"].max()
    when = "" if pd.isna(ended) else f", measured until {pd.Timestamp(ended, unit='ms', tz='UTC'):%Y-%m-%d %H:%M} UTC"
    return f"{size}{number:,} runs from {source}{when}. faas-exp {__version__}."


def _by_type(data: Dataset, comparison: Comparison) -> list[tuple[str, Overall]]:
    types = list(dict.fromkeys(zip(data.runs["load"], data.runs["scaling"], strict=True)))
    if len(types) < 2:
        return []
    return [
        (names.type_label(load, scaling), result)
        for load, scaling in types
        for result in overall(comparison, lambda cell, kind=(load, scaling): (cell.load, cell.scaling) == kind)  # type: ignore[misc]
    ]


def _chosen(pictures: dict[str, Picture], plans: Iterable[Plan]) -> list[Block]:
    return [pictures[plan.stem] for plan in plans if plan.stem in pictures]


def _cold_pictures(pictures: dict[str, Picture]) -> list[Block]:
    return [picture for stem, picture in pictures.items() if stem.endswith("/cold_starts")]


def _functions(
    data: Dataset, comparison: Comparison, options: Options, pictures: dict[str, Picture], keep: Keep
) -> Section:
    """One section per function: what it looks like, the numbers, the tests on its response times."""
    parts = []
    pairs = comparison.pairs
    for number, function in enumerate(dict.fromkeys(data.runs["function"])):
        folder = names.slug(function)
        own = [picture for stem, picture in pictures.items() if stem.startswith(f"{folder}/")]
        first = [picture for picture in own if picture.stem.endswith("/overview")]
        rest = [picture for picture in own if not picture.stem.endswith(("/overview", "/cold_starts"))]
        section = Section(names.function_label(function), [*first], folded=number > 0)
        section.blocks += keep(f"{folder}_values", value_table(data, function, options))
        if not pairs.empty:
            rows = pairs[(pairs["function"] == function) & (pairs["metric"] == RESPONSE.name)]
            title = f"{names.function_label(function)}: {RESPONSE.title}, pair by pair"
            section.blocks += keep(
                f"{folder}_comparisons", pair_table(rows, RESPONSE.name, options, title, function=False), rows
            )
        section.blocks += rest
        parts.append(section)
    return Section("Function by function", sections=parts)


def _tests(data: Dataset, comparison: Comparison, options: Options, keep: Keep) -> Section:
    """Every test of every metric."""
    section = Section("All tests")
    if comparison.pairs.empty:
        return section
    for metric in metrics_in(data):
        pairs = comparison.pairs[comparison.pairs["metric"] == metric.name]
        omnibus = comparison.omnibus[comparison.omnibus["metric"] == metric.name]
        blocks = keep(f"all_{metric.name}", pair_table(pairs, metric.name, options), pairs)
        if (omnibus["groups"] > 2).any():
            blocks += keep(f"all_{metric.name}_omnibus", omnibus_table(omnibus, metric.name), omnibus)
        section.sections.append(Section(metric.title, blocks, folded=True))
    return section
