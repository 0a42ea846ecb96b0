"""The report as Markdown, with figures beside it."""

from __future__ import annotations

from urllib.parse import quote

from faas_exp.analysis import tables
from faas_exp.analysis.reporting.model import Block, Picture, Report, Section, Text
from faas_exp.analysis.tables import escape_markdown as escape


def markdown(report: Report) -> str:
    """One document; figures are linked as ``figures/<stem>.svg``."""
    lines = [f"# {escape(report.title)}", "", escape(report.subtitle), ""]
    lines += [f"> **{escape(sentence)}**\n>" for sentence in report.answer]
    lines += ["", *(f"- {escape(sentence)}" for sentence in report.caveats), ""]
    for section in report.sections:
        lines += _section(section, 2)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section, depth: int) -> list[str]:
    lines = [f"{'#' * min(depth, 6)} {escape(section.title)}", ""]
    for block in section.blocks:
        lines += _block(block)
    for inner in section.sections:
        if not inner.empty:
            lines += _section(inner, depth + 1)
    return lines


def _block(block: Block) -> list[str]:
    if isinstance(block, Picture):
        return [f"![{escape(block.caption)}](figures/{quote(block.stem)}.svg)", "", f"*{escape(block.caption)}*", ""]
    if isinstance(block, Text):
        return [*(f"- {escape(line)}" if block.listed else f"{escape(line)}\n" for line in block.lines), ""]
    return [tables.markdown(block)]
