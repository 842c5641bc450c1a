"""The tables that figures are drawn from, and the files they end in."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import equinoise as eq
from equinoise.diagnosis.survival_curve import survival_table
from equinoise.report.figures import budget_grid, plot_diagnosis, spectrum_table
from equinoise.report.files import OutputError, check_target, write_whole

CORRELATED = [{"rate": 0.05, "weights": {1: 1.0, 2: -1.0}}, {"rate": 0.02, "weights": {0: 1.0, 1: 1.0, 2: 1.0}}]
PAIRS = [{"qubits": [1, 2], "rate": 0.03}]


def diagnosed(**noise: object) -> eq.Diagnosis:
    circuit = eq.circuits.brickwork(4, depth=3)
    # given draws: no search for the greatest depth, which these tests do not read
    thetas = np.random.default_rng(7).uniform(0, 4 * math.pi, (6, circuit.num_parameters))
    return eq.diagnose(
        eq.Problem(circuit, "Z1", initial="neel", noise=eq.NoiseModel(**noise)), sampling=eq.Sampling(ensemble=thetas)
    )


@pytest.fixture(scope="module")
def dephased() -> eq.Diagnosis:
    return diagnosed(dephasing=CORRELATED)


@pytest.fixture(scope="module")
def depolarized() -> eq.Diagnosis:
    return diagnosed(depolarizing=PAIRS)


def test_survival_table_holds_law_bounds_and_exact_points(dephased: eq.Diagnosis) -> None:
    table = survival_table(dephased.record, points=31)
    assert table.scale.shape == (31,)
    assert np.all(np.diff(np.log(table.scale)) > 0)
    np.testing.assert_array_equal(table.law, dephased.law.survival(table.scale))
    np.testing.assert_array_equal(table.leading_order, np.exp(-table.scale * dephased.law.kappa))
    np.testing.assert_array_equal(table.lower, dephased.law.bounds(table.scale)[0])
    assert np.all(table.lower <= table.upper)
    assert table.simulated_scale.tolist() == sorted([dephased.scale, *(p.scale for p in dephased.curve)])
    here = table.simulated_scale.tolist().index(dephased.scale)
    assert dephased.simulated is not None
    assert (table.simulated[here], table.simulated_low[here], table.simulated_high[here]) == (
        dephased.simulated.survival,
        *dephased.simulated.interval,
    )
    assert table.samples == 6


def test_spectrum_table_holds_the_measure_and_the_bounds(dephased: eq.Diagnosis) -> None:
    table, spectrum = spectrum_table(dephased, points=4), dephased.law.spectrum
    assert table is not None
    assert spectrum is not None
    np.testing.assert_array_equal(table.weights, spectrum.measure.weights)
    np.testing.assert_array_equal(table.rates, spectrum.measure.rates)
    assert table.weights.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal((table.lower, table.upper), spectrum.bounds(table.scale))
    assert table.scale[[0, -1]] == pytest.approx(survival_table(dephased.record).scale[[0, -1]])
    assert table.status == "not proved"  # given draws
    alone = dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, spectrum=None))
    assert spectrum_table(alone) is None


def test_figure_without_a_spectrum_says_why(dephased: eq.Diagnosis, tmp_path: Path) -> None:
    plot_diagnosis(dephased, tmp_path / "with.svg")
    assert "from the spectrum, not proved" in (tmp_path / "with.svg").read_text()
    alone = dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, spectrum=None))
    plot_diagnosis(alone, tmp_path / "without.svg")
    assert "unknown: one draw, or no gradient" in (tmp_path / "without.svg").read_text()


def test_survival_grid_reaches_where_the_gradient_dies(dephased: eq.Diagnosis) -> None:
    weak = dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, kappa=1e-3))
    assert survival_table(weak.record).scale[-1] == pytest.approx(3e3)
    strong = dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, kappa=1e2))
    assert survival_table(strong.record).scale[0] == pytest.approx(1e-3)


def test_survival_table_without_a_finite_scale_has_no_exact_points(dephased: eq.Diagnosis) -> None:
    for scale in (0.0, math.inf):
        table = survival_table(dataclasses.replace(dephased, scale=scale, curve=()).record)
        assert table.simulated.shape == (0,)
        assert np.all(np.isfinite(table.law))


@pytest.mark.parametrize("noise", ["dephased", "depolarized"])
def test_budget_grid_splits_terms_evenly_and_sums_to_kappa(noise: str, request: pytest.FixtureRequest) -> None:
    diagnosis: eq.Diagnosis = request.getfixturevalue(noise)
    grid = budget_grid(diagnosis.record)
    assert grid.qubits == tuple(diagnosis.light_cone["qubits"])
    assert grid.kappa.shape == grid.seen.shape == (len(grid.qubits), 3)
    assert diagnosis.law.kappa > 0.01
    # equal up to the order of the sum
    assert grid.kappa.sum() == pytest.approx(diagnosis.law.kappa, rel=1e-9)
    assert not np.any(grid.kappa[~grid.seen])
    widest = max(diagnosis.law.budget, key=lambda entry: len(entry.qubits))
    assert len(widest.qubits) >= 2
    only = dataclasses.replace(diagnosis, law=dataclasses.replace(diagnosis.law, budget=(widest,)))
    column = budget_grid(only.record).kappa[:, widest.layer]
    shares = column[[grid.qubits.index(q) for q in widest.qubits]]
    np.testing.assert_allclose(shares, widest.kappa / len(widest.qubits), rtol=1e-12)


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")])
def test_figure_format_follows_the_suffix(dephased: eq.Diagnosis, tmp_path: Path, suffix: str, magic: bytes) -> None:
    plot_diagnosis(dephased, tmp_path / f"figure{suffix}")
    assert (tmp_path / f"figure{suffix}").read_bytes().startswith(magic)
    assert len(list(tmp_path.iterdir())) == 1


def test_figure_says_whether_its_bounds_are_proved(dephased: eq.Diagnosis, tmp_path: Path) -> None:
    file = tmp_path / "figure.svg"
    assert not dephased.law.certificate.proved  # given draws are no random-phase ensemble
    plot_diagnosis(dephased, file)
    text = file.read_text()
    assert "bounds: not proved" in text
    assert "split evenly" in text
    assert ">kappa<" in text or "<!-- kappa -->" in text
    certificate = dataclasses.replace(dephased.law.certificate, proved=True)
    plot_diagnosis(dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, certificate=certificate)), file)
    assert "bounds: proved" in file.read_text()
    few = dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, bound_ends=None))
    plot_diagnosis(few, file)
    assert "bounds: none from fewer than 32 draws" in file.read_text()
    assert np.isnan(survival_table(few.record).lower).all()


def test_figure_without_noise_is_drawn_too(tmp_path: Path) -> None:
    plot_diagnosis(diagnosed(), tmp_path / "quiet.png")
    assert (tmp_path / "quiet.png").stat().st_size > 10_000


def test_unknown_suffix_is_refused_with_the_list(dephased: eq.Diagnosis, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"'\.gif'.*\.pdf, \.png, \.svg"):
        plot_diagnosis(dephased, tmp_path / "figure.gif")
    with pytest.raises(eq.EquinoiseError):
        plot_diagnosis(dephased, tmp_path / "figure")


def test_figure_in_no_folder_is_refused(dephased: eq.Diagnosis, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        plot_diagnosis(dephased, tmp_path / "none" / "figure.png")


def test_drawing_leaves_pyplot_alone(tmp_path: Path) -> None:
    code = f"""
import sys
import equinoise as eq
from equinoise.report.figures import plot_diagnosis
problem = eq.Problem(eq.circuits.brickwork(2, depth=1), "Z1", initial="neel", noise="dephasing:0.1")
plot_diagnosis(eq.diagnose(problem, sampling=eq.Sampling(ensemble=[[0.1, 0.2, 0.3, 0.4]])), {str(tmp_path / "a.png")!r})
print("matplotlib.pyplot" in sys.modules)
"""
    path = os.pathsep.join(filter(None, [str(Path(eq.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert (tmp_path / "a.png").exists()


def test_files_are_replaced_whole_and_links_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    write_whole(link, "new")
    assert real.read_text() == "new"
    assert link.is_symlink()
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(OutputError, match="is a folder"):
        check_target(tmp_path, "--json")


def test_pipes_and_devices_are_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert check_target(pipe, "--json") == pipe
        write_whole(pipe, "through")
        assert pipe.is_fifo()
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
