"""Angles of any expression: made linear, they have the values and derivatives that they had."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from equinoise.circuit.angle_expressions import evaluated, linear_in_atoms
from equinoise.errors import ParameterError
from equinoise.model.row_angles import RowAngles

WEIGHTS = [Parameter(f"w{k}") for k in range(3)]
INPUTS = [Parameter(f"x{k}") for k in range(2)]


def random_expression(rng, depth=3):
    """A sum, product or function of parameters and numbers."""
    if depth == 0 or rng.random() < 0.2:
        pool = [*WEIGHTS, *INPUTS]
        leaf = pool[int(rng.integers(len(pool)))]
        return leaf * float(rng.uniform(0.3, 2)) if rng.random() < 0.5 else leaf + float(rng.uniform(-1, 1))
    one, two = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    kind = int(rng.integers(5))
    if kind == 0:
        return one * two
    if kind == 1:
        return one.sin() + two
    if kind == 2:
        return one - two.cos()
    return one + two if kind == 3 else one - 0.5 * two


@pytest.mark.parametrize("seed", range(12))
def test_values_and_derivatives_of_random_expressions_are_kept(seed):
    rng = np.random.default_rng(seed)
    angles = [random_expression(rng) for _ in range(6)]
    circuit = QuantumCircuit(1)
    for angle in angles:
        circuit.rz(angle, 0)
    found = linear_in_atoms(circuit)
    weights = [p for p in WEIGHTS if p in circuit.parameters]
    inputs = [p for p in INPUTS if p in circuit.parameters]
    rows = rng.uniform(-1, 1, (2, len(inputs)))
    compiled = list(found.circuit.parameters)
    angles_of_rows = RowAngles(compiled, weights, inputs, found.atoms, rows)
    theta = rng.uniform(-1, 1, len(weights))

    def stated(values, row):
        known = dict(zip(weights, values, strict=True)) | dict(zip(inputs, rows[row], strict=True))
        return np.array([evaluated(angle, known) for angle in angles])

    for row in range(2):
        here = angles_of_rows.at(theta, row)
        known = dict(zip(compiled, here.values, strict=True))
        linear = [item.operation.params[0] for item in found.circuit.data]
        np.testing.assert_allclose([evaluated(e, known) for e in linear], stated(theta, row), atol=1e-12)
        # dangle/dw = sum_phi dangle/dphi J_phi,w, against central differences of the stated angles
        by_phi = np.array(
            [[evaluated(e.gradient(p), known) if p in e.parameters else 0.0 for p in compiled] for e in linear]
        )
        step = 1e-3
        for k in range(len(weights)):
            shift = step * np.eye(len(weights))[k]
            near = stated(theta + shift, row) - stated(theta - shift, row)
            far = stated(theta + 2 * shift, row) - stated(theta - 2 * shift, row)
            expected = (8 * near - far) / (12 * step)
            np.testing.assert_allclose(by_phi @ here.jacobian()[:, k], expected, atol=1e-9)
        np.testing.assert_allclose(here.pulled_back(by_phi), by_phi @ here.jacobian(), atol=1e-13)


def test_an_expression_without_a_derivative_may_hold_inputs_but_no_weight():
    w, x = WEIGHTS[0], INPUTS[0]

    def angles(inside):
        circuit = QuantumCircuit(1)
        circuit.rz(inside.sign() + w, 0)
        found = linear_in_atoms(circuit)
        rows = RowAngles(list(found.circuit.parameters), [w], [x], found.atoms, np.array([[-0.5]]))
        return rows.at(np.array([0.3]), 0).values

    assert sorted(angles(x)) == [-1.0, 0.3]
    with pytest.raises(ParameterError, match="cannot be differentiated with respect to 'w0'"):
        angles(w)


def test_multiples_are_told_also_where_some_points_have_no_real_value():
    w, x = WEIGHTS[0], INPUTS[0]
    circuit = QuantumCircuit(1)
    for angle in (w * x.log(), 1 - 2 * w * x.log(), w * (x + 1).log()):
        circuit.rz(angle, 0)
    assert len(linear_in_atoms(circuit).atoms) == 2
