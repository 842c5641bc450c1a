"""The page: one file that asks the network for nothing and holds what the tables say."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.main import app
from equinoise.report.page.device_graph import coordinates, device_graph, graph_of
from equinoise.report.page.html import ReportError, diagnosis_page, page, write_page
from equinoise.report.page.page_data import page_data
from equinoise.report.page.page_tables import (
    budget_table,
    collapse_line,
    collapse_table,
    curve_table,
    depth_table,
    points_table,
    ranked,
    ranking_table,
    thinned,
)
from equinoise.report.page.results import EmptyStoreError, Results, read_results, results_of
from equinoise.sweeps.store import STORE_SCHEMA, Store, StoreError
from equinoise.sweeps.task import Task, run_task
from report_stores import NOISES, diagnosed, small_grid, write_store

pytest.importorskip("plotly", reason='pages need plotly: pip install "equinoise[studies]"')
pytest.importorskip("duckdb", reason='stores need duckdb: pip install "equinoise[studies]"')

TEN_MEGABYTES = 10_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stores") / "results.duckdb"
    write_store(path, small_grid())
    return path


@pytest.fixture(scope="module")
def results(store: Path) -> Results:
    return read_results(store)


@pytest.fixture(scope="module")
def text(results: Results) -> str:
    return page(results, "A <title> & more", "equinoise report results.duckdb -o page.html")


def data_of(text: str) -> dict[str, Any]:
    """The packed data, as the page's script unpacks it."""
    packed = re.search(r'<script id="data" type="text/plain">([^<]+)</script>', text)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


