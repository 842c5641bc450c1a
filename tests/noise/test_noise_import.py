"""Imported noise against Qiskit's own superoperators; the slot is rebuilt here from Lindblad operators."""

import sys
from functools import reduce

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector, Reset
from qiskit.quantum_info import PauliList, SparsePauliOp, SuperOp
from scipy.linalg import expm

import equinoise as eq
import equinoise.noise.terms as kinds
from equinoise.errors import NoiseError

from_aer = eq.NoiseModel.from_aer
from_pauli_lindblad = eq.NoiseModel.from_pauli_lindblad

aer = pytest.importorskip("qiskit_aer.noise")

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
LOWER = np.array([[0, 1], [0, 0]])  # |0><1|


def on(n, operators):
    """Operators {qubit: 2 x 2} on n qubits, qubit 0 least significant."""
    return reduce(np.kron, [operators.get(q, ONE) for q in reversed(range(n))])


def jump(k):
    """D[K] on column-stacked density matrices."""
    n, eye = k.conj().T @ k, np.eye(len(k))
    return np.kron(k.conj(), k) - (np.kron(eye, n) + np.kron(n.T, eye)) / 2


def depolarizing(n, qubits):
    """r -> Tr_A(r) (x) 1/d - r as the mean over all Pauli strings on A."""
    strings = [{}]
    for q in qubits:
        strings = [{**s, q: p} for s in strings for p in (ONE, X, Y, Z)]
    return sum(np.kron(on(n, s).conj(), on(n, s)) for s in strings) / len(strings) - np.eye(4**n)


def generator(term, n):
    if isinstance(term, kinds.Dephasing):
        return term.rate * jump(sum(w * on(n, {q: Z}) for q, w in term.weights))
    if isinstance(term, kinds.Relaxation):
        lower = on(n, {term.qubit: LOWER})
        return term.down * jump(lower) + term.up * jump(lower.T)
    if isinstance(term, kinds.Depolarizing):
        return term.rate * depolarizing(n, term.qubits)
    return term.rate * jump(on(n, {q: {"X": X, "Y": Y, "Z": Z}[p] for q, p in term.pauli}))


def slot(model, n):
    """exp(pauli) exp(depolarizing) exp(relaxation) exp(dephasing)."""
    total = np.eye(4**n)
    for terms in (model.dephasing, model.relaxation, model.depolarizing, model.pauli):
        total = expm(sum((generator(t, n) for t in terms), np.zeros((4**n, 4**n)))) @ total
    return total


def aer_model(error, name, qubits):
    model = aer.NoiseModel()
    model.add_quantum_error(error, name, list(qubits))
    return model


# -- Pauli-Lindblad ----------------------------------------------------------------------------------------------


def test_bit_and_bit_phase_flips_together_are_twice_decay_and_excitation():
    assert np.allclose(jump(X) + jump(Y), 2 * jump(LOWER) + 2 * jump(LOWER.T), atol=1e-15)


@pytest.mark.parametrize("as_source", ["map", "pairs", "labels", "paulis", "operator", "mapping"])
def test_every_source_gives_the_channel_of_the_pauli_lindblad_generator(as_source):
    labels, rates = ["IIZ", "IXI", "IYI", "ZZI", "XIY", "YII", "ZXZ"], [0.03, 0.05, 0.02, 0.01, 0.004, 0.006, 0.002]
    source, given = {
        "map": lambda: (pauli_lindblad_map(labels, rates), None),
        "pairs": lambda: (list(zip(labels, rates, strict=True)), None),
        "labels": lambda: (labels, rates),
        "paulis": lambda: (PauliList(labels), rates),
        "operator": lambda: (SparsePauliOp(labels, rates), None),
        "mapping": lambda: (dict(zip(labels, rates, strict=True)), None),
    }[as_source]()
    exact = expm(sum(r * jump(matrix(label)) for label, r in zip(labels, rates, strict=True)))
    assert np.allclose(slot(from_pauli_lindblad(source, given), 3), exact, atol=1e-13)


def pauli_lindblad_map(labels, rates):
    quantum_info = pytest.importorskip("qiskit.quantum_info")
    if not hasattr(quantum_info, "PauliLindbladMap"):
        pytest.skip("this Qiskit has no PauliLindbladMap")
    return quantum_info.PauliLindbladMap.from_list(list(zip(labels, rates, strict=True)))


