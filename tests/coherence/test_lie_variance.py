"""Variance from the Lie algebra: closed forms, quadrature over all angles, sampled angles, and when it is silent."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Statevector

import equinoise as eq
from equinoise.coherence.lie.lie_variance import lie_algebraic_check, lie_algebraic_variance
from equinoise.ensemble import periods
from equinoise.errors import UnsupportedError
from support import readout_matrix

pytest.importorskip("pennylane")

PLUS = [2**-0.5, 2**-0.5]
# dense matrices of dimension at most 40, some hundred products: rounding of order 1e-12
EXACT = 1e-9


def total(letter, n):
    return "+".join(f"{letter}{q}" for q in range(n))


def problem(circuit, readout, initial, **options):
    return eq.Problem(circuit, readout=readout, initial=initial, allow_broken=True, **options)


def bloch(depth):
    """RX, RY on one qubit, depth times."""
    theta = ParameterVector("t", 2 * depth)
    circuit = QuantumCircuit(1)
    for layer in range(depth):
        circuit.rx(theta[2 * layer], 0)
        circuit.ry(theta[2 * layer + 1], 0)
        circuit.barrier(label="layer")
    return circuit


def quadrature(case, points):
    """Mean and variance of C and E g_k^2 on a grid fine enough for the trigonometric polynomials, by Qiskit alone."""
    lengths = periods(case)
    values, squares = [], []
    operator = readout_matrix(case)
    start = Statevector(np.asarray(case.initial.statevector()))

    def value(theta):
        state = start.evolve(case.circuit.assign_parameters(theta)).data
        return float(np.vdot(state, operator @ state).real)

    axes = [np.arange(points) * length / points for length in lengths]
    table = np.array([value(theta) for theta in itertools.product(*axes)]).reshape([points] * len(axes))
    for k, length in enumerate(lengths):  # the derivative of a trigonometric polynomial, from its Fourier series
        frequencies = np.fft.fftfreq(points, 1 / points) * 2 * math.pi / length
        shape = [-1 if axis == k else 1 for axis in range(len(axes))]
        slope = np.fft.ifft(1j * frequencies.reshape(shape) * np.fft.fft(table, axis=k), axis=k).real
        squares.append(float(np.mean(slope**2)))
    values = table
    return float(values.mean()), float(values.var()), np.array(squares)


# -- closed forms --------------------------------------------------------------------------------------------------


def test_a_single_spin_turned_at_random():
    """P(rho) = 1/2, P(Z) = 2, d = 3: Var = 1/3, and with ||ad X/2||^2 = 2 the gradient's mean square is 2/9."""
    found = lie_algebraic_variance(problem(bloch(30), "Z0", "0"))
    assert found.applies
    assert [(i.dimension, round(i.state_purity, 9), round(i.readout_purity, 9)) for i in found.ideals] == [(3, 0.5, 2)]
    assert found.mean == pytest.approx(0, abs=EXACT)
    assert found.variance == pytest.approx(1 / 3, abs=EXACT)
    assert found.gradient == pytest.approx(np.full(60, 2 / 9), abs=EXACT)
    # fifteen layers on either side of the middle
    assert found.gradient_at_depth[30] == pytest.approx(2 / 9, abs=1e-4)
    assert abs(found.depth_error) < 1e-6


