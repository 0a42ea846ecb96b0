"""What a report is made of, apart from how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from faas_exp.analysis.tables import Table


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: ``stem`` is its file name below the report's ``figures/``, ``svg`` the drawing itself."""

    stem: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs, or with ``listed`` a bulleted list."""

    lines: Sequence[str]
    listed: bool = False


Block = Table | Picture | Text


@dataclass(slots=True)
class Section:
    """A heading with what stands below it; ``folded`` ones open on a click (and always in print)."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    folded: bool = False

    @property
    def empty(self) -> bool:
        return not self.blocks and all(section.empty for section in self.sections)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. ``answer`` comes first; ``caveats`` right below it."""

    title: str
    subtitle: str
    answer: Sequence[str]
    caveats: Sequence[str]
    sections: Sequence[Section]
