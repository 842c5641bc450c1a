"""Dephasing correlated in time, as the user states it: every spelling, every error's text, the processes it makes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.circuit.layers import split_layers
from equinoise.errors import NoiseError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import STATIC, Dephasing, PhaseProcess, Slot

CIRCUIT = eq.circuits.brickwork(4, depth=3)


def processes(entries, circuit=CIRCUIT):
    model = NoiseModel(dephasing=entries)
    return model.processes(split_layers(circuit, find_preparation=False), circuit.num_qubits)


def lines(model, circuit=CIRCUIT):
    """describe() as {slot: [term, ...]}."""
    found = {}
    for line in model.describe(circuit).splitlines():
        if line.startswith("slot"):
            current = found.setdefault(int(line.split()[1]), [])
        elif line.startswith("  "):
            current.append(line.strip())
    return found


# -- spellings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, None),
        ("white", None),
        ("static", ((1.0, math.inf),)),
        ("inf", ((1.0, math.inf),)),
        (math.inf, ((1.0, math.inf),)),
        (5, ((1.0, 5.0),)),
        (0.3, ((1.0, 0.3),)),
        ([[3, 5.0], [1, "inf"]], ((0.75, 5.0), (0.25, math.inf))),
        ([[1, "static"], [1, 2]], ((0.5, 2.0), (0.5, math.inf))),
        # components of equal time are one
        ([[1, 4], [2, 2], [1, 4.0]], ((0.5, 2.0), (0.5, 4.0))),
        (((7e-320, 2.0),), ((1.0, 2.0),)),
        ({"1/f": [1, 3]}, ((0.5, 1.0), (0.5, 3.0))),
    ],
)
def test_every_spelling_of_a_correlation_has_one_meaning(stated, expected):
    assert Dephasing(0.1, correlation=stated).correlation == expected


def test_one_over_f_has_two_times_a_decade_evenly_spaced_in_their_logarithm():
    correlation = Dephasing(0.1, correlation={"1/f": [1, 1000]}).correlation
    weights, times = zip(*correlation, strict=True)
    assert weights == pytest.approx([1 / 7] * 7)
    assert times == pytest.approx(10 ** np.linspace(0, 3, 7))
    assert (times[0], times[-1]) == (1.0, 1000.0)
    assert Dephasing(0.1, correlation={"one_over_f": (1, 1000)}).correlation == correlation
    counts = [len(Dephasing(0.1, correlation={"1/f": [1, t]}).correlation) for t in (1.1, 9.0, 11.0, 1e4, 1e9, 1e30)]
    assert counts == [2, 3, 4, 9, 19, 20]


def test_one_over_f_spectrum_falls_as_one_over_f_between_its_times():
    """S(w) = sum_k c(k) cos(w k) summed over all lags; an exponential gives sinh(1/t)/(cosh(1/t) - cos w)."""
    correlation = Dephasing(0.1, correlation={"1/f": [1, 1e5]}).correlation

    def spectrum(w):
        return sum(a * math.sinh(1 / t) / (math.cosh(1 / t) - math.cos(w)) for a, t in correlation)

    # a decade inside the ends; the components ripple by some per cent and the ends weigh in
    frequencies = np.geomspace(1e-4, 0.1, 40)
    slopes = np.diff(np.log([spectrum(w) for w in frequencies])) / np.diff(np.log(frequencies))
    assert slopes.mean() == pytest.approx(-1, abs=0.05)
    assert np.abs(slopes + 1).max() < 0.2


TOML = """
dephasing = [
    {rate = 0.01},
    {rate = 0.02, weights = "each", correlation = "static"},
    {rate = 0.03, weights = "all", correlation = 5},
    {rate = 0.04, weights = {0 = 1.0, 1 = -0.5}, correlation = {"1/f" = [1, 1000]}, layers = [0, 1]},
    {rate = 0.05, correlation = [[3, 2.5], [1, "inf"]], gate = "rzz", on = [0, 1]},
    {rate = 0.06, correlation = inf},
]
"""
TERMS = (
    Dephasing(0.01),
    Dephasing(0.02, correlation="static"),
    Dephasing(0.03, "all", correlation=5.0),
    Dephasing(0.04, {0: 1.0, 1: -0.5}, correlation={"one_over_f": [1.0, 1000.0]}, layers=(0, 1)),
    Dephasing(0.05, correlation=[[0.75, 2.5], [0.25, math.inf]], gate="rzz", on=(0, 1)),
    Dephasing(0.06, correlation=math.inf),
)


def test_toml_json_and_python_say_the_same_and_plain_data_reads_back(tmp_path):
    (tmp_path / "lab.toml").write_text(TOML, encoding="utf-8")
    toml = NoiseModel.from_file(tmp_path / "lab.toml")
    assert toml.dephasing == TERMS
    text = json.dumps(toml.to_dict(), allow_nan=False)  # JSON has no infinity
    (tmp_path / "lab.json").write_text(text, encoding="utf-8")
    assert NoiseModel.from_file(tmp_path / "lab.json").dephasing == TERMS
    assert [t.get("correlation") for t in toml.to_dict()["dephasing"]][:3] == [None, "static", 5.0]
    assert toml.to_dict()["dephasing"][4]["correlation"] == [[0.75, 2.5], [0.25, "inf"]]


_TIMES = st.floats(1e-3, 1e6) | st.just(math.inf)
CORRELATIONS = st.lists(st.tuples(st.floats(1e-6, 1e6), _TIMES), min_size=1, max_size=8)


@given(CORRELATIONS)
def test_any_correlation_is_normalised_once_and_survives_the_round_trip(pairs):
    term = Dephasing(0.1, {0: 1.0}, correlation=pairs)
    weights, times = zip(*term.correlation, strict=True)
    assert math.fsum(weights) == pytest.approx(1, abs=1e-14)
    assert list(times) == sorted(set(times))
    assert replace(term, rate=0.2).correlation == term.correlation
    data = json.loads(json.dumps(NoiseModel(dephasing=[term]).to_dict(), allow_nan=False))
    assert NoiseModel.from_dict(data).dephasing == (term,)


def test_short_specification_of_static_noise_is_one_process_a_qubit():
    model = NoiseModel.from_string("static:0.02+dephasing:0.01")
    assert model.dephasing == (Dephasing(0.02, "each", correlation="static"), Dephasing(0.01))
    for text in ("static", "static:", "static:much"):
        with pytest.raises(NoiseError, match=r"cannot read the noise specification.*static:RATE"):
            NoiseModel.from_string(text)
    with pytest.raises(NoiseError, match="must not be negative"):
        NoiseModel.from_string("static:-0.1")


@pytest.mark.parametrize(
    ("correlation", "text"),
    [
        ("slow", r"dephasing\[0\]: dephasing correlation must be 'white', 'static', a time .* pairs, got 'slow'"),
        (0, "a time in slots > 0, .* got 0"),
        (-2.0, "a time in slots > 0, .* got -2.0"),
        (math.nan, "a time in slots > 0, .* got nan"),
        (True, "dephasing correlation must be 'white', 'static', .* got True"),
        (b"static", "dephasing correlation must be 'white'"),
        ({}, r"must have the one key '1/f' \(or 'one_over_f'\), got the keys \[\]"),
        ({"1/g": [1, 2]}, r"must have the one key '1/f' \(or 'one_over_f'\), got the keys \['1/g'\]"),
        ({"1/f": [1, 2], "one_over_f": [1, 2]}, r"must have the one key .*\['1/f', 'one_over_f'\]"),
        ({"1/f": 10}, r"'1/f' must be \[shortest, longest\], finite times in slots, 0 < shortest < longest, got 10"),
        ({"1/f": "12"}, "'1/f' must be .* got '12'"),
        ({"1/f": [1, 2, 3]}, r"'1/f' must be .* got \[1, 2, 3\]"),
        ({"1/f": [10, 1]}, r"'1/f' must be .* got \[10, 1\]"),
        ({"1/f": [3, 3]}, r"'1/f' must be .* got \[3, 3\]"),
        ({"1/f": [0, 10]}, r"'1/f' must be .* got \[0, 10\]: each must be a number > 0, got 0"),
        ({"1/f": [1, "inf"]}, r"'1/f' must be .* Add a quasi-static part as a term of its own"),
        ([], "needs at least one .* pair, got an empty list"),
        ([1, 5], r"correlation\[0\] must be a pair \[weight, time in slots\], got 1"),
        ([[1, 5], [1]], r"correlation\[1\] must be a pair .* got \[1\]"),
        ([[1, 5], "ab"], r"correlation\[1\] must be a pair .* got 'ab'"),
        ([[0, 5]], r"correlation\[0\]: the weight must be a finite number > 0, got 0"),
        ([[-1, 5]], r"correlation\[0\]: the weight must be a finite number > 0, got -1"),
        ([[math.inf, 5]], "the weight must be a finite number > 0, got inf"),
        ([["1", 5]], "the weight must be a finite number > 0, got '1'"),
        ([[True, 5]], "the weight must be a finite number > 0, got True"),
        ([[1, 5], [1, -5]], r"correlation\[1\]: the time must be a number of slots > 0, 'inf' or 'static', got -5"),
        ([[1, "slow"]], "the time must be a number of slots > 0, 'inf' or 'static', got 'slow'"),
    ],
)
def test_malformed_correlations_are_refused_by_place_and_reason(correlation, text):
    with pytest.raises(NoiseError, match=text):
        NoiseModel.from_dict({"dephasing": [{"rate": 0.1, "correlation": correlation}]})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rate": 0.0}, "rate of a phase process must be > 0"),
        ({"rate": -1.0}, "rate of a phase process must not be negative"),
        ({"correlation": None}, "needs a correlation; white noise is a Dephasing term"),
        ({"correlation": ((1.0, -1.0),)}, "the time must be a number of slots > 0"),
        ({"pairs": ()}, "needs weights that are not 0"),
        ({"pairs": ((0, 0.0),)}, "needs weights that are not 0"),
        ({"amplitudes": (0.1, math.nan)}, "amplitudes of a phase process must be finite and >= 0"),
    ],
)
def test_impossible_processes_are_refused(change, text):
    with pytest.raises(NoiseError, match=text):
        replace(PhaseProcess(((0, 1.0),), 0.1, STATIC, (0.1,)), **change)


# -- what acts where -----------------------------------------------------------------------------------------------


def test_correlated_terms_are_in_no_slot_and_white_ones_in_no_process():
    model = NoiseModel(dephasing=[{"rate": 0.01}, {"rate": 0.04, "correlation": "static"}])
    problem = eq.Problem(CIRCUIT, readout="Z1", noise=model)
    assert all(slot.dephasing == tuple(Dephasing(0.01, {q: 1.0}) for q in range(4)) for slot in problem.slots)
    assert problem.processes == tuple(PhaseProcess(((q, 1.0),), 0.04, STATIC, (0.2,) * 3) for q in range(4))
    assert problem.with_readout("Z2").processes is problem.processes
    with pytest.raises(NoiseError, match=r"white noise only, got dephasing 0.1 D\[Z0\], static.*NoiseModel.processes"):
        Slot((Dephasing(0.1, {0: 1.0}, correlation="static"),))


def test_weights_choose_one_process_a_qubit_or_one_for_all():
    assert [p.pairs for p in processes([{"rate": 0.1, "correlation": 3}])] == [((q, 1.0),) for q in range(4)]
    (one,) = processes([{"rate": 0.1, "correlation": 3, "weights": "all"}])
    assert one.pairs == tuple((q, 1.0) for q in range(4))
    (one,) = processes([{"rate": 0.1, "correlation": 3, "weights": {2: -0.5, 0: 1, 1: 0.0}}])
    assert one.pairs == ((0, 1.0), (2, -0.5))
    assert one.qubits == (0, 2)


def test_equal_terms_are_independent_processes():
    entry = {"rate": 0.1, "weights": {0: 1.0}, "correlation": "static"}
    assert len(processes([entry, entry])) == 2


def test_layers_and_gates_choose_the_slots():
    entry = {"rate": 0.04, "weights": {0: 1.0}, "correlation": "static"}
    (one,) = processes([{**entry, "layers": [2, 0]}])
    assert one.amplitudes == (0.2, 0.0, 0.2)
    # qubit 0 has an RZZ on the even bonds only: layers 0 and 2
    (one,) = processes([{**entry, "gate": "rzz"}])
    assert one.amplitudes == (0.2, 0.0, 0.2)
    (one,) = processes([{**entry, "weights": {1: 1.0}, "gate": "rzz", "on": [2, 1]}])
    assert one.amplitudes == (0.0, 0.2, 0.0)
    each = processes([{**entry, "weights": "each", "gate": "rzz"}])
    assert [p.amplitudes for p in each] == [(0.2, q in (1, 2) and 0.2, 0.2) for q in range(4)]


def test_two_gates_in_a_layer_double_the_phase_and_not_the_rate():
    """White noise acts independently at both gates (rate 2 r); one process acts with twice the phase (rate 4 r)."""
    circuit = QuantumCircuit(2)
    a, b, c = ParameterVector("t", 3)
    circuit.append(XXPlusYYGate(a), [0, 1])
    circuit.rzz(b, 0, 1)
    circuit.append(XXPlusYYGate(c), [1, 0])
    circuit.barrier()
    circuit.rz(0.1, 1)
    entry = {"rate": 0.04, "weights": {0: 1.0}, "correlation": 3, "gate": "xx_plus_yy"}
    (one,) = processes([entry], circuit)
    assert one.amplitudes == (0.4, 0.0)
    assert one.rate == 0.04
    described = lines(NoiseModel(dephasing=[entry]), circuit)
    assert described == {0: ["dephasing 0.04 D[Z0], correlated over 3 slots, 2 times (phases add)"], 1: ["nothing"]}


def test_process_of_a_gate_is_that_of_the_gates_layers():
    by_gate, by_layer = (
        eq.Problem(CIRCUIT, readout="Z1", noise={"dephasing": [{"rate": 0.1, "weights": {0: 1.0}, **place}]})
        for place in (
            {"correlation": {"1/f": [1, 50]}, "gate": "rzz"},
            {"correlation": {"1/f": [1, 50]}, "layers": [0, 2]},
        )
    )
    assert by_gate.processes == by_layer.processes


def test_processes_of_no_rate_or_no_place_are_left_out_and_idle_ones_said():
    entry = {"rate": 0.1, "correlation": "static"}
    assert processes([{**entry, "rate": 0.0}]) == ()
    assert processes([{**entry, "weights": {0: 0.0}}]) == ()
    assert processes([{**entry, "layers": []}]) == ()
    assert processes([{**entry, "gate": "cz"}]) == ()
    problem = eq.Problem(CIRCUIT, readout="Z1", noise={"dephasing": [{**entry, "gate": "cz"}]})
    warning = "1 noise terms are tied to gates that the circuit does not have: dephasing 0.1 D[Z] on each qubit, static"
    assert any(text.startswith(warning) for text in problem.warnings)
    placed = eq.Problem(CIRCUIT, readout="Z1", noise={"dephasing": [{**entry, "gate": "rzz"}]})
    assert not any("tied to gates" in text for text in placed.warnings)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"weights": {4: 1.0}}, r"acts on qubit 4, but the circuit has qubits 0\.\.3"),
        ({"layers": [3]}, r"names layer 3, but the circuit has layers 0\.\.2"),
    ],
)
def test_processes_off_the_circuit_are_refused(entry, text):
    with pytest.raises(NoiseError, match=text):
        processes([{"rate": 0.1, "correlation": "static", **entry}])


# -- what it means -------------------------------------------------------------------------------------------------


@given(CORRELATIONS, st.integers(1, 12))
def test_covariance_is_that_of_a_process(pairs, depth):
    process = PhaseProcess(((0, 1.0),), 0.1, pairs, (0.1,) * depth)
    values = [process.covariance(k) for k in range(depth)]
    assert values[0] == pytest.approx(1, abs=1e-14)
    assert values == sorted(values, reverse=True)
    matrix = np.array([[values[abs(i - j)] for j in range(depth)] for i in range(depth)])
    # rounding of eigenvalues up to 12
    assert np.linalg.eigvalsh(matrix).min() > -1e-13


def test_covariance_is_a_sum_of_exponentials_and_a_constant():
    process = PhaseProcess(((0, 1.0),), 0.1, ((0.75, 5.0), (0.25, math.inf)), (0.1,))
    assert process.covariance(2) == pytest.approx(0.75 * math.exp(-0.4) + 0.25, abs=1e-15)


# rates and scales up to 1: with 150 nodes the quadrature holds for phases up to about 15 xi, the largest here is 12 xi
@given(
    st.floats(0.001, 1),
    st.lists(st.sampled_from([1.0, -0.5, 2.0, 0.3]), min_size=1, max_size=3),
    st.floats(0, 1),
    st.sampled_from(["static", 2.0, {"1/f": [1, 100]}]),
)
def test_one_slot_alone_is_white_dephasing_of_the_same_rate(rate, weights, scale, correlation):
    """E exp(-i sqrt(s) a xi K) rho exp(i ...) by Gauss-Hermite quadrature against exp(-s rate (k_x - k_y)^2 / 2)."""
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(ParameterVector("t", 1)[0]), [0, 1])
    entry = {"rate": rate, "weights": dict(enumerate(weights)), "correlation": correlation}
    (process,) = processes([entry], circuit)
    levels = np.array([sum(w * (1 - 2 * (x >> q & 1)) for q, w in process.pairs) for x in range(8)])
    nodes, shares = np.polynomial.hermite_e.hermegauss(150)
    phases = np.exp(-1j * math.sqrt(scale) * process.amplitudes[0] * nodes[:, None] * levels)
    average = np.einsum("g,gx,gy->xy", shares / shares.sum(), phases, phases.conj())
    white = np.exp(-scale * rate * np.subtract.outer(levels, levels) ** 2 / 2)
    np.testing.assert_allclose(average, white, atol=1e-10)


# -- what is said --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correlation", "text"),
    [
        (None, ""),
        ("static", ", static"),
        (5, ", correlated over 5 slots"),
        ({"1/f": [1, 1000]}, ", correlated over 1 to 1000 slots (7 components)"),
        ([[1, 5], [1, "inf"]], ", correlated over 5 slots and static (2 components)"),
        ([[1, 5], [1, 20], [1, "inf"]], ", correlated over 5 to 20 slots and static (3 components)"),
    ],
)
def test_description_of_a_term_names_its_correlation(correlation, text):
    assert Dephasing(0.01, {0: 1.0}, correlation=correlation).describe() == "dephasing 0.01 D[Z0]" + text


def test_description_lists_a_process_in_each_slot_where_it_acts_after_white_dephasing():
    model = NoiseModel(
        dephasing=[
            {"rate": 0.02, "weights": {0: 1.0, 3: -0.5}, "correlation": "static", "layers": [0, 2]},
            {"rate": 0.01, "weights": {1: 1.0}},
        ],
        relaxation=[{"qubit": 2, "down": 0.01}],
    )
    white, relaxation = "dephasing 0.01 D[Z1]", "relaxation of qubit 2: down 0.01, up 0"
    static = "dephasing 0.02 D[Z0 - 0.5 Z3], static"
    assert lines(model) == {0: [white, static, relaxation], 1: [white, relaxation], 2: [white, static, relaxation]}
    assert model.describe(eq.Problem(CIRCUIT, readout="Z1", noise=model)) == model.describe(CIRCUIT)
    assert model.describe().splitlines()[0] == static + ", layers 0, 2"
