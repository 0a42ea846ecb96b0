"""``faas-exp report``: the page, the Markdown, the figures and the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.files import write_text
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.model import Written
from faas_exp.analysis.reporting.build import Built, build
from faas_exp.analysis.reporting.html import html
from faas_exp.analysis.reporting.markdown import markdown
from faas_exp.analysis.reporting.model import Picture, Section
from faas_exp.analysis.tables import latex
from faas_exp.analysis.tables import markdown as table_markdown


def write_report(source: Path, destination: Path, options: Options | None = None) -> Written:
    """See ``faas_exp.analysis.report``."""
    data = load_dataset(source)
    built = build(data, source.resolve().name, options or Options())
    files = [
        write_text(destination / "report.html", html(built.report)),
        write_text(destination / "report.md", markdown(built.report)),
        *_tables(built, destination / "tables"),
    ]
    pictures = _pictures(built.report.sections)
    files += [write_text(destination / "figures" / f"{picture.stem}.svg", picture.svg) for picture in pictures]
    notes = [*built.report.answer, *built.report.caveats]
    return Written(destination, files, notes, data.provenance.errors)


def _tables(built: Built, folder: Path) -> Iterator[Path]:
    """Every table as Markdown and LaTeX, and in full precision as CSV where there is more than is shown."""
    for name, (table, full) in built.tables.items():
        stem = re.sub(r"[^\w.~ -]", "_", name)
        yield write_text(folder / f"{stem}.md", table_markdown(table))
        yield write_text(folder / f"{stem}.tex", latex(table))
        if full is not None:
            yield write_text(folder / f"{stem}.csv", full.to_csv(index=False, lineterminator="\n"))


def _pictures(sections: Sequence[Section]) -> Iterator[Picture]:
    for section in sections:
        yield from (block for block in section.blocks if isinstance(block, Picture))
        yield from _pictures(section.sections)
