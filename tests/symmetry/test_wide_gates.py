"""Gates on more than two qubits, and exponentials of Pauli sums: read exactly, or refused for what they really do."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import (
    CCZGate,
    CSwapGate,
    HamiltonianGate,
    PauliEvolutionGate,
    RXGate,
    UnitaryGate,
    XXPlusYYGate,
)
from qiskit.quantum_info import SparseObservable, SparsePauliOp, Statevector
from scipy.linalg import expm
from scipy.stats import unitary_group

import equinoise as eq
from equinoise.errors import CircuitError, SymmetryError
from equinoise.reduction.program import compile_problem

T = Parameter("t")
DOUBLE = SparsePauliOp.from_sparse_list(
    # a_0^dag a_1^dag a_2 a_3 + h.c. of hard-core bosons: eight strings that commute
    [("XXXX", [0, 1, 2, 3], 1.0), ("YYYY", [0, 1, 2, 3], 1.0)]
    + [(letters, [0, 1, 2, 3], 1.0) for letters in ("XYXY", "XYYX", "YXXY", "YXYX")]
    + [(letters, [0, 1, 2, 3], -1.0) for letters in ("XXYY", "YYXX")],
    num_qubits=4,
)


def conserving_unitary(num_qubits):
    charge = np.array([x.bit_count() for x in range(2**num_qubits)])
    out = np.zeros((len(charge), len(charge)), dtype=complex)
    for q in range(num_qubits + 1):
        inside = np.flatnonzero(charge == q)
        out[np.ix_(inside, inside)] = unitary_group.rvs(len(inside), random_state=q) if len(inside) > 1 else 1.0
    return out


def hopping_around(gate, num_qubits):
    circuit = QuantumCircuit(num_qubits)
    circuit.append(XXPlusYYGate(T), [0, 1])
    circuit.append(gate, range(num_qubits))
    circuit.append(XXPlusYYGate(0.4), [0, 1])
    return circuit


WIDE = {
    "double excitation": (PauliEvolutionGate(DOUBLE, 0.3), 4),
    "free double excitation": (PauliEvolutionGate(DOUBLE, Parameter("u")), 4),
    "unitary": (UnitaryGate(conserving_unitary(3)), 3),
    "ccz": (CCZGate(), 3),
    "cswap": (CSwapGate(), 3),
}


@pytest.mark.parametrize("name", WIDE)
def test_a_conserving_gate_on_more_than_two_qubits_is_one_block_in_charge_sectors(name):
    gate, n = WIDE[name]
    circuit = hopping_around(gate, n)
    problem = eq.Problem(circuit, "Z1", "neel")
    assert tuple(range(n)) in [block.qubits for layer in problem.layers for block in layer.blocks]
    assert not compile_problem(problem).full
    theta = np.linspace(0.4, 0.9, circuit.num_parameters)
    state = Statevector.from_label("0101"[-n:]).evolve(circuit.assign_parameters(theta))
    exact = state.expectation_value(SparsePauliOp.from_sparse_list([("Z", [1], 1.0)], num_qubits=n)).real
    assert eq.gradient(problem, theta).value == pytest.approx(exact, abs=1e-10)


def test_a_breaking_gate_beside_a_wide_one_is_the_one_named():
    circuit = hopping_around(CCZGate(), 3)
    circuit.rx(0.2, 2)
    problem = eq.Problem(circuit, "Z0", "neel", allow_broken=True)
    assert [text.partition(" at ")[0] for text in problem.breaking] == ["gate 'rx'"]
    assert problem.breaking[0].endswith("breaks the charge sum_i (1 - Z_i)/2")


def test_wide_blocks_beside_breaking_gates_are_exact_in_the_full_space():
    circuit = hopping_around(CSwapGate(), 3)
    circuit.rx(0.2, 2)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XZX", "YZY"], [0.5, 0.5]), 0.7), [0, 1, 2])
    problem = eq.Problem(circuit, "Z0", "neel", allow_broken=True)
    value = (
        Statevector.from_label("101").evolve(circuit.assign_parameters([0.6])).expectation_value(SparsePauliOp("IIZ"))
    )
    assert eq.gradient(problem, [0.6]).value == pytest.approx(value.real, abs=1e-12)


def test_a_wide_gate_that_breaks_the_charge_is_said_to():
    inner = QuantumCircuit(3)
    inner.ccx(0, 1, 2)
    with pytest.raises(SymmetryError, match=r"gate 'ccrx' at position 2 .*\[0, 1, 2\] breaks the charge"):
        eq.Problem(inner.compose(hopping_around(RXGate(0.1).control(2), 3)), "Z0", "neel")


def test_a_gate_too_large_to_check_is_said_to_be():
    inner = QuantumCircuit(10)
    inner.rx(0.3, 0)
    inner.cz(8, 9)
    circuit = QuantumCircuit(10)
    circuit.append(inner.to_gate(), range(10))
    circuit.append(XXPlusYYGate(T), [0, 1])
    with pytest.raises(SymmetryError, match="too large to tell whether the whole keeps it"):
        eq.Problem(circuit, "Z0", "neel")
    with pytest.raises(SymmetryError, match="its parts break the sum of Z on 0-9"):
        eq.Problem(circuit, "Z0", "neel", symmetry="charges:0-9")


def test_a_wide_block_keeps_other_symmetries_as_a_whole():
    circuit = hopping_around(CCZGate(), 3)
    parity = eq.Problem(circuit, "Z0", "neel", symmetry="parity")
    charge = eq.Problem(circuit, "Z0", "neel")
    assert eq.gradient(parity, [0.7]).gradient == pytest.approx(eq.gradient(charge, [0.7]).gradient, abs=1e-12)


# -- exponentials --------------------------------------------------------------------------------------------------

PAIR = SparsePauliOp(["XX", "YY", "ZI"], [0.5, 0.5, 0.7])


def exact(operator, time, readout, bits):
    """<O> in exp(-i t H)|bits> behind a hop, by dense matrices."""
    n = operator.num_qubits
    start = QuantumCircuit(n)
    start.append(XXPlusYYGate(0.8), [0, 1])
    state = Statevector.from_label(bits).evolve(start).data
    state = expm(-1j * time * operator.to_matrix()) @ state
    return float(np.real(state.conj() @ SparsePauliOp.from_sparse_list([readout], num_qubits=n).to_matrix() @ state))


def evolved(gate, n, qubits=None):
    circuit = QuantumCircuit(n)
    circuit.append(XXPlusYYGate(0.8), [0, 1])
    circuit.append(gate, qubits or range(n))
    return circuit


@pytest.mark.parametrize("time", [1.3, -0.4])
def test_an_evolution_of_terms_that_do_not_commute_is_the_exact_exponential(time):
    """One Trotter step of it, which Qiskit's definition is, has another mean."""
    free = eq.Problem(evolved(PauliEvolutionGate(PAIR, 2 * T + 0.1), 2), "Z0", "01")
    bound = eq.Problem(evolved(PauliEvolutionGate(PAIR, 2 * time + 0.1), 2), "Z0", "01")
    value = exact(PAIR, 2 * time + 0.1, ("Z", [0], 1.0), "01")
    assert eq.gradient(free, [time]).value == pytest.approx(value, abs=1e-12)
    assert eq.expectation(bound, []).value == pytest.approx(value, abs=1e-12)
    step = 1e-5
    up, down = (exact(PAIR, 2 * (time + s) + 0.1, ("Z", [0], 1.0), "01") for s in (step, -step))
    # central difference: step^2 and rounding/step
    assert eq.gradient(free, [time]).gradient[0] == pytest.approx((up - down) / (2 * step), abs=1e-8)
    trotter = eq.expectation(
        eq.Problem(evolved(PauliEvolutionGate(PAIR, 2 * time + 0.1), 2).decompose(), "Z0", "01"), []
    )
    assert abs(trotter.value - value) > 0.01