def matrix(label):
    return reduce(np.kron, [{"I": ONE, "X": X, "Y": Y, "Z": Z}[p] for p in label])


def test_pauli_fidelities_are_those_that_qiskits_map_states():
    labels, rates = ["IZ", "XX", "ZZ", "YI"], [0.03, 0.05, 0.02, 0.01]
    lindblad = pauli_lindblad_map(labels, rates)
    channel = slot(from_pauli_lindblad(lindblad), 2)
    for index in range(lindblad.num_terms):
        string = lindblad.get_qubit_sparse_pauli_list_copy()[index]
        pauli = matrix(labels[index])
        ours = np.trace(pauli @ (channel @ pauli.ravel(order="F")).reshape(4, 4, order="F")).real / 4
        assert ours == pytest.approx(lindblad.pauli_fidelity(string), abs=1e-13)


def test_strings_are_sorted_into_the_kinds_that_keep_most_symmetry():
    model = from_pauli_lindblad(["IZ", "IX", "IY", "XI", "YI", "ZZ"], [0.1, 0.2, 0.2, 0.3, 0.1, 0.05], layers=[1])
    assert model.dephasing == (kinds.Dephasing(0.1, ((0, 1.0),), layers=(1,)),)
    assert [(t.qubit, t.down, t.up) for t in model.relaxation] == [(0, 0.4, 0.4), (1, 0.2, 0.2)]
    assert {t.label: t.rate for t in model.pauli} == pytest.approx({"X1": 0.2, "Z0Z1": 0.05})
    assert "1 dephasing, 2 relaxation (down = up, from X with Y), 1 Z-type jumps, 1 jumps with X or Y" in model.notes[0]
    assert "break the charge" in model.notes[1]


def test_rounding_between_equal_x_and_y_rates_leaves_no_symmetry_breaking_jump():
    model = from_pauli_lindblad(["X", "Y"], [0.1 + 0.2, 0.3])
    assert model.pauli == ()
    assert len(model.notes) == 1


def test_gate_placement_is_passed_on_to_every_term():
    model = from_pauli_lindblad(["IZ", "XX"], [0.1, 0.2], gate="rzz", on=[0, 1])
    assert {(t.gate, t.on) for t in model.terms} == {("rzz", (0, 1))}


def test_identity_string_generates_nothing_and_is_noted():
    model = from_pauli_lindblad(["II"], [0.3])
    assert model.terms == ()
    assert "identity" in model.notes[-1]


@pytest.mark.parametrize(
    ("source", "rates", "text"),
    [
        (["IZ"], [-0.1], r"rate of Z0 must not be negative, got -0\.1\. A Lindblad generator needs rates >= 0"),
        (["ZX"], [float("nan")], "rate of X0Z1 must be finite, got nan"),
        (["IZ"], ["much"], "rate of Z0 must be a number, got 'much'"),
        (["IZ", "ZZ"], [0.1], "2 Pauli strings but 1 rates"),
        (["IZ"], None, "come without rates"),
        ([("IZ", 0.1)], [0.1], "rates of their own"),
        (["IQ"], [0.1], "label must consist of I, X, Y, Z with qubit 0 rightmost.*'IQ'"),
        (["Z", "ZZ"], [0.1, 0.1], r"one letter per qubit, got lengths \[1, 2\]"),
        ("ZZ", [0.1], "takes a PauliLindbladMap"),
        (SparsePauliOp(["Z"], [0.1j]), None, "rate of Z0 must be real"),
    ],
)
def test_malformed_pauli_lindblad_input_is_refused_with_the_reason(source, rates, text):
    with pytest.raises(NoiseError, match=text):
        from_pauli_lindblad(source, rates)


# -- Aer: channels -----------------------------------------------------------------------------------------------


def thermal(t1=50e3, t2=70e3, excited=0.0):
    return aer.thermal_relaxation_error(t1, t2, 300, excited)


def pauli_channel(*entries):
    return aer.pauli_error([*entries, ("I" * len(entries[0][0]), 1 - sum(p for _, p in entries))])


