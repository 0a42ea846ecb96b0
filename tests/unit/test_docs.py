"""The documentation names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faas_exp.schema import Api, Function, Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("model", [Settings, Function, Api])
def test_every_key_of_an_experiment_file_is_documented(model: type) -> None:
    text = (ROOT / "docs" / "experiment-file.md").read_text(encoding="utf-8")
    names = model.model_fields  # type: ignore[attr-defined]
    missing = [name for name in names if name not in ("api", "data") and not re.search(rf"`(api\.)?{name}`", text)]
    assert missing == []


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))], ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []
