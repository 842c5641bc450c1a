"""Which engine is taken and why, what each refuses, and that all that serve a problem agree on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.engines import select
from equinoise.engines.draws import draw_generator
from equinoise.engines.select import ENGINES, choose, choose_engine, declarations, select_engine
from equinoise.errors import MemoryLimitError, UnsupportedError
from support import random_theta


def problem(n=6, depth=3, interaction="rzz", noise="dephasing:0.05", readout=None, **options):
    circuit = eq.circuits.brickwork(n, depth, interaction=interaction)
    return eq.Problem(circuit, readout=readout or f"Z{n // 2}", initial="neel", noise=noise, **options)


STATIC = {"dephasing": [{"rate": 0.05, "correlation": "static"}]}
BROKEN = {"pauli": [{"pauli": "X3", "rate": 0.05}]}


# -- what auto takes -----------------------------------------------------------------------------------------------


def test_auto_takes_free_fermions_for_a_free_circuit_on_a_wide_cone():
    stated = problem(40, 20, "none")
    engine, reason = choose(stated)
    assert (engine, reason) == ("free-fermion", "fits in memory and in time")
    assert select_engine(stated).name == "free-fermion"
    assert eq.gradient(stated, random_theta(stated, 0)).engine == "free-fermion"


def test_auto_takes_density_matrices_for_a_small_interacting_circuit():
    stated = problem()
    assert choose(stated) == ("exact", "fits in memory and in time")
    choice = choose_engine(stated)
    assert (choice.engine.name, choice.engine.exact) == ("exact", True)
    assert choose_engine(stated, "exact").reason == "asked for"


def test_auto_takes_state_vectors_where_no_noise_is_asked_for():
    stated = problem(14, 6)
    assert choose(stated, noiseless=True)[0] == "state-vector"
    found = eq.gradient(stated, random_theta(stated, 0), scale=0)
    assert found.engine == "state-vector"
    np.testing.assert_array_equal(found.standard_error, 0)
    assert eq.expectation(stated, random_theta(stated, 0), scale=0).engine == "state-vector"
    assert eq.gradient_variance(stated, scales=[0.0], sampling=eq.Sampling(samples=2)).engine == "state-vector"


def test_auto_takes_trajectories_where_density_matrices_do_not_fit(monkeypatch):
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "0.001")
    engine, reason = choose(problem(10, 6))
    assert engine == "trajectories"
    assert reason.startswith("unbiased; no exact engine serves (one draw needs ")
    assert reason.endswith("GB and 0.001 GB are free)")


def test_auto_takes_trajectories_where_density_matrices_take_too_long():
    stated = problem(10, 6)
    assert choose(stated, draws=1, workers=1)[0] == "exact"
    engine, reason = choose(stated, draws=1e9, workers=1)
    assert engine == "trajectories"
    assert reason.startswith("unbiased; engine exact would take about ")
    assert reason.endswith(("days", "years", "hours"))
    # twice the processors, twice the draws
    seconds = next(d.seconds for d in declarations(stated) if d.engine == "exact")
    most = select.PATIENCE / seconds
    assert choose(stated, draws=1.9 * most, workers=2)[0] == "exact"
    assert choose(stated, draws=1.9 * most, workers=1)[0] == "trajectories"


def test_auto_takes_trajectories_for_noise_correlated_in_time():
    engine, reason = choose(problem(noise=STATIC))
    assert engine == "trajectories"
    assert "no exact engine serves" in reason
    assert "correlated in time" in reason


def test_auto_takes_trajectories_where_the_charge_is_broken_and_density_matrices_take_too_long():
    stated = problem(noise=BROKEN, depth=2)
    assert choose(stated)[0] == "exact"
    engine, reason = choose(stated, draws=1e12, workers=1)
    assert engine == "trajectories"
    assert reason.startswith("unbiased; engine exact would take about ")


def test_where_nothing_fits_the_refusal_has_numbers_and_remedies(monkeypatch):
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "1e-6")
    with pytest.raises(MemoryLimitError, match=r"GB.*EQUINOISE_MEMORY_GB"):
        choose_engine(problem(10, 6))
    with pytest.raises(MemoryLimitError, match=r"state-vector.*GB.*EQUINOISE_MEMORY_GB"):
        choose_engine(problem(10, 6), "state-vector")


def test_where_nothing_serves_each_engine_says_why():
    """Static phases and bit flips on a cone of 24 qubits: no density matrix, no sector, too many states."""
    flips = {"dephasing": STATIC["dephasing"], "pauli": [{"pauli": "X11", "rate": 0.1}]}
    wide = eq.Problem(eq.circuits.brickwork(24, 24), "Z11", "neel", flips)
    with pytest.raises(UnsupportedError, match="no engine serves this problem") as caught:
        choose(wide)
    for name in ENGINES:
        assert f"{name}: " in str(caught.value)
    assert "the full space of 24 cone qubits is beyond the 22" in str(caught.value)


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "options", "remedy"),
    [
        ("exact", {"noise": STATIC}, "engine 'trajectories' samples it"),
        ("free-fermion", {}, "engine"),
        ("free-fermion", {"noise": STATIC, "interaction": "none"}, "correlated in time"),
        ("free-fermion", {"noise": "relaxation:0.1", "interaction": "none"}, "engine"),
    ],
)
def test_an_engine_refuses_what_it_cannot_do_and_names_one_that_can(engine, options, remedy):
    stated = problem(depth=2, **options)
    theta = random_theta(stated, 0)
    for ask in (
        lambda: eq.gradient(stated, theta, engine=engine),
        lambda: eq.expectation(stated, theta, engine=engine),
        lambda: eq.law(stated, sampling=eq.Sampling(samples=2, engine=engine)),
        lambda: eq.diagnose(stated, sampling=eq.Sampling(samples=2, engine=engine)),
    ):
        with pytest.raises(UnsupportedError) as caught:
            ask()
        assert remedy in str(caught.value)
    declared = next(d for d in declarations(stated) if d.engine == engine)
    assert declared.reason in str(caught.value)


def test_interacting_circuits_are_refused_by_free_fermions_naming_the_gate():
    with pytest.raises(UnsupportedError, match=r"'rzz'.*exact"):
        choose_engine(problem(), "free-fermion")


def test_state_vectors_refuse_noise_and_name_trajectories():
    stated = problem()
    theta = random_theta(stated, 0)
    for ask in (
        lambda: eq.gradient(stated, theta, engine="state-vector"),
        lambda: eq.gradient_variance(stated, scales=[0, 1], sampling=eq.Sampling(samples=2, engine="state-vector")),
        lambda: eq.diagnose(stated, sampling=eq.Sampling(samples=2, engine="state-vector")),
    ):
        with pytest.raises(UnsupportedError, match=r"noise scale 1.*'trajectories'"):
            ask()


@pytest.mark.parametrize("name", ["Exact", "statevector", "", "gpu"])
def test_unknown_engines_are_refused_with_those_there_are(name):
    with pytest.raises(UnsupportedError, match="no engine") as caught:
        choose_engine(problem(), name)
    for known in ("auto", *ENGINES):
        assert known in str(caught.value)


# -- declarations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"interaction": "none"}, {"noise": STATIC}, {"noise": BROKEN}, {"noise": "relaxation:0.1"}, {"n": 60}],
)
def test_declarations_have_costs_where_an_engine_serves_and_reasons_where_not(options):
    found = declarations(problem(**{"depth": 3, **options}))
    assert tuple(d.engine for d in found) == ENGINES
    assert any(d.serves for d in found)
    for d in found:
        assert d.serves == (d.reason == "")
        assert d.quantities
        assert d.error
        if d.serves:
            assert 0 < d.seconds < 1e3
            assert 0 < d.bytes < 1e9
        else:
            assert len(d.reason) > 20


def test_declared_costs_grow_with_the_cone_and_density_matrices_most():
    small, large = ({d.engine: d for d in declarations(problem(20, depth))} for depth in (9, 11))
    growth = {name: large[name].seconds / small[name].seconds for name in ("exact", "state-vector", "trajectories")}
    # C(18, 9) = 48620 states grow to C(20, 10) = 184756: four-fold, squared for matrices, times the number of blocks
    assert growth["exact"] > 3 * growth["trajectories"] > 10
    assert 0.5 < growth["state-vector"] / growth["trajectories"] < 2
    assert large["exact"].bytes > 100 * large["trajectories"].bytes


def test_a_cone_too_wide_for_any_density_matrix_is_declared_without_overflow():
    found = {d.engine: d for d in declarations(problem(120, 40))}
    assert not found["exact"].serves
    assert not found["trajectories"].serves
    assert "GB" in found["exact"].reason
    assert math.isfinite(found["exact"].seconds)


# -- agreement -----------------------------------------------------------------------------------------------------


def test_free_fermions_and_density_matrices_agree_at_every_scale():
    stated = problem(8, 4, "none", noise="dephasing:0.1")
    theta = random_theta(stated, 1)
    for scale in (0.0, 1.0, math.inf):
        free, exact = (eq.gradient(stated, theta, scale=scale, engine=e) for e in ("free-fermion", "exact"))
        assert free.value == pytest.approx(exact.value, abs=1e-9)
        np.testing.assert_allclose(free.gradient, exact.gradient, rtol=0, atol=1e-9)


@pytest.mark.parametrize("noise", ["dephasing:0.1", "relaxation:0.1", "depolarizing:0.1"])
def test_all_engines_that_serve_agree_without_noise_scale(noise):
    stated = problem(8, 3, noise=noise)
    theta = random_theta(stated, 1)
    exact = eq.gradient(stated, theta, scale=0, engine="exact")
    for engine in ("state-vector", "trajectories"):
        found = eq.gradient(stated, theta, scale=0, engine=engine)
        assert found.value == pytest.approx(exact.value, abs=1e-12)
        np.testing.assert_allclose(found.gradient, exact.gradient, rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def wide():
    """A cone of sixteen qubits, sectors of up to 12870 states, that free fermions solve exactly."""
    noise = {"dephasing": [{"rate": 0.01}, {"rate": 0.02, "weights": {7: 1.0, 8: -1.0, 9: 0.5}}]}
    return problem(20, 8, "none", noise=noise, readout="X9X10+Y9Y10")


def test_trajectories_agree_with_free_fermions_on_sixteen_qubits(wide):
    theta = random_theta(wide, 2)
    exact = eq.gradient(wide, theta, engine="free-fermion")
    found = eq.gradient(wide, theta, engine="trajectories", trajectories=150, seed=1)
    assert found.reduction["numbers"] > 1e8
    # 4 standard errors, each known to 6 % from 150 trajectories
    excess = np.abs(found.gradient - exact.gradient) / (4 * found.standard_error + 1e-10)
    assert excess.max() < 1
    assert np.linalg.norm(found.standard_error) < 0.5 * np.linalg.norm(exact.gradient)
    values = eq.expectation(wide, theta, engine="trajectories", trajectories=150, seed=2)
    assert abs(values.value - exact.value) < 4 * values.standard_error


def test_kappa_of_state_vectors_agrees_with_free_fermions_on_sixteen_qubits(wide):
    exact, found = (
        eq.law(wide, sampling=eq.Sampling(samples=320, seed=3, engine=engine))
        for engine in ("free-fermion", "state-vector")
    )
    # the same draws of the parameters: the bar, which holds their scatter too, is generous
    assert abs(found.kappa - exact.kappa) < 4 * found.kappa_error
    assert found.kappa_error < 0.4 * exact.kappa
    assert found.variance == pytest.approx(exact.variance, rel=1e-9)


def test_survival_from_trajectories_agrees_with_free_fermions_on_sixteen_qubits(wide):
    scales, sampling = [0.0, 2.0], eq.Sampling(samples=48, seed=4, engine="free-fermion")
    exact = eq.gradient_variance(wide, scales, sampling=sampling)
    found = eq.gradient_variance(wide, scales, sampling=replace(sampling, engine="trajectories"))
    assert found.variance[0] == pytest.approx(exact.variance[0], rel=1e-9)
    assert abs(found.variance[1] - exact.variance[1]) < 4 * found.standard_error[1]


# -- closed form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["exact", "free-fermion", "trajectories"])
def test_every_engine_gives_the_closed_form_of_one_hop(engine):
    """<Z0> = -cos t under any dephasing of the last slot, which Z0 does not see."""
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(Parameter("t")), [0, 1])
    stated = eq.Problem(circuit, readout="Z0", initial="01", noise="dephasing:0.3")
    found = eq.gradient(stated, [0.4], engine=engine, trajectories=3)
    assert found.value == pytest.approx(-math.cos(0.4), abs=1e-12)
    assert found.gradient == pytest.approx([math.sin(0.4)], abs=1e-12)
    built = choose_engine(stated, engine).engine
    assert built.value(np.array([0.4]), 1.0, draw_generator(0, 0)) == pytest.approx((-math.cos(0.4), 1.0), abs=1e-12)


def test_declarations_of_a_cone_of_a_thousand_qubits_do_not_overflow():
    circuit = eq.circuits.brickwork(1100, depth=2, interaction="none")
    total = SparsePauliOp.from_sparse_list([("Z", [q], 1.0) for q in range(1100)], num_qubits=1100)
    found = declarations(eq.Problem(circuit, readout=total, initial="neel", noise="dephasing:0.01"))
    assert {d.engine for d in found if d.serves} == {"free-fermion"}


def test_a_wider_symmetry_gives_way_to_charge_sectors_where_these_are_clearly_cheaper():
    circuit = eq.circuits.exchange(8, 6)
    problem = eq.Problem(circuit, "X1X2+Y1Y2+Z1Z2", "01010101", "depolarizing:0.02", symmetry="su2")
    chosen, reason = choose(problem, draws=1000)
    assert (chosen, reason) == ("exact", "cheaper in charge sectors than in the commutant of su2")
    engine = select_engine(problem, "auto", draws=1000)
    assert not engine.program.full
    theta = np.random.default_rng(2).uniform(-3, 3, len(problem.parameters))
    own = select_engine(problem, "commutant").draw(theta, 1.0)
    np.testing.assert_allclose(engine.draw(theta, 1.0).gradient, own.gradient, atol=1e-10)
    # a few draws are left to the symmetry that was claimed
    assert choose(problem, draws=1)[0] == "commutant"