ONE_QUBIT = {
    "phase damping": lambda: aer.phase_damping_error(0.02),
    "amplitude damping": lambda: aer.amplitude_damping_error(0.02, 0.1),
    "depolarizing": lambda: aer.depolarizing_error(0.01, 1),
    "T2 < T1": lambda: thermal(70e3, 50e3, 0.05),
    "T2 > T1": thermal,
    "bit flip": lambda: pauli_channel(("X", 0.02)),
    "thermal, then depolarizing": lambda: thermal().compose(aer.depolarizing_error(0.01, 1)),
    "depolarizing, then thermal": lambda: aer.depolarizing_error(0.01, 1).compose(thermal()),
    "thermal, then bit flip": lambda: thermal().compose(pauli_channel(("X", 0.02))),
    "bit flip, then thermal": lambda: pauli_channel(("X", 0.02)).compose(thermal(80e3, 30e3, 0.3)),
    "weak reset": lambda: aer.reset_error(0.02, 0.01),
}
TWO_QUBIT = {
    "depolarizing": lambda: aer.depolarizing_error(0.01, 2),
    "correlated phase flip": lambda: pauli_channel(("ZZ", 0.02)),
    "correlated flip": lambda: pauli_channel(("XY", 0.02)),
    "two thermals": lambda: thermal().expand(thermal(80e3, 30e3, 0.1)),
    "thermal, then depolarizing": lambda: (
        thermal().expand(thermal(80e3, 30e3)).compose(aer.depolarizing_error(0.02, 2))
    ),
    "unequal depolarizing": lambda: aer.depolarizing_error(0.02, 1).tensor(aer.depolarizing_error(0.001, 1)),
}


@pytest.mark.parametrize("name", ONE_QUBIT)
def test_one_qubit_aer_error_is_reproduced_as_a_superoperator(name):
    error = ONE_QUBIT[name]()
    model = from_aer(aer_model(error, "rz", [0]))
    assert np.linalg.norm(slot(model, 1) - SuperOp(error).data) < 1e-8
    assert {(t.gate, t.on) for t in model.terms} == {("rz", (0,))}


@pytest.mark.parametrize("name", TWO_QUBIT)
@pytest.mark.parametrize("qubits", [(0, 1), (1, 0)])
def test_two_qubit_aer_error_is_reproduced_as_a_superoperator_on_its_qubits(name, qubits):
    error = TWO_QUBIT[name]()
    model = from_aer(aer_model(error, "rzz", qubits))
    exact = SuperOp(np.eye(16)).compose(SuperOp(error), qargs=list(qubits)).data
    assert np.linalg.norm(slot(model, 2) - exact) < 1e-8


def test_simple_errors_become_the_one_term_that_they_are():
    pair = from_aer(aer_model(aer.depolarizing_error(0.01, 2), "rzz", [2, 5]))
    assert [(t.qubits, t.gate, t.on) for t in pair.terms] == [((2, 5), "rzz", (2, 5))]
    assert pair.depolarizing[0].rate == pytest.approx(-np.log(0.99))
    damping = from_aer(aer_model(aer.amplitude_damping_error(0.02), "rz", [3]))
    assert [(t.qubit, t.up) for t in damping.terms] == [(3, 0.0)]
    assert damping.relaxation[0].down == pytest.approx(-np.log(0.98))
    phase = from_aer(aer_model(aer.phase_damping_error(0.02), "rz", [3]))
    assert np.exp(-2 * phase.dephasing[0].rate) == pytest.approx(np.sqrt(0.98))


def test_equal_x_and_y_flips_stay_in_the_weak_symmetry_class():
    model = from_aer(aer_model(pauli_channel(("X", 0.02), ("Y", 0.02), ("Z", 0.01)), "rz", [0]))
    assert model.pauli == ()


