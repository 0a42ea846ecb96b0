"""Tables for papers and for people: the same rows as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from faas_exp.analysis.files import write_text
from faas_exp.analysis.numbers import DASH, MINUS, TIMES

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    DASH: "--",
    MINUS: "$-$",
    "÷": r"$\div$",
    TIMES: r"$\times$",
    "≤": r"$\leq$",
    "<": r"$<$",
    ">": r"$>$",
    "∞": r"$\infty$",
    "…": r"\dots{}",
}

_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_[]#"} | {"<": "&lt;", "&": "&amp;", "\n": " "})


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be shown: texts only.

    ``numeric`` holds the heads of columns to be set flush right.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[str] = frozenset()
    note: str = ""


def write_table(table: Table, full: pd.DataFrame, stem: Path) -> list[Path]:
    """Write ``<stem>.csv`` with every column in full precision, ``<stem>.md`` and ``<stem>.tex`` as shown.

    The stem's name may hold a dot.
    """
    return [
        write_text(stem.with_name(stem.name + ".csv"), full.to_csv(index=False, lineterminator="\n")),
        write_text(stem.with_name(stem.name + ".md"), markdown(table)),
        write_text(stem.with_name(stem.name + ".tex"), latex(table)),
    ]


def markdown(table: Table) -> str:
    """A GitHub-flavoured table under its title."""

    def cells(row: Sequence[str]) -> str:
        return "| " + " | ".join(escape_markdown(text).replace("|", "\\|") for text in row) + " |"

    rule = "| " + " | ".join("---:" if head in table.numeric else "---" for head in table.heads) + " |"
    lines = [f"**{escape_markdown(table.title)}**", "", cells(table.heads), rule, *map(cells, table.rows), ""]
    return "\n".join([*lines, escape_markdown(table.note), ""] if table.note else lines)


def escape_markdown(text: str) -> str:
    """Text that Markdown and HTML show as it stands."""
    return text.translate(_MARKDOWN)


def latex(table: Table) -> str:
    """A ``longtable`` fragment to be put in with \\input; needs the packages booktabs and longtable."""
    align = "".join("r" if head in table.numeric else "l" for head in table.heads)
    head = " & ".join(escape_latex(text) for text in table.heads) + r" \\"
    rows = [" & ".join(escape_latex(text) for text in row) + r" \\" for row in table.rows]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,longtable}",
            rf"\begin{{longtable}}{{{align}}}",
            rf"\caption{{{escape_latex(table.title)}.{' ' + escape_latex(table.note) if table.note else ''}}} \\",
            r"\toprule",
            head,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            head,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endlastfoot",
            *rows,
            r"\end{longtable}",
            "",
        ]
    )


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    return "".join(_LATEX.get(character, character) for character in text)