def test_one_layer_on_a_single_spin_by_hand():
    """C = cos a cos b: mean 0, Var = E g_a^2 = E g_b^2 = 1/4; with normal angles E cos^2 = (1 + exp(-2 w^2))/2."""
    case = problem(bloch(1), "Z0", "0")
    found = lie_algebraic_variance(case)
    assert (found.mean_at_depth, found.variance_at_depth) == pytest.approx((0, 1 / 4), abs=EXACT)
    assert found.gradient_at_depth == pytest.approx([1 / 4, 1 / 4], abs=EXACT)
    w = 0.7
    cosine, sine = (1 + math.exp(-2 * w**2)) / 2, (1 - math.exp(-2 * w**2)) / 2
    normal = lie_algebraic_variance(case, ensemble=f"normal:{w}")
    assert normal.mean_at_depth == pytest.approx(math.exp(-(w**2)), abs=EXACT)
    assert normal.variance_at_depth == pytest.approx(cosine**2 - math.exp(-2 * w**2), abs=EXACT)
    assert normal.gradient_at_depth == pytest.approx([sine * cosine, sine * cosine], abs=EXACT)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_polarised_states_have_the_variance_of_a_random_vector_in_n_plus_one_dimensions(n):
    """Tr[(2 J_z)^2] = n (n+1)(n+2)/3 over the n + 1 states: Var = (n(n+1)(n+2)/3)(n/(n+1))/(n(n+2)) = n/3."""
    case = problem(eq.circuits.permutation_equivariant(n, 40), total("Z", n), "0" * n)
    found = lie_algebraic_variance(case)
    assert found.mean == pytest.approx(0, abs=EXACT)
    assert found.variance == pytest.approx(n / 3, abs=EXACT)
    assert abs(found.depth_error) < 1e-6


