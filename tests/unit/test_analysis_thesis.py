"""The thesis's published tables come out again, to the character."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_trees import campaign, jmeter_run
from scipy.stats import mannwhitneyu, norm, rankdata, tiecorrect

from faas_exp.analysis import compute_wilcoxon, prepare_for_statistics
from faas_exp.analysis.errors import AnalysisError, BadFileError, NoResultsError, TooFewError
from faas_exp.analysis.summary_csv import Summary, read_summary
from faas_exp.analysis.thesis_wilcoxon import symbol, tables, to_csv, to_latex

DATA = Path(__file__).parent / "data" / "thesis"
PUBLISHED = sorted(path.relative_to(DATA / "wilcoxon") for path in (DATA / "wilcoxon").rglob("*.csv"))


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thesis")
    compute_wilcoxon(DATA / "summary", folder, thesis=True)
    return folder


@pytest.mark.parametrize("path", PUBLISHED, ids=str)
def test_published_table(computed: Path, path: Path) -> None:
    assert (computed / path).read_bytes() == (DATA / "wilcoxon" / path).read_bytes()


def test_all_published_tables_are_tested() -> None:
    assert len(PUBLISHED) == 18


def test_latex_as_published(computed: Path) -> None:
    found = (computed / "gofunction/parallel/noautoscaling/Wilcoxon-resTime.tex").read_text()
    assert found == (
        "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage{tabularx}\n\\usepackage{amssymb}\n"
        "\\usepackage{amsmath}\n\\title{Wilcoxon - Mann-Whitney rank sum test}\n\\author{}\n\\begin{document}\n"
        "\\maketitle\n\\section{Table}\n\\begin{table}[!htp]\n  \\caption{Wilcoxon values of the resTime factor}\n"
        "  \\label{table:resTime}\n  \\centering\n  \\begin{scriptsize}\n  \\begin{tabular}{c|cc}\n"
        "      & \\textbf{nomad} & \\textbf{swarm} \\\\\\hline\n"
        "      \\textbf{k8s} & $\\blacktriangle\\ \\blacktriangle\\ \\blacktriangle\\  $ & "
        "$ \\triangledown\\ \\text{--}\\ \\triangledown\\ $ \\\\\n"
        "      \\textbf{nomad} & $ $ & $ \\triangledown\\ \\triangledown\\ \\triangledown\\ $ \\\\\n"
        "  \\end{tabular}\n  \\end{scriptsize}\n\\end{table}\n\\end{document}"
    )


def test_latex_of_warm_and_cold_escapes_the_underscore(computed: Path) -> None:
    found = (computed / "warmfunction/parallel/autoscaling/Wilcoxon-resTime.tex").read_text()
    assert "  \\begin{tabular}{c|c}\n      & \\textbf{p\\_value} \\\\\\hline\n" in found
    assert "      \\textbf{cold} & $\\triangledown\\ \\text{--}\\ \\blacktriangle\\ \\blacktriangle\\ $ \\\\\n" in found


def old_scipy_p(x: np.ndarray, y: np.ndarray) -> float:
    """One-sided p of Mann-Whitney by the formula that SciPy used by default before 1.7, written down independently."""
    n, m = len(x), len(y)
    ranks = rankdata(np.concatenate([x, y]))
    u_x = n * m + n * (n + 1) / 2 - ranks[:n].sum()
    deviation = np.sqrt(tiecorrect(ranks) * n * m * (n + m + 1) / 12)
    return float(norm.sf(abs((max(u_x, n * m - u_x) - n * m / 2 - 0.5) / deviation)))


@pytest.mark.parametrize("seed", range(200))
def test_symbols_follow_the_old_rule_on_random_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.choice([3, 5, 6, 6, 6, 18], 2)
    # Few distinct values, so that ties and equal medians occur.
    x, y = (
        np.round(rng.normal(10 + shift, 1.5, size))
        for shift, size in zip((0, rng.choice([0, 1, 2])), sizes, strict=True)
    )
    for factor, lower in (("resTime", True), ("errorPct", True), ("throughput", False)):
        if np.median(x) == np.median(y) or old_scipy_p(x, y) > 0.05:
            expected = "-"
        else:
            expected = "+" if (np.median(x) < np.median(y)) == lower else "o"
        assert symbol(factor, x, y) == expected


def test_random_samples_reach_every_symbol() -> None:
    rng = np.random.default_rng(0)
    seen = {
        symbol("resTime", rng.normal(10, 1, 6), rng.normal(10 + shift, 1, 6)) for shift in (-3, 0, 3) for _ in range(20)
    }
    assert seen == {"+", "o", "-"}


def test_one_sided_asymptotic_and_uncorrected_as_published() -> None:
    # U = 7 of 36: two-sided exact p = 0.093, one-sided asymptotic p = 0.046. The thesis called that a difference.
    x, y = np.array([1.0, 2, 3, 4, 7, 11]), np.array([5.0, 6, 8, 9, 10, 12])
    assert mannwhitneyu(x, y, method="exact").pvalue == pytest.approx(0.0931, abs=1e-4)
    assert old_scipy_p(x, y) == pytest.approx(0.0464, abs=1e-4)
    assert symbol("resTime", x, y) == "+"
    # One rank further apart nothing is significant either way.
    assert symbol("resTime", np.array([1.0, 2, 3, 4, 8, 11]), np.array([5.0, 6, 7, 9, 10, 12])) == "-"


def summary(rows: list[tuple[str, str, float]], start: list[str] | None = None) -> Summary:
    table = pd.DataFrame(
        [(framework, "1", case, "resTime", value) for framework, case, value in rows],
        columns=["framework", "runNumber", "caseNumber", "factor", "factorValue"],
    )
    if start:
        table.insert(0, "startTime", start)
    return Summary("f", "parallel", "autoscaling", table)


def test_orchestrators_and_cases_keep_the_order_of_the_file() -> None:
    rows = [
        (framework, case, level + k / 10)
        for framework, level in (("swarm", 1), ("k8s", 5), ("zeta", 9))
        for case in ("user_50", "user_5")
        for k in range(6)
    ]
    table = tables(summary(rows))["resTime"]
    assert (list(table.index), list(table.columns)) == (["swarm", "k8s"], ["k8s", "zeta"])
    assert to_csv(table) == "\tk8s\tzeta\nswarm\t++\t++\nk8s\t\t++\n"


def test_a_case_that_one_side_lacks_is_marked_not_invented(tmp_path: Path) -> None:
    rows = [(fw, case, level + k / 10) for fw, level in (("a", 1), ("b", 5)) for case in ("x", "y") for k in range(6)]
    rows = [row for row in rows if (row[0], row[1]) != ("b", "y")]
    assert to_csv(tables(summary(rows))["resTime"]) == "\tb\na\t+?\n"


def test_warm_chunks_of_more_than_two_orchestrators_get_one_column_per_pair() -> None:
    rows, start = [], []
    for (framework, level), chunk, k in product(
        (("swarm", 1), ("k8s", 5), ("nomad", 9)), ("warm_0", "cold_0"), range(6)
    ):
        rows.append((framework, "user_5", level + k / 10))
        start.append(chunk)
    table = tables(summary(rows, start))["resTime"]
    assert list(table.columns) == ["k8s-nomad", "k8s-swarm", "nomad-swarm"]
    assert to_csv(table) == "\tk8s-nomad\tk8s-swarm\tnomad-swarm\nwarm\t+\to\to\ncold\t+\to\to\n"
    assert r"& \textbf{k8s-nomad} & \textbf{k8s-swarm}" in to_latex(table, "resTime")


def test_straight_from_a_jmeter_tree(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for (framework, level), case, run in product((("k8s", 20), ("swarm", 10)), ("user_5", "user_50"), range(1, 7)):
        folder = tmp_path / "tree" / framework / "gofunction/parallel/autoscaling" / case / str(run)
        jmeter_run(folder, rng.integers(level, level + 4, 51), error_pct=0.0)
    written = compute_wilcoxon(tmp_path / "tree", tmp_path / "out", thesis=True)
    assert (tmp_path / "out/gofunction/parallel/autoscaling/Wilcoxon-resTime.csv").read_text() == "\tswarm\nk8s\too\n"
    assert (tmp_path / "out/gofunction/parallel/autoscaling/Wilcoxon-errorPct.csv").read_text() == "\tswarm\nk8s\t--\n"
    assert len(written.files) == 6


def test_summary_files_look_as_the_thesis_wrote_them(tmp_path: Path) -> None:
    for framework, run in product(("k8s", "swarm"), (1, 2)):
        folder = tmp_path / "tree" / framework / "gofunction/parallel/autoscaling/user_5" / str(run)
        # An odd number of whole milliseconds has a whole median, an even one half of a sum.
        jmeter_run(folder, [7] * (3 + run), error_pct=0.125)
    prepare_for_statistics(tmp_path / "tree", tmp_path / "out", thesis=True)
    lines = (tmp_path / "out/gofunction/parallel/autoscaling/users.csv").read_text().splitlines()
    assert lines[0] == '"framework","runNumber","caseNumber","factor","factorValue"'
    assert lines[1:5] == [
        '"k8s","1","user_5","resTime",7.0',
        '"k8s","2","user_5","resTime",7',
        '"swarm","1","user_5","resTime",7.0',
        '"swarm","2","user_5","resTime",7',
    ]
    assert lines[-1] == '"swarm","2","user_5","errorPct",0.125'
    assert (tmp_path / "out/gofunction/parallel/autoscaling/users.csv").read_bytes().count(b"\r") == 0


def test_summaries_survive_being_read_and_written(tmp_path: Path) -> None:
    prepare_for_statistics(DATA / "summary", tmp_path)
    for path in (DATA / "summary").rglob("*.csv"):
        relative = path.relative_to(DATA / "summary")
        pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(tmp_path / relative))


def test_chunks_of_a_cold_function_are_prepared_in_the_thesis_order(tmp_path: Path) -> None:
    types = {("sequential", "noautoscaling"): ("replica10", "replica1")}
    campaign(tmp_path / "t", functions=(), cold=("warmfunction",), types=types, runs=1, requests=5)
    prepare_for_statistics(tmp_path / "t", tmp_path / "out")
    table = pd.read_csv(tmp_path / "out/warmfunction/sequential/noautoscaling/replicas.csv")
    assert list(table.columns) == ["startTime", "framework", "runNumber", "caseNumber", "factor", "factorValue"]
    assert list(table["startTime"][:4]) == ["warm_0", "cold_0", "warm_1", "cold_1"]
    assert list(table["caseNumber"].unique()) == ["replica1", "replica10"]
    assert list(table["framework"].unique()) == ["k8s", "nomad", "swarm"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a,b\n1,2\n", "the columns a, b"),
        ("framework,runNumber,caseNumber,factor,factorValue\n", "a header and no values"),
        (
            "framework,runNumber,caseNumber,factor,factorValue\nk8s,1,user_5,resTime,fast\n",
            "'fast' as factorValue in line 2",
        ),
        ("", "something else"),
    ],
)
def test_what_is_no_summary(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "users.csv"
    path.write_text(content)
    with pytest.raises(BadFileError) as error:
        read_summary(path, "f", "parallel", "autoscaling")
    assert found in str(error.value)


def test_one_orchestrator_only_and_nothing_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "one/f/parallel/autoscaling"
    folder.mkdir(parents=True)
    (folder / "users.csv").write_text("framework,runNumber,caseNumber,factor,factorValue\nk8s,1,user_5,resTime,3\n")
    for thesis in (True, False):
        with pytest.raises(TooFewError, match="one"):
            compute_wilcoxon(tmp_path / "one", tmp_path / "out", thesis=thesis)
    (tmp_path / "none").mkdir()
    for source in (tmp_path / "none", tmp_path / "gone"):
        with pytest.raises(NoResultsError):
            compute_wilcoxon(source, tmp_path / "out", thesis=True)
    assert issubclass(TooFewError, AnalysisError)