def test_order_that_a_slot_cannot_hold_is_refused_and_a_tolerance_accepts_it_with_its_distance():
    error = aer.depolarizing_error(0.01, 2).compose(thermal().tensor(thermal()))
    source = aer_model(error, "rzz", [0, 1])
    with pytest.raises(NoiseError, match=r"no sequence of the supported terms.*thermal relaxation first.*tolerance"):
        from_aer(source)
    model = from_aer(source, tolerance=1e-3)
    missed = np.linalg.norm(slot(model, 2) - SuperOp(error).data)
    assert 1e-8 < missed < 1e-3
    assert not any("X" in t.label or "Y" in t.label for t in model.pauli)
    assert f"off by at most {missed:.1g}" in model.notes[0]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (lambda: aer.coherent_unitary_error(np.diag([1, np.exp(0.1j)])), r"gate 'g' on qubits \[0\].*rotates about Z "),
        (lambda: aer.coherent_unitary_error(expm(-0.05j * np.kron(X, X))), r"rotates about XX "),
        (lambda: aer.reset_error(0.5, 0.5), "no finite rates: it erases or flips"),
        (lambda: aer.depolarizing_error(4 / 3, 1), "no finite rates"),
        (lambda: pauli_channel(("X", 0.02)).compose(thermal()), "no sequence of the supported terms"),
        (lambda: pauli_channel(("X", 0.02), ("Z", 0.02)), r"the closest fit misses it by .* Nothing was dropped"),
        (lambda: pauli_channel(("XXX", 0.02)), "acts on 3 qubits; errors on one or two qubits"),
    ],
)
def test_aer_error_that_no_term_represents_is_refused_with_gate_and_reason(error, text):
    built = error()
    with pytest.raises(NoiseError, match=text):
        from_aer(aer_model(built, "g", range(built.num_qubits)))


# -- Aer: placement ----------------------------------------------------------------------------------------------


def test_all_qubit_error_of_a_one_qubit_gate_holds_on_each_qubit():
    model = aer.NoiseModel()
    model.add_all_qubit_quantum_error(thermal(), ["rz"])
    found = from_aer(model)
    assert [(t.weights, t.gate, t.on) for t in found.dephasing] == [("each", "rz", None)]
    assert [(t.qubit, t.gate, t.on) for t in found.relaxation] == [("each", "rz", None)]
    assert "in the slot after that gate's layer" in found.notes[-1]


def test_all_qubit_flips_and_overridden_errors_need_the_number_of_qubits():
    model = aer.NoiseModel()
    model.add_all_qubit_quantum_error(pauli_channel(("X", 0.02)), ["rz"])
    with pytest.raises(NoiseError, match=r"Pauli jump X0, which needs explicit qubits.*num_qubits=n"):
        from_aer(model)
    model.add_quantum_error(aer.phase_damping_error(0.02), ["rz"], [1])
    with pytest.raises(NoiseError, match=r"other errors for it on some qubits.*num_qubits=n"):
        from_aer(model)
    found = from_aer(model, num_qubits=3)
    assert [t.label for t in found.pauli] == ["X0", "X2"]
    assert "Aer: the all-qubit error of 'rz' holds on qubits 0..2 only" in found.notes
    assert [t.qubits for t in found.dephasing] == [(1,)]


def test_all_qubit_error_of_a_two_qubit_gate_needs_pairs_and_respects_local_ones():
    model = aer.NoiseModel()
    model.add_all_qubit_quantum_error(aer.depolarizing_error(0.01, 2), ["rzz"])
    with pytest.raises(NoiseError, match=r"all-qubit error on the two-qubit gate 'rzz'.*pairs=\[\(0, 1\)"):
        from_aer(model)
    model.add_quantum_error(aer.depolarizing_error(0.2, 2), ["rzz"], [2, 1])
    with pytest.raises(NoiseError, match=r"on qubits \[2, 1\] and, by its all-qubit error, another on \[1, 2\]"):
        from_aer(model, pairs=[(0, 1), (1, 2), (2, 3)])  # Aer has 0.2 on (2, 1) and 0.01 on (1, 2)
    found = from_aer(model, pairs=[(0, 1), (2, 1), (2, 3)])
    assert "Aer: the all-qubit error of 'rzz' holds on the pairs given only: 0-1, 2-1, 2-3" in found.notes
    assert {t.qubits: round(1 - np.exp(-t.rate), 12) for t in found.depolarizing} == {
        (0, 1): 0.01,
        (1, 2): 0.2,
        (2, 3): 0.01,
    }


def test_both_directions_of_a_gate_count_once_and_must_agree():
    error = thermal().tensor(thermal(80e3, 30e3))
    model = aer_model(error, "cx", [0, 1])
    model.add_quantum_error(thermal(80e3, 30e3).tensor(thermal()), "cx", [1, 0])
    assert [t.qubit for t in from_aer(model).relaxation] == [0, 1]
    other = aer_model(error, "cx", [0, 1])
    other.add_quantum_error(error, "cx", [1, 0])
    with pytest.raises(NoiseError, match=r"gate 'cx' differs between qubits \[0, 1\] and \[1, 0\]"):
        from_aer(other)


