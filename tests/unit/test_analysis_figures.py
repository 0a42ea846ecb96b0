"""Figures: under the thesis's names, honest axes, the same colours everywhere, any name and any gap in the data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from analysis_trees import campaign, jmeter_run, own_run
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from faas_exp.analysis import aggregate, generate_figures
from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.errors import NoResultsError
from faas_exp.analysis.figures import bars as bars_module
from faas_exp.analysis.figures.bars import SUCCESS, bars, overview
from faas_exp.analysis.figures.coldstrip import cold_strip
from faas_exp.analysis.figures.course import course
from faas_exp.analysis.figures.ecdf import ecdf, mixture
from faas_exp.analysis.figures.heatmap import heatmap
from faas_exp.analysis.figures.scaling import scaling_curves
from faas_exp.analysis.figures.style import COLUMN, PAGE, looks, paper, safe, svg
from faas_exp.analysis.inference.compare import compare
from faas_exp.analysis.inference.metrics import RESPONSE
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.measure import GRID
from faas_exp.analysis.model import Dataset
from faas_exp.analysis.names import in_natural_order

QUICK = Options(resamples=300)
TYPES = {("sequential", "noautoscaling"): ("replica1", "replica10"), ("parallel", "autoscaling"): ("user_5", "user_50")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = campaign(
        tmp_path_factory.mktemp("t"),
        functions=("gofunction",),
        cold=("warmfunction",),
        types=TYPES,
        runs=3,
        requests=60,
    )
    return load_dataset(root)


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with paper():
        yield


def rows_of(data: Dataset, load: str = "parallel", function: str = "gofunction") -> pd.DataFrame:
    return data.runs[(data.runs["function"] == function) & (data.runs["load"] == load)]


def drawn(figure: Figure | None) -> Figure:
    """The figure after its layout; a layout that fails is a warning, and that is an error here."""
    assert figure is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    return figure


def test_every_figure_is_written_as_svg_and_png(tmp_path: Path) -> None:
    campaign(tmp_path / "t", functions=("gofunction",), cold=("warmfunction",), types=TYPES, runs=2, requests=20)
    for name in ("k8s", "nomad", "swarm"):
        aggregate(tmp_path / "t" / name, tmp_path / "result" / name)
    written = generate_figures(tmp_path / "result", tmp_path / "figures", options=QUICK)
    stems = {str(path.relative_to(tmp_path / "figures").with_suffix("")) for path in written.files}
    assert {path.suffix for path in written.files} == {".svg", ".png"}
    assert len(written.files) == 2 * len(stems)
    # The thesis's names.
    for metric in ("response", "throughput", "success_rate"):
        assert f"gofunction/parallel_autoscaling_{metric}" in stems
        assert f"warmfunction/sequential_noautoscaling_cold_1_{metric}" in stems
    assert {"ratios_k8s_nomad", "ratios_k8s_swarm", "ratios_nomad_swarm", "warmfunction/cold_starts"} <= stems
    assert {"gofunction/overview", "gofunction/scaling", "gofunction/parallel_autoscaling_distribution"} <= stems
    assert "gofunction/parallel_autoscaling_course" in stems
    for path in written.files:
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        else:
            with Image.open(path) as image:
                assert image.width <= PAGE * 200
                assert np.asarray(image.convert("L")).std() > 5


def test_figures_from_the_thesis_case_files_alone(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    for orchestrator, factor in (("k8s", 1.0), ("swarm", 0.5)):
        case = folder / orchestrator / "gofunction/parallel/autoscaling"
        case.mkdir(parents=True)
        for users in (5, 10):
            (case / f"user_{users}.csv").write_text(f'"resTime","throughput","errorPct"\n{users * factor},100.0,0.0\n')
    written = generate_figures(folder, tmp_path / "figures", options=QUICK)
    assert tmp_path / "figures/gofunction/parallel_autoscaling_response.png" in written.files
    assert any("without raw requests" in note for note in written.notes)


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(NoResultsError):
        generate_figures(tmp_path, tmp_path / "figures")


def test_bars_start_at_zero_and_are_as_high_as_the_medians(data: Dataset) -> None:
    rows = rows_of(data)
    figure = drawn(bars(data, rows, RESPONSE, QUICK))
    (axis,) = figure.axes
    assert figure.get_figwidth() == COLUMN
    assert axis.get_ylim()[0] == 0
    heights = sorted(patch.get_height() for patch in axis.patches)  # type: ignore[attr-defined]
    expected = sorted(rows.groupby(["orchestrator", "case"])["p50"].median())
    assert heights == pytest.approx(expected)
    # Every run is a dot.
    assert sum(
        len(collection.get_offsets()) for collection in axis.collections if len(collection.get_offsets())
    ) >= len(rows)


def test_nothing_reaches_out_of_the_bars_figure(data: Dataset) -> None:
    figure = drawn(bars(data, rows_of(data), RESPONSE, QUICK))
    axis = figure.axes[0]
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    frame = figure.bbox
    for text in [*axis.texts, *axis.get_xticklabels(), *axis.get_yticklabels(), axis.yaxis.label]:
        box = text.get_window_extent(renderer)
        assert box.x0 >= frame.x0 - 1
        assert box.x1 <= frame.x1 + 1
        assert box.y1 <= frame.y1 + 1


def test_tick_labels_do_not_overlap_at_column_width(tmp_path: Path) -> None:
    types = {("parallel", "autoscaling"): ("user_5", "user_10", "user_20", "user_50")}
    data = load_dataset(campaign(tmp_path, functions=("gofunction",), types=types, runs=2, requests=20))
    for figure in (
        bars(data, data.runs, RESPONSE, QUICK),
        overview(data, "gofunction", QUICK),
        scaling_curves(data, "gofunction", QUICK),
    ):
        for axis in drawn(figure).axes:
            renderer = figure.canvas.get_renderer()  # type: ignore[union-attr]
            boxes = [label.get_window_extent(renderer) for label in axis.get_xticklabels() if label.get_text()]
            boxes.sort(key=lambda box: box.x0)
            assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_success_rates_end_at_a_hundred(data: Dataset) -> None:
    axis = drawn(bars(data, rows_of(data), SUCCESS, QUICK)).axes[0]
    assert axis.get_yticks().tolist() == [0, 25, 50, 75, 100]
    assert {round(patch.get_height()) for patch in axis.patches} == {100}  # type: ignore[attr-defined]


def test_an_orchestrator_keeps_its_colour_whatever_else_is_there() -> None:
    alone, together = looks(["swarm"]), looks(["k8s", "nomad", "swarm", "embedded", "mine"])
    assert alone["swarm"] == together["swarm"]
    assert looks(["k8s~aa", "k8s"])["k8s~aa"] == together["k8s"]
    assert len({look.colour for look in together.values()}) == 5
    assert len({look.marker for look in together.values()}) == 5


def test_colours_differ_for_the_colour_blind() -> None:
    """Viénot, Brettel and Mollon's (1999) matrices for people without red or green cones, in linear light."""
    without_red = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    without_green = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    colours = [np.array(to_rgb(look.colour)) ** 2.2 for look in looks(["k8s", "nomad", "swarm", "embedded"]).values()]
    for matrix in (np.eye(3), without_red, without_green):
        seen = [np.clip(matrix @ colour, 0, 1) ** (1 / 2.2) for colour in colours]
        nearest = min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])
        assert nearest > 0.12


