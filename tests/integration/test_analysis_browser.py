"""The report in a real browser: its script works, nothing is loaded from elsewhere, it prints whole."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faas_exp.analysis import report
from faas_exp.analysis.inference.options import Options

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from analysis_trees import campaign, own_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def browse(page: Path, profile: Path, options: Sequence[str]) -> str:
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    types = {("sequential", "noautoscaling"): ("replica1",), ("parallel", "autoscaling"): ("user_5", "user_50")}
    campaign(
        root / "t", functions=("gofunction", "pythonfunction"), cold=("warmfunction",), types=types, runs=3, requests=60
    )
    own_run(root / "t/k8s/<img src=x onerror=document.title='pwned'>/parallel/autoscaling/user_5/1", [5.0] * 30)
    report(root / "t", root / "out", options=Options(resamples=300))
    return root / "out/report.html"


def asked(page: Path, tmp_path: Path, script: str, *options: str) -> object:
    """Run a script in the page, after the page's own, and return what it leaves in ``answer``."""
    marked = tmp_path / "asked.html"
    tell = "document.body.dataset.answer = JSON.stringify(answer);"
    ending = f"<script>(async () => {{ let answer; {script}; {tell} }})()</script>"
    marked.write_text(page.read_text().replace("</body>", ending + "</body>"))
    dom = browse(marked, tmp_path / "profile", [*options, "--virtual-time-budget=4000", "--dump-dom"])
    found = re.search(r'data-answer="([^"]*)"', dom)
    assert found is not None
    return json.loads(html.unescape(found[1]))


def test_tables_sort_by_numbers_up_down_and_back(page: Path, tmp_path: Path) -> None:
    script = """
    const table = document.querySelector("#over-all-cases table");
    const column = [...table.querySelectorAll("th")].findIndex((head) => head.textContent.includes("A ÷ B"));
    const read = () => [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[column].textContent));
    const button = table.querySelectorAll("th button")[column];
    answer = [read()];
    for (let click = 0; click < 3; click++) { button.click(); answer.push(read()); }
    """
    before, up, down, back = asked(page, tmp_path, script)  # type: ignore[misc]
    assert up == sorted(before)
    assert down == sorted(before, reverse=True)
    assert back == before
    assert up != before


def test_tables_copy_as_tab_separated_text(page: Path, tmp_path: Path) -> None:
    script = """
    let copied;
    Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { copied = text; } } });
    document.querySelector("#over-all-cases .copy").click();
    await new Promise((done) => setTimeout(done, 50));
    answer = copied;
    """
    text = asked(page, tmp_path, script)
    assert isinstance(text, str)
    lines = text.split("\n")
    assert lines[0].split("\t")[:3] == ["Load", "A", "B"]
    assert {line.count("\t") for line in lines} == {9}


def test_nothing_is_loaded_and_no_name_runs(page: Path, tmp_path: Path) -> None:
    script = """
    if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done));
    await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
    answer = [performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) =>
    !name.startsWith("data:")),
              document.title, [...document.images].filter((image) => !image.complete || !image.naturalWidth).length];
    """
    loaded, title, broken = asked(page, tmp_path, script)  # type: ignore[misc]
    assert loaded == []
    assert title == "Functions on Kubernetes, Nomad and Docker Swarm"
    assert broken == 0


@pytest.mark.parametrize("width", [500, 1280, 2200])
def test_nothing_sticks_out_of_the_page(page: Path, tmp_path: Path, width: int) -> None:
    script = """
    document.querySelectorAll("details").forEach((details) => (details.open = true));
    const scrolls = (node) => node.closest(".scroll, .picture");
    answer = [document.documentElement.scrollWidth, innerWidth,
      [...document.querySelectorAll("h1, h2, h3, p, li, figcaption")].filter((node) => !scrolls(node) &&
        node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.textContent)];
    """
    found = asked(page, tmp_path, script, f"--window-size={width},1000")
    scroll_width, inner_width, outside = found  # type: ignore[misc]
    assert outside == []
    assert scroll_width <= inner_width


def test_dark_and_light(page: Path, tmp_path: Path) -> None:
    brightness = {}
    for mode in ("light", "dark"):
        shot = tmp_path / f"{mode}.png"
        # Blink's preferred colour scheme: 0 is dark, 1 light.
        scheme = f"--blink-settings=preferredColorScheme={'0' if mode == 'dark' else '1'}"
        browse(page, tmp_path / mode, [scheme, "--window-size=1200,900", f"--screenshot={shot}"])
        with Image.open(shot) as image:
            brightness[mode] = float(np.asarray(image.convert("L"))[:200].mean())
    assert brightness["light"] > 220
    assert brightness["dark"] < 80


def test_it_prints_whole_with_what_was_folded(page: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    browse(page, tmp_path / "profile", [f"--print-to-pdf={target}", "--no-pdf-header-footer"])
    assert target.read_bytes()[:5] == b"%PDF-"
    pdftotext = shutil.which("pdftotext")
    if pdftotext is None:
        pytest.skip("no pdftotext here: the text of the pages was not looked at")
    text = subprocess.run([pdftotext, "-layout", str(target), "-"], capture_output=True, text=True, check=True).stdout
    # The last section, and one that is folded on the screen.
    assert "Limits" in text
    assert "do the orchestrators differ at all?" in text
