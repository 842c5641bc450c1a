"""Study: the coherence law under every symmetry, and each symmetry against none."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slow_twin as reference
from equinoise.engines.evaluate import gradient
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.measured_cases import measure
from equinoise.evidence.frame.rows import Rows
from equinoise.evidence.frame.study import Context, StudyResult
from equinoise.evidence.symmetric import symmetry_laws as study
from equinoise.evidence.symmetric import symmetry_lie
from equinoise.evidence.symmetric.symmetry_cases import NOISES, SYMMETRIES, SymmetricCase, grid, unstructured
from equinoise.evidence.symmetric.symmetry_rivals import survival_of
from equinoise.problem import Problem
from equinoise.sampling import Sampling
from equinoise.text.notebook import MissingPackageError


@pytest.fixture(scope="module")
def quick() -> StudyResult:
    return study.STUDY.run(Context(quick=True, workers=2))


@pytest.mark.slow
def test_every_criterion_holds(quick: StudyResult) -> None:
    assert [c.statement for c in quick.criteria if not c.passed] == []


@pytest.mark.slow
def test_every_symmetry_meets_every_noise(quick: StudyResult) -> None:
    wanted = {(s, n) for s in SYMMETRIES for n in NOISES}
    for table in ("data", "noises", "fixed_points", "rivals"):
        assert {(r["symmetry"], r["noise"]) for r in quick.tables[table].rows()} == wanted


@pytest.mark.slow
def test_collective_dephasing_keeps_the_blocks_of_permutations_and_local_dephasing_mixes_them(
    quick: StudyResult,
) -> None:
    sectors = {r["noise"]: r["sectors"] for r in quick.tables["fixed_points"].rows() if r["symmetry"] == "permutations"}
    assert sectors.pop("collective dephasing") == "respected"
    assert set(sectors.values()) == {"mixed"}


@pytest.mark.slow
def test_what_is_called_untouched_keeps_its_whole_gradient(quick: StudyResult) -> None:
    untouched = [r for r in quick.tables["fixed_points"].rows() if r["class"] == "untouched"]
    assert {r["symmetry"] for r in untouched} >= {"charge", "two charges", "SU(2)"}
    assert [r["w0"] for r in untouched] == pytest.approx([1.0] * len(untouched), abs=1e-9)


@pytest.mark.slow
def test_sharing_and_symmetry_together_make_the_rivals_ratio(quick: StudyResult) -> None:
    rivals = {
        (r["symmetry"], r["noise"], r["readout"]): r["survival_ratio"]
        for r in quick.tables["rivals"].rows()
        if r["scale"] == 4.0
    }
    controls = quick.tables["controls"].rows()
    assert {r["symmetry"] for r in controls} == {"SU(2)", "permutations", "ring"}
    for r in controls:
        assert r["shared_ratio"] * r["control_ratio"] == pytest.approx(rivals[r["symmetry"], r["noise"], r["readout"]])
        assert r["parameters"] < r["control_parameters"]


@pytest.mark.slow
def test_ratios_are_those_of_both_designs(quick: StudyResult) -> None:
    for r in quick.tables["rivals"].rows():
        for name in ("survival", "gradient"):
            if r[f"{name}_ratio"] is not None:
                assert r[f"{name}_ratio"] == pytest.approx(r[name] / r[f"rival_{name}"])


@pytest.mark.slow
def test_the_figure_shows_every_symmetry(quick: StudyResult) -> None:
    collapse, bars, *tables = quick.plot().axes
    assert [t.get_text() for t in collapse.get_legend().get_texts()] == list(SYMMETRIES)
    assert [t.get_text() for t in bars.get_xticklabels()] == list(SYMMETRIES)
    assert all([t.get_text() for t in axes.get_yticklabels()] == list(SYMMETRIES) for axes in tables)


@pytest.mark.parametrize("symmetry", list(SYMMETRIES))
def test_measured_law_is_that_of_the_full_space(symmetry: str) -> None:
    problem = SymmetricCase(symmetry, "damping", depth=2, num_qubits=4).problem()
    found = measure(problem, Sampling(samples=3, seed=5), scales=(0.7,))
    thetas = Ensemble().draw(problem, 3, 5)
    # the twin sums over all parameters; those outside the cone add zero
    squares = {s: np.mean([np.sum(reference.gradient(problem, t, s) ** 2) for t in thetas]) for s in (0.0, 0.7)}
    assert found.variance == pytest.approx(squares[0.0], rel=1e-9)
    assert found.exact[0] == pytest.approx(math.sqrt(squares[0.7] / squares[0.0]), rel=1e-9)
    assert found.kappa == pytest.approx(reference.law(problem, thetas)["kappa"], rel=1e-5)


def test_the_rival_differs_by_its_one_qubit_gates_and_angles_alone() -> None:
    for symmetry in SYMMETRIES:
        case = SymmetricCase(symmetry, "damping", depth=3, num_qubits=6)
        own, rival = case.problem(), case.rival()
        assert rival.breaking
        assert not own.breaking
        assert (rival.readout, rival.noise, len(rival.layers)) == (own.readout, own.noise, len(own.layers))
        assert _two_qubit_gates(rival) == _two_qubit_gates(own)
        # each angle is used once
        assert rival.circuit.num_parameters == sum(v for k, v in rival.circuit.count_ops().items() if k != "barrier")


def _two_qubit_gates(problem: Problem) -> list[tuple[str, tuple[int, ...]]]:
    circuit = problem.circuit
    return [
        (i.operation.name, tuple(circuit.find_bit(q).index for q in i.qubits))
        for i in circuit.data
        if i.operation.num_qubits == 2 and i.operation.name != "barrier"
    ]


def test_the_rival_at_zero_extra_angles_is_the_equivariant_circuit() -> None:
    case = SymmetricCase("ring", "local dephasing", depth=2, num_qubits=4)
    own, rival = case.problem(), case.rival()
    theta = np.array([0.3, 1.1, -0.4, 0.8])
    layers = [[0.0] * 8 + [a] * 4 + [b] * 4 for a, b in theta.reshape(2, 2)]
    assert gradient(rival, np.concatenate(layers), scale=1.5).value == pytest.approx(
        gradient(own, theta, scale=1.5).value, abs=1e-12
    )
    assert unstructured(own.circuit).num_parameters == 32


def test_the_full_grid_takes_permutations_to_twenty_qubits() -> None:
    labels = [case.label for case in grid(quick=False)]
    assert len(set(labels)) == len(labels)
    assert max(c.num_qubits for c in grid(quick=False) if c.symmetry == "permutations") == 20
    assert {c.readout for c in grid(quick=True)} == {0, 1}


def test_without_pennylane_the_theory_is_said_not_to_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **options: object) -> None:
        raise MissingPackageError("PennyLane is not installed.")

    monkeypatch.setattr(symmetry_lie, "lie_algebraic_check", missing)
    table = Rows(symmetry_lie.lie_rows(Context(quick=True)))
    assert {r["note"] for r in table} == {"not run: PennyLane is not installed."}
    assert symmetry_lie.lie_deviations(table) == []
    assert symmetry_lie.lie_finding(table) == "Lie algebra not run: PennyLane is not installed."


def test_survival_and_its_error_of_a_known_sample() -> None:
    problem = SymmetricCase("charge", "damping", depth=2, num_qubits=4).problem()
    one = measure(problem, Sampling(samples=40, seed=1), scales=(1.0,))
    survival, error = survival_of(one)[0]
    assert survival == pytest.approx(one.exact[0])
    # jackknife: the spread of the survival with one draw left out
    count = one.samples
    left = [math.sqrt(np.delete(one.noisy[:, 0], i).mean() / np.delete(one.squares, i).mean()) for i in range(count)]
    assert error == pytest.approx(math.sqrt((count - 1) * np.var(left)), rel=0.15)


def test_the_control_has_the_same_generators_and_independent_angles() -> None:
    case = SymmetricCase("permutations", "damping", depth=2, num_qubits=4)
    own, control = case.problem(), case.rival(turned=False)
    assert case.shares
    assert not SymmetricCase("parity", "damping", depth=2, num_qubits=4).shares
    assert control.circuit.count_ops() == own.circuit.count_ops()
    assert control.circuit.num_parameters == 2 * (4 + 4 + 6)
    theta = np.array([0.3, -0.8, 0.5, 1.1, 0.2, -0.4])
    spread = np.concatenate([np.repeat(layer, [4, 4, 6]) for layer in theta.reshape(2, 3)])
    assert gradient(control, spread, scale=1.5).value == pytest.approx(gradient(own, theta, scale=1.5).value, abs=1e-12)