def test_bars_have_the_colour_of_their_orchestrator(data: Dataset) -> None:
    axis = drawn(bars(data, rows_of(data), RESPONSE, QUICK)).axes[0]
    found = {to_hex(patch.get_facecolor()) for patch in axis.patches}
    assert found == {look.colour for look in looks(["k8s", "nomad", "swarm"]).values()}


def test_the_same_figure_is_the_same_file(data: Dataset) -> None:
    one, same = (svg(drawn(bars(data, rows_of(data), RESPONSE, QUICK))) for _ in range(2))
    assert one == same
    assert "<script" not in one


def test_the_thick_line_is_the_mean_of_the_runs_distributions() -> None:
    low, high = np.linspace(10, 20, len(GRID)), np.linspace(110, 120, len(GRID))
    times, shares = mixture([np.quantile(low, GRID), np.quantile(high, GRID)])
    for time, share in ((15, 0.25), (20, 0.5), (60, 0.5), (115, 0.75)):
        assert np.interp(time, times, shares) == pytest.approx(share, abs=0.01)


def test_distributions_have_log_axes_and_one_panel_per_case(data: Dataset) -> None:
    figure = drawn(ecdf(data, "gofunction", "parallel", "autoscaling"))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["5 users", "50 users"]
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}
    assert ecdf(data, "nofunction", "parallel", "autoscaling") is None


