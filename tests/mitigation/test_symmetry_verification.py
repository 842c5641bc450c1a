"""Post-selection on the charge: closed forms, the slow twin, Aer, PennyLane, and what the user is told."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, Statevector

import equinoise as eq
import slow_twin as reference
from equinoise.mitigation.verification.symmetry_verification import verify
from support import SYMMETRY_CLASSES, aer_density_matrix, random_problems, random_theta


def brick(noise, readout="Z3", n=5, depth=4, **options):
    return eq.Problem(eq.circuits.brickwork(n, depth=depth), readout=readout, initial="neel", noise=noise, **options)


def with_operator(problem, operator):
    """The problem read by another operator (the identity too, which no problem reads), projected on its charge."""
    other = copy.copy(problem)
    object.__setattr__(other, "readout", operator)
    object.__setattr__(other, "projected", True)
    return other


def twin(problem, theta, scale):
    """N, dN, D and dD by the slow full-space program: no ratio, which would not exist where nothing is kept."""
    identity = with_operator(problem, SparsePauliOp("I" * problem.num_qubits))
    read = with_operator(problem, problem.readout)
    n, d = reference.value(read, theta, scale), reference.value(identity, theta, scale)
    return n, reference.gradient(read, theta, scale), d, reference.gradient(identity, theta, scale)


# -- closed forms ----------------------------------------------------------------------------------------------------


def test_uniform_relaxation_down_with_verification_is_the_noiseless_gradient():
    """No jump: every slot multiplies the sector by exp(-s q down), whatever the state."""
    down, scale = 0.11, 1.7
    problem = brick(f"relaxation:{down}")
    theta = random_theta(problem, 0)
    result = verify(problem, theta, scale)
    ideal = eq.gradient(problem, theta, 0.0)
    layers = len(problem.layers)
    assert result.kept == pytest.approx(math.exp(-scale * layers * problem.charge * down), rel=1e-13)
    assert result.value == pytest.approx(ideal.value, abs=1e-13)
    np.testing.assert_allclose(result.gradient, ideal.gradient, rtol=0, atol=1e-13)
    # the kept fraction does not depend on the angles
    np.testing.assert_allclose(result.kept_gradient, 0.0, atol=1e-14)
    assert np.abs(result.plain.gradient - ideal.gradient).max() > 0.05
    assert result.overhead == pytest.approx(1 / result.kept)


def test_one_excitation_that_decays_on_one_qubit_evolves_without_a_jump():
    """Two qubits, one excitation, qubit 0 decays: hop a, no-jump factor exp(-s down/2) on |01>, hop b."""
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(a), [0, 1])
    circuit.barrier()
    circuit.append(XXPlusYYGate(b), [0, 1])
    noise = {"relaxation": [{"qubit": 0, "down": 0.8, "layers": [0]}]}
    problem = eq.Problem(circuit, readout="Z0", initial="01", noise=noise)
    x, y, scale = 0.9, 1.3, 1.5
    keep = math.exp(-scale * 0.8)

    def closed(x, y):
        # qubit 0 holds cos(x/2) before the slot, shrunk to the root of ``keep`` by it; then the second hop
        c, s = math.cos(x / 2) * math.sqrt(keep), math.sin(x / 2)
        here, there = c * math.cos(y / 2) - s * math.sin(y / 2), c * math.sin(y / 2) + s * math.cos(y / 2)
        kept = here**2 + there**2
        return (there**2 - here**2) / kept, kept

    result = verify(problem, [x, y], scale)
    value, kept = closed(x, y)
    assert result.value == pytest.approx(value, abs=1e-14)
    assert result.kept == pytest.approx(kept, abs=1e-14)
    assert kept == pytest.approx(keep * math.cos(x / 2) ** 2 + math.sin(x / 2) ** 2)
    h = 1e-5
    slopes = [(np.array(closed(x + h * u, y + h * v)) - closed(x - h * u, y - h * v)) / (2 * h) for u, v in np.eye(2)]
    # central differences: error h^2
    np.testing.assert_allclose(result.gradient, [d[0] for d in slopes], atol=1e-9)
    np.testing.assert_allclose(result.kept_gradient, [d[1] for d in slopes], atol=1e-9)
    # Z is +-1, so that its variance follows from its mean
    assert result.shot_variance == pytest.approx(1 - value**2, abs=1e-13)


def test_global_depolarizing_on_two_qubits_leaves_a_mixture_inside_the_sector():
    """r -> e r + (1 - e) 1/4 after the only gate: N = e C, D = e + (1 - e)/2."""
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(a), [0, 1])
    noise = {"depolarizing": [{"qubits": [0, 1], "rate": 0.7}]}
    problem = eq.Problem(circuit, readout="Z0", initial="01", noise=noise)
    e = math.exp(-0.7)
    kept = e + (1 - e) / 2
    result = verify(problem, [0.6])
    assert result.kept == pytest.approx(kept, abs=1e-14)
    assert result.value == pytest.approx(-e * math.cos(0.6) / kept, abs=1e-14)
    assert result.gradient[0] == pytest.approx(e * math.sin(0.6) / kept, abs=1e-14)


@pytest.mark.parametrize("noise", ["dephasing:0.2", "collective:0.3", "dephasing:0.1+collective:0.2"])
def test_dephasing_inside_a_sector_leaves_nothing_to_verify(noise):
    problem = brick(noise)
    theta = random_theta(problem, 1)
    result = verify(problem, theta, 1.3)
    plain = eq.gradient(problem, theta, 1.3)
    assert result.kept == 1.0
    assert result.value == plain.value
    np.testing.assert_array_equal(result.gradient, plain.gradient)
    assert not result.changes
    assert "verification does nothing here" in result.notes[0]


def test_dephasing_is_answered_in_the_light_cone_of_any_number_of_qubits():
    problem = brick("dephasing:0.02", readout="Z30", n=60, depth=3)
    result = verify(problem, random_theta(problem, 2))
    assert result.kept == 1.0
    assert not result.changes
    assert result.plain.reduction["qubits"] == tuple(range(28, 34))


def test_an_input_of_several_charges_is_projected_before_dephasing():
    """The kept sector of a product state, evolved by itself; noise undone: none."""
    circuit = eq.circuits.brickwork(4, depth=3)
    product = np.array([[math.cos(t), math.sin(t)] for t in (0.3, 0.9, 0.5, 1.1)])
    problem = eq.Problem(circuit, readout="Z2", initial=product, noise="dephasing:0.1", charge=2)
    theta = random_theta(problem, 3)
    result = verify(problem, theta)
    amplitudes = problem.initial.statevector()
    inside = np.array([x.bit_count() == 2 for x in range(16)])
    alone = Statevector(np.where(inside, amplitudes, 0) / np.linalg.norm(amplitudes[inside]))
    ideal = eq.gradient(eq.Problem(circuit, readout="Z2", initial=alone, noise="dephasing:0.1"), theta)
    assert result.kept == pytest.approx(np.sum(np.abs(amplitudes[inside]) ** 2), abs=1e-14)
    assert result.value == pytest.approx(ideal.value, abs=1e-13)
    np.testing.assert_allclose(result.gradient, ideal.gradient, atol=1e-13)
    assert result.changes
    assert "keeps the input's part of charge 2" in result.notes[0]


# -- foreign programs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry_class", SYMMETRY_CLASSES)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10**6), scale=st.sampled_from([0.0, 0.4, 1.0]))
def test_random_problems_agree_with_the_full_space_twin(symmetry_class, data, seed, scale):
    problem = data.draw(random_problems(symmetry_class, max_qubits=3))
    assume(problem.charge is not None)
    theta = random_theta(problem, seed)
    n, dn, kept, kept_gradient = twin(problem, theta, scale)
    result = verify(problem, theta, scale)
    assert result.kept == pytest.approx(kept, abs=1e-12)
    np.testing.assert_allclose(result.kept_gradient, kept_gradient, rtol=0, atol=1e-9)
    if result.kept == 0:
        assert math.isnan(result.value)
        assert np.isnan(result.gradient).all()
        return
    # rounding of two programs, divided by D once for the value and twice for the gradient
    assert result.value * kept == pytest.approx(n, abs=1e-12)
    np.testing.assert_allclose(result.gradient * kept, dn - n / kept * kept_gradient, rtol=0, atol=1e-12 / kept)


@pytest.mark.parametrize(
    ("noise", "broken"),
    [
        ("relaxation:down=0.1,up=0.03+dephasing:0.05", False),
        ("depolarizing:0.08", False),
        ({"pauli": [{"pauli": "X1", "rate": 0.1}, {"pauli": "Y0X2", "rate": 0.07}]}, True),
    ],
)
def test_aer_says_the_same_of_the_selected_state(noise, broken):
    problem = brick(noise, readout="X1X2+Y1Y2", n=4, allow_broken=broken)
    theta = random_theta(problem, 4)
    result = verify(problem, theta, 0.8)
    rho = aer_density_matrix(problem, theta, 0.8)
    inside = np.array([x.bit_count() == problem.charge for x in range(16)])
    readout = problem.readout.to_matrix() * np.outer(inside, inside)
    kept = np.trace(rho[np.ix_(inside, inside)]).real
    value = np.trace(readout @ rho).real / kept
    assert result.kept == pytest.approx(kept, abs=1e-11)
    assert result.value == pytest.approx(value, abs=1e-11)
    square = np.trace(readout @ readout @ rho).real / kept
    assert result.shot_variance == pytest.approx(square - value**2, abs=1e-11)


def test_pennylane_differentiates_the_same_ratio():
    """default.mixed with amplitude damping of unequal strength, N/D by autograd."""
    qml = pytest.importorskip("pennylane")
    from pennylane import numpy as pnp

    n, pairs = 3, [[(0, 1)], [(1, 2)], [(0, 1)]]
    circuit = QuantumCircuit(n)
    names = [Parameter(f"a{i}") for i in range(6)]
    for layer, ((a, b),) in enumerate(pairs):
        circuit.append(XXPlusYYGate(names[2 * layer]), [a, b])
        circuit.rz(names[2 * layer + 1], b)
        circuit.barrier()
    downs = [0.3, 0.1, 0.2]
    noise = {"relaxation": [{"qubit": q, "down": r} for q, r in enumerate(downs)]}
    problem = eq.Problem(circuit, readout="Z1", initial="101", noise=noise)
    weights = [x.bit_count() == problem.charge for x in range(2**n)]
    projector = np.diag(np.array(weights, dtype=float))
    z1 = np.kron(np.kron(np.eye(2), np.diag([1.0, -1.0])), np.eye(2))

    @qml.qnode(qml.device("default.mixed", wires=n))
    def moments(angles):
        qml.BasisState(np.array([1, 0, 1]), wires=range(n))
        for layer, ((a, b),) in enumerate(pairs):
            # exp(-i theta (XX + YY)/4), as Qiskit has it
            qml.IsingXY(-angles[2 * layer], wires=[a, b])
            qml.RZ(angles[2 * layer + 1], wires=b)
            for q, rate in enumerate(downs):
                qml.AmplitudeDamping(-math.expm1(-rate), wires=q)
        wires = range(n)
        return qml.expval(qml.Hermitian(z1 @ projector, wires)), qml.expval(qml.Hermitian(projector, wires))

    def ratio(angles):
        above, below = moments(angles)
        return above / below

    theta = np.array([0.4, -0.7, 1.1, 0.3, 0.8, -0.2])
    result = verify(problem, theta)
    assert result.value == pytest.approx(float(ratio(theta)), abs=1e-9)
    foreign = qml.grad(ratio)(pnp.array(theta, requires_grad=True))
    np.testing.assert_allclose(result.gradient, foreign, rtol=0, atol=1e-9)
    assert np.abs(result.kept_gradient).max() > 0.01


# -- what the user is told -------------------------------------------------------------------------------------------


def moved_out_of_the_sector(noise):
    """Two qubits share one excitation, and flips of the third on either of them add one: charge 1 becomes 2."""
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    circuit.cx(0, 2)
    circuit.cx(1, 2)
    return eq.Problem(circuit, readout="Z1", initial="001", noise=noise, allow_broken=True)


@pytest.mark.parametrize(("noise", "scale"), [(None, 1.0), ("dephasing:0.1", 1.0), ("relaxation:0.1", 0.0)])
def test_gates_that_move_all_shots_to_another_charge_leave_nothing_to_verify(noise, scale):
    problem = moved_out_of_the_sector(noise)
    n, _, kept, _ = twin(problem, [0.3], scale)
    assert abs(n) < 1e-14
    assert kept < 1e-14
    result = verify(problem, [0.3], scale)
    assert result.kept == 0
    assert math.isnan(result.value)
    assert np.isnan(result.gradient).all()
    assert math.isinf(result.overhead)
    assert math.isinf(result.shots_per_gradient)
    assert f"at s = {scale:g} no shot is read with charge 1" in result.notes[-1]


def test_a_law_of_what_is_never_kept_is_refused_by_name():
    with pytest.raises(eq.EquinoiseError, match="even without noise nothing of this circuit is read with charge 1"):
        eq.mitigation.verified_law(moved_out_of_the_sector("relaxation:0.1"), sampling=eq.Sampling(samples=2))


def test_where_nothing_is_kept_the_readout_is_undefined_and_not_zero():
    problem = brick("relaxation:0.1")
    result = verify(problem, random_theta(problem, 5), math.inf)
    assert math.isnan(result.value)
    assert np.isnan(result.gradient).all()
    assert result.kept == 0
    assert math.isinf(result.overhead)
    assert math.isinf(result.shots_per_gradient)
    assert result.notes == ("at s = inf no shot is read with charge 3: the post-selected readout is undefined",)


def test_an_input_of_several_charges_needs_one_named():
    product = np.tile([1, 1] / np.sqrt(2), (3, 1))
    problem = eq.Problem(eq.circuits.brickwork(3, depth=2), readout="Z1", initial=product, noise="relaxation:0.1")
    with pytest.raises(eq.EquinoiseError, match=r"holds the charges \[0, 1, 2, 3\]; say which one .*charge=q"):
        verify(problem, random_theta(problem, 0))


def test_a_readout_that_moves_the_charge_is_not_verified():
    problem = brick("relaxation:0.1", readout="X2", allow_broken=True)
    with pytest.raises(eq.EquinoiseError, match="'X2' does not commute with the charge"):
        verify(problem, random_theta(problem, 0))


def test_too_many_qubits_are_refused_with_the_numbers():
    problem = brick("relaxation:0.01", readout="Z20", n=40, depth=3)
    with pytest.raises(eq.EquinoiseError, match=r"is changed by this noise, .* all 40 qubits.*GB.*fewer qubits"):
        verify(problem, random_theta(problem, 0))


def test_relaxation_beside_noise_correlated_in_time_is_refused():
    noise = {"relaxation": [{"qubit": "each", "down": 0.1}], "dephasing": [{"rate": 0.1, "correlation": "static"}]}
    problem = brick(noise)
    with pytest.raises(eq.EquinoiseError, match="correlated in time"):
        verify(problem, random_theta(problem, 0))


def test_verified_circuit_stays_where_its_readout_put_it_on_the_device():
    """The charge is read on all qubits, but the circuit ran on the layout that was chosen for its readout."""
    backend = GenericBackendV2(7, coupling_map=[[q, q + 1] for q in range(6)], seed=0)
    problem = brick(eq.NoiseModel.from_backend(backend), readout="Z0", n=4, depth=1)
    assert problem.with_readout("Z0+Z1+Z2+Z3").noise.placement != problem.noise.placement
    theta = np.linspace(0.1, 1.0, len(problem.parameters))
    found = verify(problem, theta)
    expected = verify(brick(problem.noise, readout="Z0", n=4, depth=1), theta)
    assert found.kept == expected.kept
    np.testing.assert_array_equal(found.gradient, expected.gradient)