@pytest.mark.parametrize(
    "operator",
    [
        SparsePauliOp.from_sparse_list([("ZZ", [0, 1], 0.3), ("ZZ", [0, 2], 0.5), ("Z", [3], 0.7)], 4),
        SparsePauliOp.from_sparse_list([("XX", [0, 1], 0.3), ("YY", [0, 1], 0.3), ("ZZ", [2, 3], 0.7)], 4),
        SparsePauliOp.from_sparse_list(
            [("XX", [0, 3], 0.3), ("YY", [0, 3], 0.3), ("Z", [0], 0.2), ("Z", [3], 0.6), ("ZZ", [1, 2], 0.7)], 4
        ),
        SparseObservable.from_list([("IIXX", 0.5), ("IIYY", 0.5), ("01II", 0.4), ("IIII", 0.3)]),
    ],
    ids=["ising", "two pairs", "fields", "projectors"],
)
def test_an_evolution_on_many_qubits_that_is_a_product_of_pairs_is_split_exactly(operator):
    dense = operator if isinstance(operator, SparsePauliOp) else SparsePauliOp.from_sparse_observable(operator)
    problem = eq.Problem(evolved(PauliEvolutionGate(operator, T), 4), "X0X1+Y0Y1", "0101")
    value = sum(exact(dense, 1.7, (letters, [0, 1], 1.0), "0101") for letters in ("XX", "YY"))
    assert eq.gradient(problem, [1.7]).value == pytest.approx(value, abs=1e-12)


def chain(n):
    terms = [(letters, [q, q + 1], 1.0) for q in range(n - 1) for letters in ("XX", "YY")]
    return SparsePauliOp.from_sparse_list(terms, n)


def test_an_evolution_on_a_chain_of_four_that_does_not_factor_is_one_block():
    problem = eq.Problem(evolved(PauliEvolutionGate(chain(4), T), 4), "Z0", "0101")
    assert eq.gradient(problem, [0.9]).value == pytest.approx(exact(chain(4), 0.9, ("Z", [0], 1.0), "0101"), abs=1e-12)


def test_an_evolution_on_a_longer_chain_is_refused_with_what_to_write():
    gate = PauliEvolutionGate(chain(5), T)
    for broken in (False, True):
        with pytest.raises(CircuitError, match=r"(?s)terms on 5 qubits that do not commute.*decompose") as error:
            eq.Problem(evolved(gate, 5), "Z0", "00101", allow_broken=broken)
        assert "breaks" not in str(error.value)
    assert eq.Problem(evolved(gate, 5).decompose("PauliEvolution"), "Z0", "00101").parameters


def test_a_hamiltonian_gate_with_a_free_time_is_read_as_its_exponential():
    problem = eq.Problem(evolved(HamiltonianGate(PAIR.to_matrix(), T), 2), "Z0", "01")
    assert eq.gradient(problem, [0.9]).value == pytest.approx(exact(PAIR, 0.9, ("Z", [0], 1.0), "01"), abs=1e-12)
    with pytest.raises(CircuitError, match="gate 'hamiltonian' at position 1"):
        eq.Problem(evolved(HamiltonianGate(np.diag(np.arange(8.0)), T), 3), "Z0", "101")