def test_a_course_shows_every_orchestrator_on_the_same_axes(data: Dataset) -> None:
    figure = drawn(course(data, "gofunction", "parallel", "autoscaling", "user_5"))
    assert len(figure.axes) == 9
    top = figure.axes[:3]
    assert len({axis.get_ylim() for axis in top}) == 1
    assert drawn(course(data, "warmfunction", "sequential", "noautoscaling", "replica1"))
    assert course(data, "gofunction", "parallel", "autoscaling", "user_6") is None


def test_cold_strips_show_every_cold_chunk(data: Dataset) -> None:
    figure = drawn(cold_strip(data, "warmfunction"))
    chunks = data.runs["chunk"].str.startswith("cold")
    dots = [collection for axis in figure.axes for collection in axis.collections if hasattr(collection, "get_offsets")]
    assert sum(len(collection.get_offsets()) for collection in dots) >= chunks.sum()
    assert {axis.get_yscale() for axis in figure.axes} == {"log"}
    assert cold_strip(data, "gofunction") is None


def test_heat_maps_say_what_they_show(data: Dataset) -> None:
    comparison = compare(data, QUICK)
    figure = drawn(heatmap(comparison, "k8s", "nomad"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "1 user" in texts
    # Three runs decide nothing: every number is in brackets.
    assert sum(text.startswith("(0.") for text in texts) == 8
    assert "Kubernetes ÷ Nomad" in figure.get_suptitle()
    assert heatmap(comparison, "k8s", "gone") is None


def test_scaling_needs_two_numbers(tmp_path: Path) -> None:
    data = load_dataset(
        campaign(tmp_path, functions=("gofunction",), types={("parallel", "autoscaling"): ("user_5",)}, runs=1)
    )
    assert scaling_curves(data, "gofunction", QUICK) is None


@pytest.mark.parametrize("name", ["a $b_{c$ name", "<b>bold", "x" * 120, "ünï cødé 函数", "back\\slash"])
def test_any_name_can_be_drawn(tmp_path: Path, name: str) -> None:
    types = {("parallel", "autoscaling"): (name, "user_5")}
    data = load_dataset(
        campaign(tmp_path, functions=(name,), ratios={"k8s": 1, name: 2}, types=types, runs=2, requests=20)
    )
    a, b = in_natural_order(["k8s", name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The font has no Chinese: boxes are drawn, and nothing breaks.
        warnings.filterwarnings("ignore", message="Glyph")
        for figure in (
            overview(data, name, QUICK),
            ecdf(data, name, "parallel", "autoscaling"),
            heatmap(compare(data, QUICK), a, b),
        ):
            assert figure is not None
            figure.draw_without_rendering()


def test_gaps_in_the_data_are_gaps_in_the_figures(tmp_path: Path) -> None:
    case = "gofunction/parallel/autoscaling"
    own_run(tmp_path / "k8s" / case / "user_5/1", [5.0] * 30)
    own_run(tmp_path / "k8s" / case / "user_50/1", [0.0] * 30)
    own_run(tmp_path / "swarm" / case / "user_50/1", [7.0] * 30, errors=range(30))
    jmeter_run(tmp_path / "nomad" / case / "user_5/1", [3] * 30)
    jmeter_run(tmp_path / "nomad" / case / "user_5/2", [3])
    data = load_dataset(tmp_path)
    figure = drawn(bars(data, data.runs, RESPONSE, QUICK))
    assert " none succeeded" in [text.get_text() for text in figure.axes[0].texts]
    drawn(overview(data, "gofunction", QUICK))
    drawn(ecdf(data, "gofunction", "parallel", "autoscaling"))
    drawn(scaling_curves(data, "gofunction", QUICK))
    drawn(course(data, "gofunction", "parallel", "autoscaling", "user_50"))
    drawn(course(data, "gofunction", "parallel", "autoscaling", "user_5"))


def test_safe_keeps_dollars_and_shortens() -> None:
    assert safe("a$b") == r"a\$b"
    assert len(safe("x" * 99)) == 28
    assert bars_module.FILE_NAMES["successRate"] == "success_rate"