class Tags(HTMLParser):
    """Tags with their attributes, and the texts of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags


# -- the file ------------------------------------------------------------------------------------------------------


def test_page_names_nothing_outside_itself(text: str) -> None:
    for tag, attributes in parsed(text).tags:
        for name in ("src", "href", "action", "data", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)


def test_policy_forbids_every_request_and_allows_the_page_s_own_scripts_alone(text: str) -> None:
    policy = next(a["content"] for t, a in parsed(text).tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert "'unsafe-inline'" not in re.search(r"script-src ([^;]+)", policy)[1]  # type: ignore[index]
    plotly, own = parsed(text).scripts[1:]
    for script in (plotly, own):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_page_is_labelled_for_readers_who_do_not_see_it(text: str) -> None:
    tags = parsed(text).tags
    assert ("html", {"lang": "en", "data-kind": "many"}) in tags
    assert any(t == "meta" and a.get("name") == "viewport" for t, a in tags)
    assert any(t == "a" and a.get("class") == "skip" for t, a in tags)
    plots = [a for t, a in tags if t == "div" and a.get("class") == "plot"]
    assert len(plots) == 5
    assert all(a.get("role") == "img" and a.get("aria-label") for a in plots)


def test_what_a_store_says_is_escaped(text: str, results: Results) -> None:
    assert "A &lt;title&gt; &amp; more" in text
    assert "MemoryLimitError: &lt;too wide&gt; &amp; too deep" in text
    evil = "</script><script>alert(1)</script>"
    row = dict(results.rows[0]) | {"source": evil, "noise": evil, "verdict_reason": evil, "warnings": (evil,)}
    assert evil not in page(Results((row,), budgets=results.budgets))


def test_provenance_tells_versions_command_noise_and_what_was_assumed(text: str) -> None:
    for part in (
        f"equinoise {eq.__version__}",
        "equinoise report results.duckdb -o page.html",
        f"Python {sys.version.split()[0]}",
        "given parameter values",
        "dephasing 0.03 D[Z] on each qubit",
        "angles in radians",
        "dimensionless",
        "Failed tasks (1)",
        STORE_SCHEMA,
    ):
        assert part in text, part


@pytest.mark.slow
def test_page_of_five_thousand_rows_stays_below_ten_megabytes(tmp_path: Path) -> None:
    store = tmp_path / "large.duckdb"
    write_store(store, small_grid(), copies=167)
    found = read_results(store)
    assert len(found.rows) == 30 * 167
    size = write_page(found, tmp_path / "page.html")
    assert size == (tmp_path / "page.html").stat().st_size
    assert size < TEN_MEGABYTES
    data = data_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(data["ranking"]["rank"]) == len(data["curves"]) == 5000
    # all rows count, those that the ranking no longer lists too
    counts = data["depth"]["noise"]["count"]
    assert sum(counts) == 5010


def test_page_of_one_diagnosis_answers_it_without_any_script() -> None:
    diagnosis = diagnosed("brickwork:n=6,depth=3", "Z3", "dephasing:0.03")
    text = diagnosis_page(diagnosis, "brickwork:n=6,depth=3", "equinoise diagnose")
    assert 'data-kind="single"' in text
    assert diagnosis.verdict.reason.split(";")[0] in text
    assert diagnosis.advice[0] in text
    assert "slot 0 (after layer 0):" in text
    assert "dephasing:0.03 (strongly symmetric: every jump commutes with the symmetry)" in text
    assert len(data_of(text)["ranking"]["key"]["words"]) == 1


def test_page_where_every_task_failed_says_so(results: Results) -> None:
    text = page(Results((), failed=results.failed))
    assert "0 designs" in text
    assert "Failed tasks (1)" in text


# -- the tables behind the figures ---------------------------------------------------------------------------------


def test_store_and_live_diagnosis_give_the_same_curve_budget_and_points(results: Results) -> None:
    diagnosis = diagnosed("brickwork:n=6,depth=3", "X2X3+Y2Y3", "dephasing:0.03")
    live = results_of(diagnosis, "brickwork:n=6,depth=3")
    stored = next(
        r for r in results.rows if (r["depth"], r["readout"], r["noise"]) == (3, "X2X3+Y2Y3", "dephasing:0.03")
    )
    for name, values in curve_table(live.rows[0]).columns.items():
        np.testing.assert_allclose(curve_table(stored).columns[name], values)  # type: ignore[arg-type]
    assert points_table(results, stored) == points_table(live, live.rows[0])
    assert {tuple(r.values()) for r in budget_table(results, stored).rows()} == {
        tuple(r.values()) for r in budget_table(live, live.rows[0]).rows()
    }


def test_curve_is_the_law_and_its_bounds() -> None:
    diagnosis = diagnosed("brickwork:n=6,depth=3", "X2X3+Y2Y3", "dephasing:0.03")
    columns = curve_table(results_of(diagnosis).rows[0]).columns
    scale = np.array(columns["scale"], dtype=float)
    np.testing.assert_allclose(np.array(columns["law"], dtype=float), diagnosis.law.survival(scale))
    lower, upper = diagnosis.law.bounds(scale)
    np.testing.assert_allclose(np.array(columns["lower"], dtype=float), lower)
    np.testing.assert_allclose(np.array(columns["upper"], dtype=float), upper)


def test_noise_that_a_study_names_is_described_term_by_term_and_two_of_one_name_are_two(tmp_path: Path) -> None:
    tables = [json.dumps({"dephasing": [{"rate": rate, "weights": {"0": 1.0, "3": -0.5}}]}) for rate in (0.02, 0.03)]
    tiny = Task("brickwork:n=4,depth=2", "Z2", samples=2, quantities=("law",))
    tasks = [replace(tiny, noise="lab", noise_table=table) for table in tables]
    with Store(tmp_path / "named.duckdb").writing() as writer:
        writer.append([run_task(one) for one in (*tasks, replace(tiny, noise="dephasing:0.5"))])
    text = page(read_results(tmp_path / "named.duckdb"), "named", "equinoise report")
    assert text.count("<summary>lab (1 design)</summary>") == 2
    assert "dephasing 0.02 D[" in text
    assert "dephasing 0.03 D[" in text
    assert "dephasing 0.5 D[Z] on each qubit" in text
    assert "not described" not in text


@pytest.mark.parametrize("noise", NOISES)
def test_budget_on_places_sums_to_kappa(noise: str) -> None:
    diagnosis = diagnosed("brickwork:n=6,depth=4", "X2X3+Y2Y3", noise)
    live = results_of(diagnosis)
    kappa = [float(k or 0.0) for k in budget_table(live, live.rows[0]).columns["kappa"]]
    # equal up to the order of the sum
    assert math.isclose(sum(kappa), diagnosis.law.kappa, rel_tol=1e-9, abs_tol=1e-12)


def test_packed_budget_keeps_kappa_to_a_thousandth_of_its_greatest_part() -> None:
    diagnosis = diagnosed("brickwork:n=6,depth=4", "X2X3+Y2Y3", "depolarizing:0.02")
    live = results_of(diagnosis)
    packed = json.loads(page_data(live, live.rows, live.rows)["budgets"]["rows"][0])
    total = packed["unit"] * sum(part for part in packed["parts"] if part is not None)
    greatest = max(e.kappa for e in diagnosis.law.budget)
    assert abs(total - diagnosis.law.kappa) < 1e-3 * greatest * len(diagnosis.law.budget)


def test_ranking_starts_with_the_fewest_shots_and_ends_with_the_unknown(results: Results) -> None:
    unknown = dict(results.rows[0]) | {"key": "zz", "shots_per_gradient": None}
    rows = ranked(Results((unknown, *results.rows)))
    shots = [row["shots_per_gradient"] for row in rows]
    assert shots[-1] is None
    assert shots[:-1] == sorted(shots[:-1])
    table = ranking_table(rows)
    assert table.columns["rank"] == list(range(1, len(rows) + 1))


def test_collapse_of_first_order_noise_lies_on_the_line(results: Results) -> None:
    rows = ranked(results)
    table = collapse_table(results, rows)
    found = 0
    for point in table.rows():
        row, x = rows[int(point["row"] or 0)], float(point["x"] or 0.0)
        # the decaying part's own variable; the law's next order is c2 times its square
        decayed = x / (1 - row["fixed_point_share"])
        if decayed < 0.05:
            found += 1
            assert abs(float(point["survival"] or 0.0) - math.exp(-x)) <= (row["rate_variance"] + 0.5) * decayed**2
    assert found > 5
    line = collapse_line()
    np.testing.assert_allclose(line.columns["survival"], np.exp(-np.array(line.columns["x"], dtype=float)))


def test_thinning_keeps_every_point_in_the_count_and_none_twice(results: Results) -> None:
    table = collapse_table(results, ranked(results))
    thin = thinned(table, across=10, up=10)
    assert 0 < len(thin) < len(table)
    assert sum(int(c or 0) for c in thin.columns["count"]) == len(table)


def test_depth_table_holds_the_quartiles_of_each_group(results: Results) -> None:
    table = depth_table(results.rows, "noise")
    found = next(r for r in table.rows() if r["group"] == "dephasing:0.03" and r["depth"] == 3)
    survival = [r["survival"] for r in results.rows if r["noise"] == "dephasing:0.03" and r["depth"] == 3]
    assert found["count"] == len(survival) == 2
    assert found["median"] == pytest.approx(np.median(survival))
    assert found["low"] == pytest.approx(np.percentile(survival, 25))


# -- the picture of the device -------------------------------------------------------------------------------------


def test_lines_rings_and_grids_are_drawn_with_bonds_of_one_length() -> None:
    ring = [(i, (i + 1) % 8) for i in range(8)]
    grid = [(a, a + 1) for a in range(11) if a % 4 != 3] + [(a, a + 4) for a in range(8)]
    for count, pairs, slack in ((5, [(i, i + 1) for i in range(4)], 1e-9), (8, ring, 1e-9), (12, grid, 0.35)):
        points = coordinates(count, pairs)
        length = np.array([np.linalg.norm(points[a] - points[b]) for a, b in pairs])
        assert np.all(np.abs(length - 1) <= slack)
        apart = np.linalg.norm(points[:, None] - points[None, :], axis=2) + np.eye(count) * 9
        assert apart.min() > 0.6


def test_unconnected_parts_and_single_qubits_get_places_of_their_own() -> None:
    for count, pairs in ((1, []), (4, [(0, 1), (2, 3)]), (6, [(0, 2), (2, 4), (1, 5)])):
        points = coordinates(count, pairs)
        assert np.all(np.isfinite(points))
        apart = np.linalg.norm(points[:, None] - points[None, :], axis=2) + np.eye(count) * 9
        assert apart.min() > 0.3


def test_graph_on_a_device_draws_its_couplers_and_what_lies_around() -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    from equinoise.device.snapshots import couplers

    pairs = couplers("torino")
    a, b = pairs[0]
    graph = device_graph([0, 1], [(0, 1)], "fake_torino", [a, b])
    assert graph.physical == (a, b)
    assert graph.bonds == ((0, 1),)
    assert graph.caption == "couplers of torino"
    assert set(graph.around_names) & {a, b} == set()
    assert len(graph.around) == len(graph.around_names) > 0


def test_graph_of_a_diagnosis_on_a_device_takes_the_layout_that_was_chosen() -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    problem = eq.Problem(eq.circuits.brickwork(4, depth=2), "Z1", initial="neel", noise="ibm:torino")
    thetas = np.random.default_rng(1).uniform(0, 4 * math.pi, (3, len(problem.parameters)))
    live = results_of(eq.diagnose(problem, sampling=eq.Sampling(ensemble=thetas)))
    graph = graph_of(live, live.rows[0])
    assert len(graph.physical) == 4
    assert set(graph.bonds) == {(0, 1), (1, 2), (2, 3)}
    said = next(note for note in problem.warnings if "physical qubits" in note and "layout" in note)
    assert ", ".join(map(str, graph.physical)) in said


# -- the command ---------------------------------------------------------------------------------------------------


def test_report_command_writes_the_page_and_tells_its_size(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    found = CliRunner().invoke(app, ["report", str(store), "-o", str(target), "--title", "My study"])
    assert found.exit_code == 0, found.output
    assert "30 designs, 1 failed" in found.output
    assert "<h1>My study</h1>" in target.read_text(encoding="utf-8")


def test_report_command_on_one_study(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    found = CliRunner().invoke(app, ["report", str(store), "-o", str(target), "--study", "other"])
    assert found.exit_code == 2
    assert "holds no results of the study 'other'" in found.output
    assert not target.exists()


def test_diagnose_command_writes_a_page_beside_its_report(tmp_path: Path) -> None:
    target = tmp_path / "one.html"
    command = ["diagnose", "brickwork:n=4,depth=2", "--readout", "Z1", "--noise", "dephasing:0.1", "--samples", "4"]
    found = CliRunner().invoke(app, [*command, "--html", str(target)])
    assert found.exit_code == 0, found.output
    assert found.output.startswith("TRAINABLE")
    assert "brickwork:n=4,depth=2" in target.read_text(encoding="utf-8")


def test_folder_of_the_page_is_checked_before_anything_is_computed(tmp_path: Path) -> None:
    target = str(tmp_path / "missing" / "one.html")
    command = ["diagnose", "no such circuit", "--readout", "Z1", "--noise", "none", "--html", target]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 2
    assert "--html: the folder" in found.output


def test_what_is_no_store_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        read_results(tmp_path / "missing.duckdb")
    text = tmp_path / "text.duckdb"
    text.write_text("hello")
    with pytest.raises(StoreError, match=r"text\.duckdb"):
        read_results(text)
    empty = tmp_path / "empty.duckdb"
    with Store(empty).writing():
        pass
    with pytest.raises(EmptyStoreError, match="holds no results yet"):
        read_results(empty)


def test_missing_plotly_is_told_with_the_command_that_installs_it(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ReportError, match=r'pip install "equinoise\[studies\]"'):
        page(results)
