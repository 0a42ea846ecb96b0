"""The report: the answer first, everything said, nothing loaded from elsewhere, no name taken for markup."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from analysis_trees import campaign, own_run

from faas_exp.analysis import aggregate, report
from faas_exp.analysis.errors import AnalysisError, NoResultsError
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.model import Written
from faas_exp.analysis.numbers import DASH, compact, interval, p_value, percent, plain, ratio, share
from faas_exp.analysis.reporting.html import anchor
from faas_exp.analysis.tables import Table, escape_markdown, latex, markdown

QUICK = Options(resamples=300)
TYPES = {("sequential", "noautoscaling"): ("replica1",), ("parallel", "autoscaling"): ("user_5",)}
CASE = "gofunction/sequential/noautoscaling/replica1"
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}


class Page(HTMLParser):
    """Tags in balance, attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def attributes(self, name: str) -> list[str]:
        return [value for _, found in self.tags if (value := found.get(name)) is not None]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("t")
    campaign(root / "t", functions=("gofunction",), cold=("warmfunction",), types=TYPES, requests=60, error_share=0.02)
    own_run(root / "t/k8s" / CASE / "7", [9.0] * 60, stats={"void": True, "void_reasons": ["CPU 97 % of a core"]})
    own_run(root / "t/k8s" / CASE / "8", [9.0] * 60, complete=False)
    for name, price in (("k8s", 0.3), ("swarm", 0.2)):
        path = root / "t" / name / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["experiment"]["experiment"]["prices"] = {name: price}
        path.write_text(json.dumps(manifest))
    return report(root / "t", root / "out", options=QUICK)


@pytest.fixture(scope="module")
def page(written: Written) -> Page:
    return Page((written.destination / "report.html").read_text())


def test_the_answer_comes_first_with_ratio_interval_and_verdicts(page: Page) -> None:
    first = page.text[: page.text.index("Over all cases")]
    assert "Docker Swarm is the fastest over all cases, then Kubernetes, then Nomad." in first
    assert re.search(r"On Docker Swarm the median response time is 0\.\d+ of Kubernetes's over 4 cases", first)
    assert re.search(r"\(95 % interval 0\.\d+\u20130\.\d+\)", first)


def test_what_was_run_what_was_left_out_and_why(page: Page) -> None:
    for words in (
        "1 of 73 runs are void", "CPU 97 % of a core", "incomplete: no run.json", "Locust", "2.43.4", "EPYC",
        "calibration.floor_ms", "0.2", "seed", "42", "sha256:1234", "bastion",
    ):  # fmt: skip
        assert words in page.text
    for heading in ("Cold starts", "Function by function", "Failed requests", "Cost", "All tests", "Method", "Limits"):
        assert heading in page.text


def test_one_file_that_loads_nothing(written: Written, page: Page) -> None:
    sources = page.attributes("src")
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(link.startswith("#") for link in page.attributes("href"))
    policy = next(v for v in page.attributes("content") if "default-src" in v)
    assert "default-src 'none'" in policy
    text = (written.destination / "report.html").read_text()
    assert "@import" not in text
    assert not re.search(r"url\((?!data:)", text)
    assert page.attributes("srcset") == []


def test_links_inside_the_page_lead_somewhere_and_identifiers_are_unique(page: Page) -> None:
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.attributes("href")} <= set(ids)


def test_pictures_have_words_and_a_width(page: Page) -> None:
    images = [found for tag, found in page.tags if tag == "img"]
    assert len(images) >= 10
    assert all(image["alt"] and image["width"] for image in images)


def test_markdown_and_figures_and_tables_beside_the_page(written: Written) -> None:
    folder = written.destination
    text = (folder / "report.md").read_text()
    assert text.startswith("# Functions on Kubernetes, Nomad and Docker Swarm\n")
    linked = re.findall(r"!\[[^\]]*\]\((figures/[^)]+)\)", text)
    assert len(linked) >= 10
    for link in linked:
        ET.parse(folder / link)
    for name in (
        "overall",
        "cold_starts",
        "gofunction_values",
        "gofunction_comparisons",
        "all_resTime",
        "failures",
        "cost",
    ):
        assert (folder / "tables" / f"{name}.tex").is_file()
        assert (folder / "tables" / f"{name}.md").is_file()
    assert (folder / "tables/all_resTime.csv").read_text().startswith("function,load,scaling,case,phase,metric")
    assert {path for path in folder.rglob("*") if path.is_file()} == set(written.files)


