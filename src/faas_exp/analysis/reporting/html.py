"""The report as one HTML file that needs nothing else: styles, script and figures are inside."""

from __future__ import annotations

import base64
import re
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from faas_exp.analysis.reporting.model import Block, Picture, Report, Text

SCREEN = 1.75
"""CSS pixels on the screen per point on paper."""


def html(report: Report) -> str:
    """The page. All text is escaped; a content security policy forbids the page to load anything."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.tests["picture"] = lambda block: isinstance(block, Picture)
    environment.tests["text"] = lambda block: isinstance(block, Text)
    environment.filters["data_uri"] = data_uri
    environment.filters["width"] = width
    environment.filters["anchor"] = anchor
    environment.globals["kind"] = _kind
    template = environment.from_string(_part("report.html.j2"))
    # The two files are ours: marked safe, because escaping would break them.
    return template.render(
        report=report,
        css=Markup(_part("report.css")),  # noqa: S704
        js=Markup(_part("report.js")),  # noqa: S704
    )


def _part(name: str) -> str:
    return (files("faas_exp.analysis.reporting") / "templates" / name).read_text(encoding="utf-8")


def _kind(block: Block) -> str:
    return "picture" if isinstance(block, Picture) else "text" if isinstance(block, Text) else "table"


def data_uri(svg: str) -> str:
    """A drawing as the source of an image: an image runs no script, whatever names stand in it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def width(svg: str) -> int:
    """How wide to show a drawing, in CSS pixels: a little larger than on paper."""
    found = re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)
    return round(float(found[1]) * SCREEN) if found else 800


def anchor(text: str) -> str:
    """An identifier for a heading."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
