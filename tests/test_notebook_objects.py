"""What a notebook shows of a diagnosis, a law, a study and a noise model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import equinoise as eq
from equinoise.errors import NoiseError, ParameterError
from equinoise.evidence.frame.reproduce import StudySummary, Summary
from equinoise.evidence.frame.study import Criterion, StudyResult
from equinoise.text.notebook import MissingPackageError
from equinoise.text.table import Table
from report_stores import diagnosed


@pytest.fixture(scope="module")
def diagnosis() -> eq.Diagnosis:
    return diagnosed("brickwork:n=6,depth=4", "X2X3+Y2Y3", "dephasing:0.01+depolarizing:0.004")


def study() -> StudyResult:
    def draw(tables: object) -> Figure:
        figure = Figure()
        figure.subplots().plot([0, 1], [0, 1])
        return figure

    tables = {"data": Table({"x": [1.0, 2.0], "name": ["a", "<b>"]})}
    return StudyResult(tables, (Criterion("R^2 of <law>", 0.995, 0.99, True),), ("It holds & more.",), draw)


def test_diagnosis_shows_verdict_kappa_and_survival(diagnosis: eq.Diagnosis) -> None:
    shown = diagnosis._repr_html_()
    assert diagnosis.verdict.word in shown
    assert f"{diagnosis.law.kappa:.4g}" in shown
    assert f"{diagnosis.simulated.survival:.4g}" in shown
    assert "<script" not in shown


def test_printed_diagnosis_is_the_first_screen(diagnosis: eq.Diagnosis) -> None:
    lines = str(diagnosis).splitlines()
    assert len(lines) <= 24
    assert lines[0].split()[0] == diagnosis.verdict.word.upper()
    told = {line.split()[0]: line for line in lines if not line.startswith(" ")}
    assert f"{diagnosis.simulated.rms_gradient:.3g}"[:4] in told["gradient"]
    assert f"leaves {100 * diagnosis.simulated.survival:.1f} %" in told["noise"]
    assert {"cone", "lost", "by", "sure", "next"} <= set(told)
    assert len(repr(diagnosis)) < 300


def test_printed_law_holds_kappa_and_where_it_arises(diagnosis: eq.Diagnosis) -> None:
    law = diagnosis.law
    shown = str(law)
    assert len(shown.splitlines()) <= 12
    assert f"{law.kappa:.4g}" in shown
    assert f"R(1) = {float(law.survival(1.0)):.4g}" in shown
    # local dephasing and depolarizing of equal rates on each qubit: both mechanisms, one of them costlier
    assert "lost at" in shown
    assert len(repr(law)) < 120


def test_printed_problem_is_what_was_stated(diagnosis: eq.Diagnosis) -> None:
    problem = diagnosis.problem
    shown = str(problem)
    assert shown.startswith("problem of 6 qubits, 4 layers, ")
    assert "X2X3+Y2Y3" in shown
    assert "neel, charge 3" in shown
    assert problem.noise.name in shown
    assert len(shown.splitlines()) <= 12


def test_a_law_without_noise_loses_nothing_anywhere() -> None:
    law = eq.law(eq.Problem(eq.circuits.brickwork(4, depth=2), "Z1", "neel"), sampling=eq.Sampling(samples=4))
    assert "lost at" not in str(law)


def test_law_shows_its_costliest_parts(diagnosis: eq.Diagnosis) -> None:
    shown = diagnosis.law._repr_html_()
    assert f"{max(e.kappa for e in diagnosis.law.budget):.4g}" in shown
    assert diagnosis.law.bound_status in shown


def test_budget_frame_sums_to_kappa(diagnosis: eq.Diagnosis) -> None:
    pytest.importorskip("pandas")
    frame = diagnosis.to_dataframe()
    assert list(frame.columns) == ["layer", "qubits", "mechanism", "kappa", "standard_error"]
    assert frame["kappa"].sum() == pytest.approx(diagnosis.law.kappa)
    assert frame.equals(diagnosis.law.to_dataframe())


def test_diagnosis_and_study_draw_figures(diagnosis: eq.Diagnosis, tmp_path: Path) -> None:
    figure = diagnosis.plot()
    figure.savefig(tmp_path / "d.png")
    assert [axes.get_xlabel() for axes in figure.axes] == ["noise scale s", "circuit qubit, costliest first"]
    assert isinstance(study().plot(), Figure)


def test_study_shows_criteria_and_findings_escaped_and_gives_its_tables() -> None:
    shown = study()._repr_html_()
    assert "R^2 of &lt;law&gt;" in shown
    assert "holds" in shown
    assert "It holds &amp; more." in shown
    pytest.importorskip("pandas")
    assert study().to_dataframe()["x"].tolist() == [1.0, 2.0]
    with pytest.raises(ParameterError, match="no table is called 'other'; there are: data"):
        study().to_dataframe("other")


def test_summary_of_studies_gives_a_row_a_criterion(tmp_path: Path) -> None:
    criterion = {"statement": "a", "value": 1.0, "threshold": 0.9, "at_least": True, "passed": True}
    one = StudySummary("law", "Does it hold?", True, (criterion, criterion), (), (), 1.0, False)
    summary = Summary((one,), tmp_path, True, 0)
    assert len(summary.criteria()) == 2
    assert "law" in summary._repr_html_()


def test_noise_model_shows_its_terms_with_rates_and_notes() -> None:
    noise = eq.NoiseModel(dephasing=0.01, relaxation=[{"qubit": 2, "down": 0.02, "up": 0.01}], notes=["T2 <clipped>"])
    shown = noise._repr_html_()
    assert "D[Z] on each qubit" in shown
    assert "0.03" in shown
    assert "T2 &lt;clipped&gt;" in shown


def test_noise_on_a_circuit_is_a_row_a_term_and_a_bar_a_qubit() -> None:
    noise = eq.NoiseModel(
        dephasing=[
            {"rate": 0.01, "weights": {2: 1.0}},
            {"rate": 0.04, "weights": {0: 1.0, 1: 1.0}, "correlation": "static"},
        ],
        depolarizing=[{"qubits": [0, 1], "rate": 0.02}],
        pauli=[{"pauli": "X0", "rate": 0.001}],
    )
    circuit = eq.circuits.brickwork(3, depth=2)
    figure = noise.plot(circuit)
    heights = {c.get_label(): [bar.get_height() for bar in c] for c in figure.axes[0].containers}
    assert heights["dephasing"] == pytest.approx([0.04, 0.04, 0.02])
    assert heights["depolarizing"] == pytest.approx([0.02, 0.02, 0.0])
    assert heights["pauli"] == pytest.approx([0.002, 0.0, 0.0])
    pytest.importorskip("pandas")
    frame = noise.to_dataframe(circuit)
    assert frame.groupby("mechanism")["rate"].sum().to_dict() == pytest.approx(
        {"dephasing": 0.1, "depolarizing": 0.04, "pauli": 0.002}
    )
    assert len(noise.to_dataframe()) == 4


def test_noise_without_a_circuit_cannot_be_drawn() -> None:
    with pytest.raises(NoiseError, match=r"noise\.plot\(circuit\)"):
        eq.NoiseModel(dephasing=0.01).plot(None)


def test_missing_pandas_is_told_with_the_command_that_installs_it(
    diagnosis: eq.Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for thing in (diagnosis, diagnosis.law, study(), eq.NoiseModel(dephasing=0.01)):
        with pytest.raises(MissingPackageError, match="pip install pandas"):
            thing.to_dataframe()
