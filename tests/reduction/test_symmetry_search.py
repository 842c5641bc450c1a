"""Detection: which symmetries circuit, readout, input and noise share, and who breaks the others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import CouplingMap

import equinoise as eq
from symmetric_problems import exchange_layers, hubbard_layers, ising_ring, mean_z, permutation_layers

PLUS = [[2**-0.5, 2**-0.5]]


def by_name(found):
    return {one.name: one for one in found.found}


@pytest.mark.parametrize(
    ("circuit", "readout", "initial", "noise", "shared", "suggestion"),
    [
        (eq.circuits.brickwork(6, 2), "Z3", "neel", "dephasing:0.1", {"charge", "parity"}, "charge"),
        (
            permutation_layers(5, 2),
            mean_z(5),
            "00000",
            "relaxation:0.1",
            {"permutation", "translation", "reflection"},
            "permutation",
        ),
        (
            ising_ring(6, 2),
            SparsePauliOp.from_sparse_list([("ZZ", [q, (q + 1) % 6], 1.0) for q in range(6)], 6),
            PLUS * 6,
            "dephasing:0.1",
            {"translation", "reflection", "parity:X"},
            "translation * parity:X",
        ),
        (
            exchange_layers(4, 2),
            "X0X1+Y0Y1+Z0Z1",
            "0011",
            "depolarizing:0.1",
            {"su2", "charge", "parity", "parity:X"},
            "su2",
        ),
        (
            hubbard_layers(6, 2),
            "Z0",
            "neel",
            "relaxation:0.1",
            {"charge", "charges:0-2|3-5", "parity", "Z0Z1Z2", "Z3Z4Z5"},
            "charges:0-2|3-5",
        ),
    ],
)
def test_known_ansaetze_have_their_known_symmetries(circuit, readout, initial, noise, shared, suggestion):
    found = eq.find_symmetries(circuit, readout, initial, noise)
    assert {one.name for one in found.found if one.shared} == shared
    assert found.suggestion == suggestion
    # what is suggested can be claimed
    eq.Problem(circuit, readout, initial, noise, symmetry=found.suggestion)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    ("circuit", "suggestion"),
    [
        (exchange_layers(4, 2), "su2"),
        (ising_ring(4, 2), "translation * parity:X"),
        (hubbard_layers(6, 1), "charges:0-2|3-5"),
        (permutation_layers(4, 1), "permutation"),
    ],
)
def test_compiled_circuits_have_the_symmetries_of_what_they_were_compiled_from(circuit, suggestion, level):
    compiled = transpile(circuit, basis_gates=["cx", "rz", "sx", "x", "h"], optimization_level=level)
    assert eq.find_symmetries(compiled, initial="0" * circuit.num_qubits).suggestion == suggestion


def test_culprits_are_named():
    circuit = permutation_layers(4, 1)
    circuit.rz(0.3, 2)
    noise = eq.NoiseModel(dephasing=[{"rate": 0.1 + 0.1 * (q == 0), "weights": {q: 1.0}} for q in range(4)])
    found = by_name(eq.find_symmetries(circuit, mean_z(4), "0000", noise))
    assert "gate 'rz' at position 15 (layer 1) on qubits [2] has no image Z" in found["permutation"].breaking_gates[0]
    assert found["permutation"].noise == "broken"
    assert found["permutation"].breaking_terms == ("dephasing 0.2 D[Z0]", "dephasing 0.1 D[Z1]")
    blocks = found["permutation:0,1,3"]
    assert (blocks.claimable, blocks.shared, blocks.noise) == (True, False, "broken")


def test_a_problem_without_readout_compares_circuit_input_and_noise():
    found = by_name(eq.find_symmetries(eq.circuits.brickwork(4, 2)))
    assert found["charge"].readout is None
    assert found["charge"].noise == "none"
    assert found["charge"].claimable


@given(st.lists(st.lists(st.sampled_from("IXYZ"), min_size=4, max_size=4), min_size=1, max_size=5))
@settings(max_examples=30)
def test_all_pauli_strings_that_commute_are_generated(strings):
    from equinoise.circuit.pauli_sums import commutator
    from equinoise.symmetry.own_symmetries import own_strings

    sums = [{tuple((q, p) for q, p in enumerate(s) if p != "I"): 1.0} for s in strings]
    generators = [s.generators[0].letters for s in own_strings(sums, 4)]
    assert not any(commutator({g: 1.0}, s) for g in generators for s in sums)
    # 2n - rank independent ones (own_strings says none when every qubit has one)
    import numpy as np

    rows = np.array([[p in "YZ" for p in s] + [p in "XY" for p in s] for s in strings], dtype=int)
    rank, matrix = 0, rows.copy()
    for column in range(8):
        pivots = [r for r in range(rank, len(matrix)) if matrix[r, column]]
        if pivots:
            matrix[[rank, pivots[0]]] = matrix[[pivots[0], rank]]
            for r in range(len(matrix)):
                if r != rank and matrix[r, column]:
                    matrix[r] = (matrix[r] + matrix[rank]) % 2
            rank += 1
    assert len(generators) == (8 - rank if 8 - rank < 4 else 0)


def test_the_table_is_plain_data():
    found = eq.find_symmetries(permutation_layers(4, 1), mean_z(4), "0000", "dephasing:0.1")
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["schema"] == "equinoise.symmetries/1"
    assert data["suggestion"] == "permutation"
    assert {row["name"] for row in data["symmetries"] if row["claimable"]} >= {"permutation", "translation"}


def test_ancillas_of_a_transpiled_circuit_are_counted_and_not_listed():
    circuit = transpile(
        eq.circuits.brickwork(3, depth=2),
        basis_gates=["rz", "sx", "x", "cz"],
        coupling_map=CouplingMap.from_line(6),
        optimization_level=1,
    )
    found = eq.find_symmetries(circuit)
    assert [one.name for one in found.found if one.name.startswith(("sum of", "permutation:"))] == []
    assert "no gate acts on 3 of the 6 qubits; symmetries of these alone are left out" in found.notes
    assert found.hidden_charge["found"]


def test_an_empty_or_symmetric_register_of_idle_qubits():
    circuit = QuantumCircuit(3)
    circuit.rx(0.3, 0)
    found = by_name(eq.find_symmetries(circuit, "Z0", "000"))
    assert not found["charge"].claimable
    assert found["permutation:1,2"].claimable
