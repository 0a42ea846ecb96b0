"""Has a case been repeated often enough? The optional stopping rule, asked of what is in the result tree."""

from __future__ import annotations

import json
from pathlib import Path

from faas_exp.analysis.stopping import Decision, decide
from faas_exp.grid import Run
from faas_exp.results import read_run
from faas_exp.schema import StoppingRule


def decision_for(root: Path, run: Run, rule: StoppingRule, most_runs: int) -> Decision | None:
    """What the rule says of a run's case, from the complete runs of the same configuration.

    None for a run in chunks: warm and cold medians are two things, and cold starts want all their runs.
    """
    if run.chunks[0].name:
        return None
    medians = []
    for number in range(1, most_runs + 1):
        folder = root / run.path.parent / str(number)
        record = read_run(folder)
        if record is None or record.get("void") or _but_seed(record.get("config")) != _but_seed(run.config):
            continue
        try:
            median = json.loads((folder / "stats.json").read_text(encoding="utf-8"))["elapsed_ms"]["p50"]
        except (OSError, ValueError, KeyError):
            continue
        if median:
            medians.append(float(median))
    if not medians:
        return None
    return decide(medians, target_pct=rule.half_width_pct, least_runs=rule.least_runs, most_runs=most_runs)


def _but_seed(config: object) -> object:
    """Runs of one case differ in their seed alone."""
    return {k: v for k, v in config.items() if k != "seed"} if isinstance(config, dict) else config