@pytest.mark.parametrize("n", [4, 6, 8])
def test_the_ising_rings_pseudospins_add_their_variances(n):
    """sum_i X_i = 2 sum_{k>0} sigma_k, n/2 independent spins that start polarised: Var = 4/3 each, 2 n/3 together."""
    case = problem(eq.circuits.translation_invariant(n, 4 * n), total("X", n), [PLUS] * n)
    found = lie_algebraic_variance(case)
    assert [round(i.variance, 9) for i in found.ideals] == [round(4 / 3, 9)] * (n // 2)
    assert found.variance == pytest.approx(2 * n / 3, abs=EXACT)
    assert found.variance_at_depth == pytest.approx(2 * n / 3, rel=1e-2)


def test_an_excitation_on_four_sites_is_a_random_vector():
    """Var |psi_1|^2 = (d-1)/(d^2 (d+1)) = 3/80 for d = 4; Z_1 = 1 - 2 |psi_1|^2 has four times that, about 1/2."""
    case = eq.Problem(eq.circuits.brickwork(4, 60, interaction="none"), readout="Z1", initial="0001")
    found = lie_algebraic_variance(case)
    assert (found.mean, found.variance) == pytest.approx((0.5, 12 / 80), abs=EXACT)
    assert found.variance_at_depth == pytest.approx(12 / 80, rel=1e-4)


def test_two_singlets_are_a_spin_one_half():
    """Spin 0 of four spins has two states; X0X1+Y0Y1+Z0Z1 = 2 SWAP - 1 is -1 + 2 sigma there: mean -1, Var 4/3."""
    case = problem(eq.circuits.exchange(4, 30), "X0X1+Y0Y1+Z0Z1", eq.circuits.singlet_pairs(4))
    found = lie_algebraic_variance(case)
    assert found.subspace == 2
    assert (found.mean, found.variance) == pytest.approx((-1, 4 / 3), abs=EXACT)
    assert (found.mean_at_depth, found.variance_at_depth) == pytest.approx((-1, 4 / 3), abs=1e-5)


@pytest.mark.parametrize(
    "case",
    [
        problem(eq.circuits.permutation_equivariant(3, 30), total("Z", 3), "000"),
        problem(eq.circuits.translation_invariant(6, 30), total("X", 6), [PLUS] * 6),
        problem(eq.circuits.parity_conserving(3, 40, interaction="none"), "Z1", "010"),
        eq.Problem(eq.circuits.fermi_hubbard(2, 30), readout="Z0Z2", initial="0110"),
        eq.Problem(eq.circuits.brickwork(4, 60), readout="Z1", initial="0101"),
    ],
    ids=["permutation", "translation", "matchgates", "hubbard", "charge"],
)
def test_in_the_middle_of_a_deep_circuit_the_exact_gradient_is_the_formulas(case):
    found = lie_algebraic_variance(case)
    middle = slice(len(case.parameters) // 2 - 3, len(case.parameters) // 2 + 3)
    assert found.gradient_at_depth[middle] == pytest.approx(found.gradient[middle], rel=2e-2)
    assert found.gradient[middle].min() > 0


# -- the circuit as it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "points"),
    [
        (problem(eq.circuits.permutation_equivariant(2, 1), "Z0+Z1", "00"), 9),
        (problem(eq.circuits.permutation_equivariant(3, 1), "X0+X1+X2", [PLUS, PLUS, PLUS]), 14),
        (problem(eq.circuits.translation_invariant(3, 1), "Z0Z1+Z1Z2+Z2Z0", [PLUS] * 3), 16),
        (eq.Problem(eq.circuits.brickwork(3, 1, interaction="none"), readout="Z1", initial="001"), 6),
        (problem(eq.circuits.exchange(4, 2), "X0X1+Y0Y1+Z0Z1", eq.circuits.singlet_pairs(4)), 9),
        (problem(bloch(2), "Z0", [[0.8, 0.6j]]), 6),
        (
            eq.Problem(eq.circuits.brickwork(2, 1), readout="Z0", initial=[PLUS, [0.6, 0.8]], projected=True, charge=1),
            6,
        ),
    ],
    ids=["two qubits", "three qubits", "ring", "charge", "singlets", "one qubit", "projected"],
)
def test_moments_at_depth_are_the_integrals_over_all_angles(case, points):
    mean, variance, squares = quadrature(case, points)
    found = lie_algebraic_variance(case)
    assert found.applies
    assert found.mean_at_depth == pytest.approx(mean, abs=EXACT)
    assert found.variance_at_depth == pytest.approx(variance, abs=EXACT)
    assert found.gradient_at_depth == pytest.approx(squares, abs=EXACT)


@pytest.mark.parametrize(
    "case",
    [
        problem(eq.circuits.permutation_equivariant(4, 5), total("Z", 4), "0000"),
        problem(eq.circuits.parity_conserving(4, 5, interaction="none"), "Z1", "0101"),
        eq.Problem(eq.circuits.fermi_hubbard(2, 5), readout="Z0Z2", initial="0110"),
    ],
    ids=["permutation", "matchgates", "hubbard"],
)
def test_sampled_angles_agree_within_their_error_bars(case):
    found = lie_algebraic_check(case, sampling=eq.Sampling(samples=500, seed=3))
    theory = found.formula
    assert abs(found.variance - theory.variance_at_depth) < 4 * found.variance_error
    assert abs(found.gradient_sum - theory.gradient_at_depth.sum()) < 4 * found.gradient_sum_error
    # rounding where a gradient is 0 for certain
    assert np.all(np.abs(found.gradient - theory.gradient_at_depth) < 4.5 * found.gradient_error + 1e-12)
    (value, slope) = found.rows()
    assert value["quantity"] == "Var C"
    assert value["deep"] == theory.variance
    assert slope["at depth"] == pytest.approx(theory.gradient_at_depth.sum())


def test_noise_is_not_looked_at_and_a_fixed_gate_inside_the_group_only_turns():
    circuit = bloch(2)
    plain = lie_algebraic_variance(problem(circuit, "Z0", "0"))
    noisy = lie_algebraic_variance(problem(circuit, "Z0", "0", noise="dephasing:0.3"))
    assert noisy.variance_at_depth == plain.variance_at_depth
    a, b = Parameter("a"), Parameter("b")
    shifted = QuantumCircuit(1)
    shifted.rx(a + 0.4, 0)
    shifted.barrier()
    shifted.ry(0.9, 0)
    shifted.barrier()
    shifted.ry(b + 0.3, 0)
    case = problem(shifted, "Z0", "0")
    mean, variance, squares = quadrature(case, 6)
    found = lie_algebraic_variance(case)
    assert found.variance_at_depth == pytest.approx(variance, abs=EXACT)
    assert found.gradient_at_depth == pytest.approx(squares, abs=EXACT)
    # C = cos(a + 0.4) cos(b + 1.2), whose offsets a normal angle does not wash out
    w = 0.5
    normal = lie_algebraic_variance(case, ensemble=f"normal:{w}")
    assert normal.mean_at_depth == pytest.approx(math.exp(-(w**2)) * math.cos(0.4) * math.cos(1.2), abs=EXACT)
    first, second = (math.exp(-2 * w**2) * math.cos(2 * c) for c in (0.4, 1.2))
    assert normal.gradient_at_depth == pytest.approx(
        [(1 - first) * (1 + second) / 4, (1 + first) * (1 - second) / 4], abs=EXACT
    )
    assert mean == pytest.approx(found.mean_at_depth, abs=EXACT)


# -- where it is silent --------------------------------------------------------------------------------------------


def test_a_readout_outside_the_algebra_is_not_given_a_number():
    """Z1 Z3 is quartic in the Majorana modes of a matchgate circuit."""
    case = problem(eq.circuits.parity_conserving(4, 3, interaction="none"), "Z1Z3", "0101")
    found = lie_algebraic_variance(case)
    assert found.reasons == ("neither the readout nor the input lies in the circuit's Lie algebra",)
    assert not found.applies
    assert np.isnan([found.variance, found.variance_at_depth, found.depth_error]).all()
    assert np.isnan(found.gradient).all()


def test_angles_that_return_in_later_layers_are_not_independent():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    for _ in range(3):
        circuit.rx(a, 0)
        circuit.ry(b, 0)
        circuit.barrier(label="layer")
    found = lie_algebraic_variance(problem(circuit, "Z0", "0"))
    assert len(found.reasons) == 1
    assert "parameter 'a' turns 3 steps that cannot be joined" in found.reasons[0]


def test_a_fixed_gate_outside_the_group_is_named_as_the_reason():
    """Two spins turned together, with a fixed controlled-Z between the layers."""
    theta = ParameterVector("t", 4)
    circuit = QuantumCircuit(2)
    for layer in range(2):
        for q in range(2):
            circuit.rx(theta[2 * layer], q)
        for q in range(2):
            circuit.ry(theta[2 * layer + 1], q)
        circuit.cz(0, 1)
        circuit.barrier(label="layer")
    found = lie_algebraic_variance(problem(circuit, "Z0+Z1", "00"))
    assert "a gate of fixed angle lies outside the group that the free angles make" in found.reasons


@pytest.mark.parametrize(
    ("case", "options", "text"),
    [
        (lambda: problem(eq.circuits.brickwork(15, 1), "Z1", "0" * 15), {}, "up to 14 qubits, got 15"),
        (lambda: problem(bloch(1), "Z0", "0"), {"ensemble": np.zeros((3, 2))}, "over independent angles"),
        (lambda: eq.Problem(eq.circuits.brickwork(4, 2), "Z1"), {"max_dimension": 9}, "has more than 9 dimensions"),
    ],
)
def test_what_it_cannot_serve_is_refused(case, options, text):
    with pytest.raises(UnsupportedError, match=text):
        lie_algebraic_variance(case(), **options)


def test_progress_is_told_of_every_step():
    ticks = []
    case = problem(bloch(3), "Z0", "0")
    lie_algebraic_variance(case, progress=ticks.append)
    assert set(ticks) == {1}
    assert len(ticks) >= 2 * len(case.steps)


@pytest.mark.parametrize("size", [3e-10, 1e9])
def test_the_algebra_and_the_variance_do_not_depend_on_the_unit_of_an_angle(size):
    """Generators of angles with coefficients below 1e-8 were dropped: variance 0."""
    circuit = eq.circuits.brickwork(3, 3, interaction="none")
    scaled = circuit.assign_parameters({p: size * Parameter(f"s{k:02d}") for k, p in enumerate(circuit.parameters)})
    one, two = (lie_algebraic_variance(problem(c, "Z0", "001")) for c in (circuit, scaled))
    assert (two.dimension, [i.dimension for i in two.ideals]) == (one.dimension, [i.dimension for i in one.ideals])
    assert two.variance == pytest.approx(one.variance, rel=1e-9)
    assert two.variance_at_depth == pytest.approx(one.variance_at_depth, rel=1e-9)
    np.testing.assert_allclose(two.gradient / size**2, one.gradient, rtol=1e-9)
    assert one.variance > 0.01