@pytest.mark.parametrize("seed", range(4))
def test_every_error_of_an_aer_model_is_in_a_slot_or_named(seed):
    """Random models: every term is in a slot of a circuit that has all gates, and counted where a gate is missing."""
    rng = np.random.default_rng(seed)
    model = aer.NoiseModel()
    errors = [*ONE_QUBIT.values()], [*TWO_QUBIT.values()]
    for name, qubits in (("rx", [0]), ("rx", [1]), ("rzz", [0, 1])):
        error = errors[len(qubits) - 1][rng.integers(len(errors[len(qubits) - 1]))]()
        model.add_quantum_error(error, name, qubits)
        alone = from_aer(aer_model(error, name, qubits))
        found = [t for t in from_aer(model).terms if t.gate == name and t.on == tuple(qubits)]
        assert sorted(map(str, found)) == sorted(map(str, alone.terms))  # none is lost beside the others
    problem = eq.Problem(_one_of_each(), "Z1", noise=from_aer(model), allow_broken=True)
    held = [term for slot in problem.slots for term in slot.terms]
    assert len(held) == len(from_aer(model).terms)
    missing = eq.Problem(eq.circuits.brickwork(2, depth=1), "Z1", initial="neel", noise=from_aer(model))
    absent = sum(t.gate == "rx" for t in from_aer(model).terms)
    assert any(f"{absent} noise terms are tied to gates that the circuit does not have" in w for w in missing.warnings)


def _one_of_each():
    circuit = QuantumCircuit(2)
    angles = ParameterVector("a", 3)
    circuit.rx(angles[0], 0)
    circuit.rx(angles[1], 1)
    circuit.rzz(angles[2], 0, 1)
    return circuit


def test_readout_errors_are_probabilities_of_one_given_zero_and_zero_given_one():
    model = aer.NoiseModel()
    model.add_readout_error([[0.97, 0.03], [0.08, 0.92]], [1])
    assert dict(from_aer(model).readout_error) == {1: (0.03, 0.08)}
    model.add_all_qubit_readout_error([[0.9, 0.1], [0.2, 0.8]])
    with pytest.raises(NoiseError, match=r"all-qubit readout error.*num_qubits=n"):
        from_aer(model)
    assert "Aer: the all-qubit readout error holds on qubits 0..1 only" in from_aer(model, num_qubits=2).notes
    found = dict(from_aer(model, num_qubits=2).readout_error)
    assert found == {0: (0.1, pytest.approx(0.2)), 1: (0.03, 0.08)}


def test_correlated_readout_measurement_and_reset_errors_and_idling_passes_are_refused():
    correlated = aer.NoiseModel()
    correlated.add_readout_error(np.kron([[0.9, 0.1], [0.2, 0.8]], [[0.9, 0.1], [0.2, 0.8]]), [0, 1])
    with pytest.raises(NoiseError, match="correlated over 2 qubits"):
        from_aer(correlated)
    for name in ("measure", "reset"):
        with pytest.raises(NoiseError, match=f"quantum error on '{name}'; only gates can carry one"):
            from_aer(aer_model(aer.depolarizing_error(0.01, 1), name, [0]))
    idling = aer.NoiseModel()
    idling._custom_noise_passes.append(aer.RelaxationNoisePass([50e-6], [50e-6], 1e-9, Reset))
    with pytest.raises(NoiseError, match=r"noise passes.*NoiseModel\.from_backend"):
        from_aer(idling)


def test_what_is_no_aer_model_or_tolerance_is_refused(monkeypatch):
    with pytest.raises(NoiseError, match=r"takes a qiskit_aer\.noise\.NoiseModel, got str"):
        from_aer("noise")
    with pytest.raises(NoiseError, match="'tolerance' must be a positive number"):
        from_aer(aer.NoiseModel(), tolerance=-1.0)
    monkeypatch.setitem(sys.modules, "qiskit_aer.noise", None)
    with pytest.raises(NoiseError, match=r'pip install "equinoise\[ibm\]"'):
        from_aer("noise")