def test_the_notes_begin_with_the_answer(written: Written) -> None:
    assert "is the fastest" in written.notes[0]
    assert str(written).endswith(f"{len(written.files)} files in {written.destination}")


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    for name in ("k8s", "<script>alert(2)<&script>"):
        for run in (1, 2):
            case = tmp_path / "t" / name / evil / "sequential/noautoscaling/<b>case"
            extra = {"machine": {"hostname": "</script><script>alert(3)</script>"}}
            own_run(
                case / str(run), [5.0, 6.0], stats={"void": run == 2, "void_reasons": ["<i>why</i>"]}, run_json=extra
            )
    report(tmp_path / "t", tmp_path / "out", options=QUICK)
    found = Page((tmp_path / "out/report.html").read_text())
    assert evil in found.text
    tags = [tag for tag, _ in found.tags]
    assert tags.count("script") == 1
    assert not {"b", "i"} & set(tags)
    assert not any(key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert "<img" not in (tmp_path / "out/report.md").read_text()
    assert "</script><script>alert(3)" in found.text


def sentences(tmp_path: Path) -> Sequence[str]:
    return report(tmp_path / "t", tmp_path / "out", options=QUICK).notes


def test_one_orchestrator_only(tmp_path: Path) -> None:
    campaign(tmp_path / "t", ratios={"embedded": 1.0}, functions=("gofunction",), types=TYPES, runs=2, requests=20)
    first, second, *_ = sentences(tmp_path)
    assert first.startswith("Only Embedded was measured, so nothing is compared here: median response times go from ")
    assert second.startswith("Run the same experiment file on another orchestrator")
    assert "Over all cases" not in (tmp_path / "out/report.md").read_text()


def test_one_run_only(tmp_path: Path) -> None:
    campaign(
        tmp_path / "t", ratios={"k8s": 1.0, "swarm": 0.5}, functions=("gofunction",), types=TYPES, runs=1, requests=20
    )
    first, *rest = sentences(tmp_path)
    assert "from single runs: without repetition nobody can say how sure that is." in first
    assert any("can't reach significance" in line for line in rest)


def test_no_success_at_all(tmp_path: Path) -> None:
    for name in ("k8s", "swarm"):
        own_run(tmp_path / "t" / name / CASE / "1", [5.0, 6.0], errors=[0, 1])
    first, *rest = sentences(tmp_path)
    assert first == "Kubernetes, Docker Swarm: not a single request succeeded."
    assert any(
        "Kubernetes failed 1.0 % or more of its requests in 1 of 1 cases (100 % at worst)" in line for line in rest
    )


def test_only_void_runs(tmp_path: Path) -> None:
    own_run(tmp_path / "t/k8s" / CASE / "1", [5.0, 6.0], stats={"void": True})
    assert sentences(tmp_path)[0] == "Every run is void: nothing can be said."


def test_no_case_in_common(tmp_path: Path) -> None:
    own_run(tmp_path / "t/k8s" / CASE / "1", [5.0, 6.0])
    own_run(tmp_path / "t/swarm/other/sequential/noautoscaling/replica1/1", [5.0, 6.0])
    assert "share no case" in sentences(tmp_path)[0]


def test_not_to_be_told_apart(tmp_path: Path) -> None:
    campaign(
        tmp_path / "t",
        ratios={"k8s": 1.0, "swarm": 1.0},
        functions=("gofunction",),
        types=TYPES,
        requests=60,
        spread=0.05,
    )
    assert "can't be told apart over 2 cases" in sentences(tmp_path)[0]


def test_the_noise_floor_is_in_the_caveats(tmp_path: Path) -> None:
    ratios = {"k8s": 1.0, "k8s~aa": 1.0, "swarm": 0.8}
    campaign(tmp_path / "t", ratios=ratios, functions=("gofunction",), types=TYPES, runs=3, requests=20)
    assert any("The same thing measured twice differed by" in line for line in sentences(tmp_path))
    text = (tmp_path / "out/report.md").read_text()
    assert "## Noise floor" in text
    assert text.startswith("# Functions on Kubernetes and Docker Swarm\n")


def test_contradictions_are_in_the_report(tmp_path: Path) -> None:
    campaign(tmp_path / "t", ratios={"k8s": 1.0}, functions=("gofunction",), types=TYPES, runs=1, requests=20)
    own_run(tmp_path / "t/k8s" / CASE / "2", [5.0], run_json={"config_hash": "other"})
    found = report(tmp_path / "t", tmp_path / "out", options=QUICK)
    assert len(found.errors) == 1
    assert found.errors[0] in Page((tmp_path / "out/report.html").read_text()).text


def test_from_an_aggregated_folder_it_is_the_same_report(tmp_path: Path) -> None:
    campaign(tmp_path / "t", functions=("gofunction",), types=TYPES, runs=2, requests=20)
    aggregate(tmp_path / "t", tmp_path / "a" / "t")
    report(tmp_path / "t", tmp_path / "one", options=QUICK)
    report(tmp_path / "a" / "t", tmp_path / "two", options=QUICK)
    assert (tmp_path / "one/report.html").read_text() == (tmp_path / "two/report.html").read_text()


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(NoResultsError):
        report(tmp_path, tmp_path / "out")
    campaign(tmp_path / "t", ratios={"k8s": 1.0}, functions=("gofunction",), types=TYPES, runs=1, requests=5)
    (tmp_path / "out").write_text("")
    with pytest.raises(AnalysisError, match="can't write"):
        report(tmp_path / "t", tmp_path / "out", options=QUICK)


def test_tables_escape_what_their_format_takes_for_its_own() -> None:
    table = Table("a_b & 5 %", ("Name", "n"), [("x|y <z> 50% $1 #{a}_b \\", f"1{DASH}2")], frozenset({"n"}), "p < 0.05")
    text = markdown(table)
    assert r"| x\|y &lt;z> 50% $1 \#{a}\_b \\ | 1" + DASH + "2 |" in text
    assert text.startswith(r"**a\_b &amp; 5 %**")
    assert "| --- | ---: |" in text
    tex = latex(table)
    assert r"x|y $<$z$>$ 50\% \$1 \#\{a\}\_b \textbackslash{} & 1--2 \\" in tex
    assert r"\caption{a\_b \& 5 \%. p $<$ 0.05} \\" in tex
    assert tex.count("&") == 3 + 1


def test_words_and_numbers() -> None:
    assert [plain(v) for v in (1234.56, 0.01234, 12.0, 0.0, float("inf"))] == ["1,235", "0.0123", "12.0", "0", "∞"]
    assert plain(float("nan")) == DASH
    assert [ratio(v) for v in (0.7234, 1.004, 12.0, 0.05)] == ["0.72", "1.004", "12.00", "0.0500"]
    assert interval(0.691, 0.752) == f"0.69{DASH}0.75"
    assert interval(-3.0, 4.0, plain) == "-3.00 to 4.00"
    assert interval(float("nan"), 1.0) == DASH
    assert [p_value(v) for v in (0.0004, 0.0216, float("nan"))] == ["< 0.001", "0.022", DASH]
    assert [percent(v) for v in (0.0, 0.333, 12.5)] == ["0 %", "0.33 %", "12 %"]
    assert [compact(v) for v in (1310, 0.034, 43.5, 409.8, 12_345, 2.0, 9.96, 999.6)] == [
        "1.3k", "0.03", "44", "410", "12k", "2.0", "10", "1.0k",
    ]  # fmt: skip
    assert [share(v) for v in (100.0, 99.96, 42.3, 0.0)] == ["100", "99.9", "42.3", "0"]
    assert anchor("Über alles: 50 %") == "ber-alles-50"
    assert anchor("函数") == "section"
    assert escape_markdown("a*b_<c>[d]") == r"a\*b\_&lt;c>\[d\]"
