"""The PennyLane device against PennyLane's own density matrix: values, gradients, interfaces, refusals."""

from __future__ import annotations

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import equinoise as eq

qml = pytest.importorskip("pennylane")
pnp = qml.numpy

from equinoise.interop.pennylane_device import SectorDevice  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def kraus_operators(dim, count):
    """Of a channel near the identity, sqrt(1 - sum K^dag K) among them: off the charge, and its wires told apart."""
    rng = np.random.default_rng(dim)
    jumps = [0.06 * (rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))) for _ in range(count)]
    values, vectors = np.linalg.eigh(np.eye(dim) - sum(k.conj().T @ k for k in jumps))
    turn = np.diag(np.exp(0.1j * np.arange(dim)))
    return [turn @ (vectors * np.sqrt(values)) @ vectors.conj().T, *jumps]


CHANNELS = {
    "phase damping": lambda w: qml.PhaseDamping(0.13, wires=w),
    "phase flip": lambda w: qml.PhaseFlip(0.07, wires=w),
    "bit flip": lambda w: qml.BitFlip(0.07, wires=w),
    "amplitude damping": lambda w: qml.AmplitudeDamping(0.11, wires=w),
    "generalized damping": lambda w: qml.GeneralizedAmplitudeDamping(0.2, 0.3, wires=w),
    "depolarizing": lambda w: qml.DepolarizingChannel(0.09, wires=w),
    "thermal, T2 above T1": lambda w: qml.ThermalRelaxationError(0.2, 1.0, 1.4, 0.3, wires=w),
    "thermal, T2 below T1": lambda w: qml.ThermalRelaxationError(0.2, 1.0, 0.4, 0.3, wires=w),
    "reset": lambda w: qml.ResetError(0.05, 0.1, wires=w),
    "any channel": lambda w: qml.QubitChannel(kraus_operators(2, 3), wires=w),
    "any channel of a pair": lambda w: qml.QubitChannel(kraus_operators(4, 2), wires=[(w + 1) % 4, w]),
    "pauli Z": lambda w: qml.PauliError("Z", 0.1, wires=w),
    "pauli Y": lambda w: qml.PauliError("Y", 0.1, wires=w),
    "pauli ZZ": lambda w: qml.PauliError("ZZ", 0.1, wires=[w, (w + 1) % 4]),
}
# gates on more than two wires, each on that many
WIDE = {
    "DoubleExcitation": 4,
    "DoubleExcitationPlus": 4,
    "DoubleExcitationMinus": 4,
    "OrbitalRotation": 4,
    "FermionicSingleExcitation": 4,
    "FermionicDoubleExcitation": 6,
}
PAIRS = (
    "IsingXY",
    "IsingZZ",
    "SingleExcitation",
    "SingleExcitationPlus",
    "SingleExcitationMinus",
    "FermionicSWAP",
    "ControlledPhaseShift",
    "CPhaseShift00",
    "CPhaseShift01",
    "CPhaseShift10",
    "PSWAP",
    "MultiRZ",
    "CRZ",
)
OBSERVABLES = (
    lambda: qml.Z(1),
    lambda: 0.3 * qml.Z(0) @ qml.Z(2) - 0.7 * qml.Z(3),
    lambda: qml.X(1) @ qml.X(2) + qml.Y(1) @ qml.Y(2),
    lambda: qml.X(0) @ qml.Y(3) - qml.Y(0) @ qml.X(3),
)


def flat(results):
    return qml.math.hstack([qml.math.atleast_1d(r) for r in results])


def random_program(seed, channels):
    """Random conserving gates on four wires, with channels of the given kinds between them."""
    rng = np.random.default_rng(seed)
    program = []
    for _ in range(14):
        a, b = rng.choice(4, 2, replace=False).tolist()
        program.append(("pair", str(rng.choice(PAIRS)), (a, b)))
        program.append(("one", str(rng.choice(["RZ", "PhaseShift"])), (int(rng.integers(4)),)))
        if rng.random() < 0.2:
            program.append(("fixed", str(rng.choice(["SWAP", "ISWAP", "CZ"])), (b, a)))
        if channels and rng.random() < 0.7:
            program.append(("channel", str(rng.choice(channels)), (int(rng.integers(4)),)))
    return program


def apply(program, angles):
    k = 0
    for kind, name, wires in program:
        if kind == "channel":
            CHANNELS[name](wires[0])
        elif kind == "fixed":
            getattr(qml, name)(wires=list(wires))
        else:
            getattr(qml, name)(angles[k], wires=list(wires))
            k += 1


def read(device, program, **options):
    @qml.qnode(device, **options)
    def circuit(angles):
        qml.BasisState([1, 0, 1, 0], wires=[0, 1, 2, 3])
        apply(program, angles)
        return (*[qml.expval(make()) for make in OBSERVABLES], qml.var(OBSERVABLES[2]()), qml.probs(wires=[2, 0]))

    return lambda angles: flat(circuit(angles))


def read_mixed(program):
    """The same numbers from default.mixed's density matrix, whose own measurements have NaN gradients in a sector."""

    @qml.qnode(qml.device("default.mixed", wires=4))
    def state(angles):
        qml.BasisState([1, 0, 1, 0], wires=[0, 1, 2, 3])
        apply(program, angles)
        return qml.density_matrix(wires=range(4))

    matrices = [qml.matrix(make(), wire_order=range(4)) for make in OBSERVABLES]
    # probs(wires=[2, 0]): the first wire is the most significant bit
    for outcome in range(4):
        projector = qml.Projector([outcome >> 1, outcome & 1], wires=[2, 0])
        matrices.append(qml.matrix(projector, wire_order=range(4)))
    square = matrices[2] @ matrices[2]

    def numbers(angles):
        rho = state(angles)
        means = [pnp.real(pnp.trace(rho @ a)) for a in matrices]
        variance = pnp.real(pnp.trace(rho @ square)) - means[2] ** 2
        return pnp.stack([*means[:4], variance, *means[4:]])

    return numbers


def angles_of(program, seed=0):
    count = sum(kind in ("pair", "one") for kind, _, _ in program)
    return pnp.array(np.random.default_rng(seed).uniform(-3, 3, count), requires_grad=True)


def assert_as_mixed(program, tolerance=1e-9, **options):
    angles = angles_of(program)
    ours, theirs = read(SectorDevice(wires=4), program, **options), read_mixed(program)
    np.testing.assert_allclose(ours(angles), theirs(angles), rtol=0, atol=tolerance)
    np.testing.assert_allclose(qml.jacobian(ours)(angles), qml.jacobian(theirs)(angles), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CHANNELS)
def test_each_channel_where_it_stands_gives_values_and_gradients_of_default_mixed(name):
    assert_as_mixed(random_program(3, [name]))


@pytest.mark.parametrize("seed", range(4))
def test_channels_that_do_not_commute_act_in_the_order_written(seed):
    assert_as_mixed(random_program(seed, list(CHANNELS)))


@pytest.mark.parametrize(
    "first", ["depolarizing", "bit flip", "amplitude damping", "generalized damping", "thermal, T2 above T1", "reset"]
)
def test_relaxation_after_a_channel_that_it_does_not_commute_with_acts_after_it(first):
    pair, wire = ("pair", "IsingXY", (0, 1)), (0,)
    channels = [("channel", first, wire), ("channel", "amplitude damping", wire)]
    assert_as_mixed([pair, *channels, pair])
    assert_as_mixed([pair, *channels[::-1], pair])


@pytest.mark.parametrize("options", [{"device_vjp": True}, {"grad_on_execution": False}, {"diff_method": "device"}])
def test_every_way_of_differentiating_gives_the_same_gradient(options):
    assert_as_mixed(random_program(7, ["phase damping", "amplitude damping"]), **options)


@pytest.mark.parametrize(
    "name", [*PAIRS, *WIDE, "RX", "RY", "RZ", "PhaseShift", "U1", "U2", "U3", "Rot", "IsingXX", "CRX"]
)
def test_a_gate_is_the_same_unitary_in_qiskit(name):
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Operator

    from equinoise.interop.pennylane_gates import gate_parts

    kind = getattr(qml, name)
    single = name in ("RX", "RY", "RZ", "PhaseShift", "U1", "U2", "U3", "Rot")
    wires = list(range(WIDE.get(name, 1 if single else 2)))
    angles = [0.37, -1.1, 2.3][: kind.num_params if isinstance(kind.num_params, int) else 1]
    where = {"wires1": wires[:3], "wires2": wires[3:]} if name == "FermionicDoubleExcitation" else {"wires": wires}
    operation = kind(*angles, **where)
    circuit = QuantumCircuit(len(wires))
    for part in gate_parts(operation):
        values = [a if isinstance(a, float) else a[1] * angles[a[0]] for a in part.angles]
        circuit.append(part.gate(*values), list(part.wires))
    ours = Operator(circuit.reverse_bits()).data
    theirs = qml.matrix(operation, wire_order=wires)
    # equal up to a global phase
    assert abs(np.trace(ours.conj().T @ theirs)) == pytest.approx(len(ours), abs=1e-12)


def noisy_brickwork(angles):
    qml.X(0)
    qml.X(2)
    for row in angles:
        qml.IsingXY(row[0], wires=[0, 1])
        qml.IsingXY(row[1], wires=[2, 3])
        qml.IsingZZ(row[2], wires=[1, 2])
        qml.Barrier(wires=range(4))


def test_the_devices_own_noise_is_that_of_the_problem():
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import RZZGate, XXPlusYYGate

    angles = pnp.array(np.random.default_rng(1).uniform(-2, 2, (3, 3)), requires_grad=True)
    noise = "dephasing:0.03+relaxation:down=0.05,up=0.01"
    circuit = QuantumCircuit(4)
    for row in angles:
        circuit.append(XXPlusYYGate(-float(row[0])), [0, 1])
        circuit.append(XXPlusYYGate(-float(row[1])), [2, 3])
        circuit.append(RZZGate(float(row[2])), [1, 2])
        circuit.barrier()
    problem = eq.Problem(circuit, readout="Z2", initial="0101", noise=noise)

    @qml.qnode(SectorDevice(wires=4, noise=noise))
    def node(angles):
        noisy_brickwork(angles)
        return qml.expval(qml.Z(2))

    assert node(angles) == pytest.approx(eq.expectation(problem, []).value, abs=1e-12)


def test_a_barrier_before_or_behind_all_gates_leaves_the_devices_noise_where_it_is():
    """It put all noise behind the last gate."""

    def node_of(front, back):
        @qml.qnode(SectorDevice(wires=4, noise="dephasing:0.05+relaxation:0.1"))
        def node(angles):
            qml.BasisState([1, 0, 1, 0], wires=range(4))
            if front:
                qml.Barrier(wires=range(4))
            for k, pair in enumerate([(0, 1), (2, 3), (1, 2), (0, 1), (2, 3)]):
                qml.IsingXY(angles[k], wires=pair)
            if back:
                qml.Barrier(wires=range(4))
            return qml.expval(qml.Z(1))

        return node

    angles = pnp.array([0.3, 0.7, -1.1, 0.4, 0.9], requires_grad=True)
    plain = node_of(False, False)
    for front, back in ((True, False), (False, True), (True, True)):
        np.testing.assert_allclose(qml.grad(node_of(front, back))(angles), qml.grad(plain)(angles), rtol=0, atol=1e-12)


def test_a_pennylane_noise_model_acts_after_the_gates_that_it_names():
    condition = qml.noise.op_in([qml.IsingXY, qml.PauliX])
    model = qml.NoiseModel({condition: lambda op, **_: [qml.AmplitudeDamping(0.1, wires=w) for w in op.wires]})
    angles = pnp.array(np.random.default_rng(2).uniform(-2, 2, (2, 3)), requires_grad=True)

    def node_of(device):
        @qml.qnode(device)
        def node(angles):
            noisy_brickwork(angles)
            return qml.expval(qml.Z(1))

        return qml.add_noise(node, model)

    ours, theirs = node_of(SectorDevice(wires=4)), node_of(qml.device("default.mixed", wires=4))
    assert float(ours(angles)) == pytest.approx(float(theirs(angles)), abs=1e-9)
    np.testing.assert_allclose(qml.grad(ours)(angles), qml.grad(theirs)(angles), rtol=0, atol=1e-9)


@pytest.mark.parametrize("postselected", [True, False])
@pytest.mark.parametrize("channel", ["phase damping", "amplitude damping", "depolarizing"])
def test_post_selected_and_projected_values_are_those_of_the_projected_density_matrix(postselected, channel):
    program = random_program(5, [channel])
    charge = np.array([bin(x).count("1") for x in range(16)])
    projector = pnp.array(np.diag((charge == 2).astype(float)), requires_grad=False)
    readout = qml.matrix(OBSERVABLES[1](), wire_order=range(4)) + qml.matrix(OBSERVABLES[2](), wire_order=range(4))
    inside = projector @ readout @ projector

    @qml.qnode(qml.device("default.mixed", wires=4))
    def state(angles):
        qml.BasisState([1, 0, 1, 0], wires=[0, 1, 2, 3])
        apply(program, angles)
        return qml.expval(qml.Hermitian(inside, wires=range(4))), qml.expval(qml.Hermitian(projector, wires=range(4)))

    def theirs(angles):
        value, kept = state(angles)
        return value / kept if postselected else value

    @qml.qnode(SectorDevice(wires=4, charge=2, projected=not postselected, postselected=postselected))
    def ours(angles):
        qml.BasisState([1, 0, 1, 0], wires=[0, 1, 2, 3])
        apply(program, angles)
        return qml.expval(OBSERVABLES[1]() + OBSERVABLES[2]())

    angles = angles_of(program)
    assert float(ours(angles)) == pytest.approx(float(theirs(angles)), abs=1e-9)
    np.testing.assert_allclose(qml.grad(ours)(angles), qml.grad(theirs)(angles), rtol=0, atol=1e-9)


def ising_pair(x):
    qml.IsingXX(2 * x[0] + 0.3, wires=[0, 1])
    qml.IsingYY(2 * x[0] + 0.3, wires=[0, 1])
    qml.RZ(x[2], wires=0)
    qml.IsingXX(-x[1] / 2, wires=[1, 2])
    qml.IsingYY(-x[1] / 2, wires=[2, 1])
    qml.IsingXY(0.4, wires=[0, 1])


def particle_conserving(x):
    weights = qml.math.reshape(qml.math.stack([x[0], x[1], x[2], x[1], 0.3, x[0]]), (1, 3, 2))
    qml.ParticleConservingU1(weights, wires=range(4), init_state=np.array([1, 1, 0, 0]))


def single_excitations(x):
    qml.FermionicSingleExcitation(x[0], wires=[0, 1])
    qml.RZ(x[2], wires=1)
    qml.FermionicSingleExcitation(x[1], wires=[1, 2])
    qml.FermionicSingleExcitation(-0.5 * x[0] + 0.2, wires=[0, 1])
    qml.FermionicSingleExcitation(0.7, wires=[2, 3])


def compiled_hopping(x):
    """RXX and RYY of one angle in CNOT, RZ and one-qubit Cliffords."""
    for angle, pair in ((x[0], (0, 1)), (x[1], (1, 2)), (x[2], (0, 1))):
        for turn in (
            lambda sign, w: qml.RY(sign * np.pi / 2, wires=w),
            lambda sign, w: qml.RX(sign * np.pi / 2, wires=w),
        ):
            for wire in pair:
                turn(1, wire)
            qml.CNOT(wires=pair)
            qml.RZ(angle, wires=pair[1])
            qml.CNOT(wires=pair)
            for wire in pair:
                turn(-1, wire)


def tied(device, body, noise, **options):
    @qml.qnode(device, **options)
    def node(x):
        if body is not particle_conserving:
            qml.BasisState([1, 1, 0, 0], wires=range(4))
        body(x)
        for wire in range(4):
            noise(wire)
        if body is not particle_conserving:
            body(2 * x)
        return qml.expval(qml.Z(1) + 0.3 * (qml.X(0) @ qml.X(2) + qml.Y(0) @ qml.Y(2)) + qml.Z(2) @ qml.Z(3))

    return node


@pytest.mark.parametrize("points", [[(0.37, -1.1, 0.6), (0.9, 0.4, -0.2)], [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5)]])
@pytest.mark.parametrize("body", [ising_pair, particle_conserving, single_excitations, compiled_hopping])
def test_gates_that_conserve_the_charge_by_angles_that_come_from_one_weight_give_default_qubits_gradient(body, points):
    """A tape holds the angles' numbers alone: freed, they break the charge."""
    ours = tied(SectorDevice(wires=4), body, lambda wire: None, diff_method="device")
    theirs = tied(qml.device("default.qubit", wires=4), body, lambda wire: None, diff_method="backprop")
    for point in points:
        x = pnp.array(point, requires_grad=True)
        assert float(ours(x)) == pytest.approx(float(theirs(x)), abs=1e-9)
        np.testing.assert_allclose(qml.grad(ours)(x), qml.grad(theirs)(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("body", [ising_pair, single_excitations])
def test_tied_angles_with_channels_between_give_default_mixeds_gradient(body):
    def noise(wire):
        if wire < 2:
            qml.AmplitudeDamping(0.1 + 0.1 * wire, wires=wire)

    ours = tied(SectorDevice(wires=4), body, noise, device_vjp=True)
    differences = {"h": 1e-5, "approx_order": 2, "strategy": "center"}
    mixed = qml.device("default.mixed", wires=4)
    theirs = tied(mixed, body, noise, diff_method="finite-diff", gradient_kwargs=differences)
    x = pnp.array([0.37, -1.1, 0.6], requires_grad=True)
    assert float(ours(x)) == pytest.approx(float(theirs(x)), abs=1e-9)
    # default.mixed's own gradients are NaN in a sector: central differences of order h^2 and rounding/h
    np.testing.assert_allclose(qml.grad(ours)(x), qml.grad(theirs)(x), rtol=0, atol=1e-7)


def test_derivatives_by_angles_that_are_equal_by_chance_are_those_of_each_angle():
    """Where XX and YY turn alike the charge is kept, and each angle's derivative is exact; elsewhere in full space."""

    def node_of(device, **options):
        @qml.qnode(device, **options)
        def node(x, y):
            qml.BasisState([1, 0], wires=[0, 1])
            qml.IsingXY(0.8, wires=[0, 1])
            qml.IsingXX(x, wires=[0, 1])
            qml.IsingYY(y, wires=[0, 1])
            return qml.expval(qml.Z(0))

        return node

    ours, theirs = node_of(SectorDevice(wires=2)), node_of(qml.device("default.qubit", wires=2), diff_method="backprop")
    x, y = pnp.array(0.3, requires_grad=True), pnp.array(0.3, requires_grad=True)
    np.testing.assert_allclose(qml.grad(ours)(x, y), qml.grad(theirs)(x, y), rtol=0, atol=1e-9)
    y = pnp.array(0.4, requires_grad=True)
    assert float(ours(x, y)) == pytest.approx(float(theirs(x, y)), abs=1e-12)
    np.testing.assert_allclose(qml.grad(ours)(x, y), qml.grad(theirs)(x, y), rtol=0, atol=1e-9)


def simple(device, measure=lambda: qml.expval(qml.Z("left"))):
    @qml.qnode(device)
    def node(a, b):
        qml.X("left")
        qml.IsingXY(2 * a + b, wires=["left", "right"])
        qml.PhaseDamping(0.2, wires="left")
        qml.SingleExcitation(a, wires=["right", "left"])
        return measure()

    return node


def test_shared_and_linear_parameters_follow_pennylanes_chain_rule_on_named_wires():
    a, b = pnp.array(0.4, requires_grad=True), pnp.array(-0.7, requires_grad=True)
    ours = simple(SectorDevice(["left", "right"]))

    def theirs(a, b):
        device = qml.device("default.mixed", wires=["left", "right"])
        rho = simple(device, lambda: qml.density_matrix(wires=["left", "right"]))(a, b)
        return pnp.real(rho[0, 0] + rho[1, 1] - rho[2, 2] - rho[3, 3])

    np.testing.assert_allclose(qml.grad(ours)(a, b), qml.grad(theirs)(a, b), rtol=0, atol=1e-9)


def test_batched_parameters_give_one_value_each():
    node = simple(SectorDevice(["left", "right"]))
    batch = pnp.array([0.1, 0.5, 1.3], requires_grad=False)
    np.testing.assert_allclose(node(batch, 0.2), [node(float(x), 0.2) for x in batch], rtol=0, atol=1e-14)


def test_the_torch_interface_has_the_gradient_of_autograd():
    torch = pytest.importorskip("torch")
    node = simple(SectorDevice(["left", "right"]))
    a = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    node(a, 0.3).backward()
    assert float(a.grad) == pytest.approx(float(qml.grad(node)(pnp.array(0.4, requires_grad=True), 0.3)), abs=1e-12)


@pytest.mark.parametrize("jit", [False, True])
def test_the_jax_interface_has_the_gradient_of_autograd(jit):
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        node = simple(SectorDevice(["left", "right"]))
        found = (jax.jit(jax.grad(node)) if jit else jax.grad(node))(0.4, 0.3)
        assert float(found) == pytest.approx(float(qml.grad(node)(pnp.array(0.4, requires_grad=True), 0.3)), abs=1e-12)
    finally:
        jax.config.update("jax_enable_x64", before)


def test_a_state_vector_input_keeps_pennylanes_wire_order():
    vector = np.array([0.0, 0.6, 0.8, 0.0])

    def node_of(device):
        @qml.qnode(device)
        def node(a):
            qml.StatePrep(vector, wires=[2, 0])
            qml.X(1)
            qml.IsingXY(a, wires=[0, 1])
            qml.AmplitudeDamping(0.3, wires=2)
            return qml.expval(qml.Z(0)), qml.expval(qml.Z(1)), qml.expval(qml.Z(2))

        return node

    found = [np.array(node_of(d)(0.7)) for d in (SectorDevice(wires=3), qml.device("default.mixed", wires=3))]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-9)


def test_wires_outside_the_light_cone_cost_nothing():
    @qml.qnode(SectorDevice(wires=60, noise="dephasing:0.01"))
    def node(angles):
        for i in range(0, 60, 2):
            qml.X(i)
        for layer in range(3):
            for i in range(layer % 2, 59, 2):
                qml.IsingXY(angles[layer], wires=[i, i + 1])
        return qml.expval(qml.Z(0)), qml.expval(qml.Z(59))

    assert qml.jacobian(lambda x: flat(node(x)))(pnp.array([0.3, 0.4, 0.5], requires_grad=True)).shape == (2, 3)


def run(device, body, measure=lambda: qml.expval(qml.Z(0)), **options):
    @qml.qnode(device, **options)
    def node():
        body()
        return measure()

    return node()


REFUSALS = {
    "large unitary": (
        lambda: qml.QubitUnitary(np.eye(8)[::-1], wires=range(3)),
        None,
        r"QubitUnitary on wires \[0, 1, 2\].*no block that conserves the charge on up to four",
    ),
    "channel on three wires": (
        lambda: qml.QubitChannel([np.eye(8)], wires=[0, 1, 2]),
        None,
        r"QubitChannel on the 3 wires \[0, 1, 2\].*one or two",
    ),
    "channel that erases": (
        lambda: qml.QubitChannel([np.diag([1, 0]), np.diag([0, 1])], wires=1),
        None,
        r"QubitChannel on wires \[1\].*no finite generator",
    ),
    "full channel": (
        lambda: qml.PhaseDamping(1.0, wires=2),
        None,
        r"PhaseDamping\(1, wires=\[2\]\) has no finite rate",
    ),
    "noisy state": (lambda: qml.PhaseDamping(0.1, wires=0), qml.state, "a noisy state is no vector"),
    "state and more": (lambda: None, lambda: (qml.state(), qml.expval(qml.Z(0))), "beside other measurements"),
    "density matrix": (lambda: None, lambda: qml.density_matrix(0), "density_matrix is not provided.*default.mixed"),
    "sample": (lambda: None, lambda: qml.sample(wires=0), "measurement sample is not provided.*give shots"),
    "counts": (lambda: None, lambda: qml.counts(wires=0), "measurement counts is not provided.*give shots"),
    "late preparation": (
        lambda: (qml.RZ(0.1, wires=0), qml.BasisState([1], wires=0)),
        None,
        "BasisState on wires .* does not come first",
    ),
    "wire": (lambda: qml.RZ(0.2, wires=9), None, "wire 9, which the device does not have"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_named_with_what_to_use(name):
    body, measure, message = REFUSALS[name]
    with pytest.raises(eq.EquinoiseError, match=f"(?s){message}"):
        run(SectorDevice(wires=4), body, measure or (lambda: qml.expval(qml.Z(0))))


def test_a_full_space_beyond_what_is_held_is_refused_with_the_gate_that_takes_it():
    def chain():
        for w in range(20):
            qml.IsingXX(0.3, wires=[w, w + 1])

    with pytest.raises(eq.EquinoiseError, match=r"(?s)IsingXX on wires \[0, 1\], operation 0.*IsingXY.*at most 20"):
        run(SectorDevice(wires=21), chain, lambda: qml.expval(qml.Z(20) @ qml.Z(0)))


def off_the_charge(x):
    """Superposed inputs, gates on one to four wires that break the charge one by one or at all."""
    qml.AngleEmbedding(x[:2], wires=[0, 1], rotation="Y")
    qml.CNOT(wires=[0, 1])
    qml.IsingXY(x[2], wires=[1, 2])
    qml.DoubleExcitation(x[3], wires=[0, 1, 2, 3])
    qml.CRY(x[4], wires=[3, 0])
    qml.Toffoli(wires=[0, 1, 2])
    qml.Hadamard(3)


@pytest.mark.parametrize("noisy", [False, True])
def test_gates_and_observables_off_the_charge_are_exact_in_the_full_space(noisy):
    def node_of(name, device):
        @qml.qnode(device, diff_method="device" if name == "ours" else "parameter-shift")
        def node(x):
            off_the_charge(x)
            if noisy:
                qml.AmplitudeDamping(0.2, wires=3)
                qml.IsingXY(0.4, wires=[2, 3])
                qml.BitFlip(0.1, wires=2)
            return qml.expval(qml.X(3) @ qml.Y(2) + 0.3 * qml.Z(0)), qml.expval(qml.X(0)), qml.probs(wires=[1, 3])

        return lambda x: flat(node(x))

    x = pnp.array([0.4, -0.8, 0.9, 1.3, -0.6], requires_grad=True)
    device = SectorDevice(wires=4)
    with pytest.warns(UserWarning, match="break the charge: it is computed in the full space"):
        ours = node_of("ours", device)(x)
    theirs = node_of("theirs", qml.device("default.mixed" if noisy else "default.qubit", wires=4))
    np.testing.assert_allclose(ours, theirs(x), rtol=0, atol=1e-12)
    found = qml.jacobian(node_of("ours", device))(x)
    np.testing.assert_allclose(found, qml.jacobian(theirs)(x), rtol=0, atol=1e-9)


def test_what_moves_the_charge_has_mean_0_and_its_variance_is_whole_and_a_warning_says_so_once():
    def node_of(device):
        @qml.qnode(device)
        def node(angle):
            qml.BasisState([1, 0, 1], wires=range(3))
            qml.IsingXY(angle, wires=[0, 1])
            qml.IsingXY(0.7, wires=[1, 2])
            return qml.expval(qml.X(1)), qml.var(qml.X(1)), qml.expval(qml.X(0) @ qml.X(1)), qml.expval(qml.Z(0))

        return node

    ours = node_of(SectorDevice(wires=3))
    with pytest.warns(UserWarning, match=r"expval\(X\(1\)\).*mean 0 in a state of one charge"):
        found = ours(0.3)
    np.testing.assert_allclose(found, node_of(qml.device("default.qubit", wires=3))(0.3), rtol=0, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours(0.4)


def test_a_state_without_noise_is_that_of_default_qubit_up_to_a_global_phase():
    program = random_program(9, [])
    angles = angles_of(program)

    def node_of(device):
        @qml.qnode(device)
        def node(angles):
            qml.StatePrep(np.arange(1, 5) / np.sqrt(30), wires=[3, 1])
            apply(program, angles)
            return qml.state()

        return node

    ours, theirs = node_of(SectorDevice(wires=4))(angles), node_of(qml.device("default.qubit", wires=4))(angles)
    assert ours.shape == theirs.shape
    assert abs(np.vdot(ours, theirs)) == pytest.approx(1, abs=1e-12)


def sampled(device, shots):
    @qml.set_shots(shots=shots)
    @qml.qnode(device)
    def node():
        qml.BasisState([1, 0, 1, 0], wires=range(4))
        qml.IsingXY(0.9, wires=[0, 1])
        qml.SingleExcitation(1.2, wires=[2, 3])
        qml.IsingXY(0.6, wires=[1, 2])
        mixed = 0.5 * qml.Z(0) @ qml.Z(2) - qml.Z(3)
        return qml.counts(), qml.sample(wires=[3, 0]), qml.expval(mixed), qml.var(mixed), qml.probs(wires=[1, 2])

    return node


def test_shots_are_drawn_from_the_exact_distribution_and_repeat_with_the_seed():
    noise, shots = "relaxation:0.1+dephasing:0.05", 20_000
    counts, samples, mean, variance, probabilities = sampled(SectorDevice(wires=4, noise=noise, seed=1), shots)()

    @qml.qnode(SectorDevice(wires=4, noise=noise))
    def exact():
        qml.BasisState([1, 0, 1, 0], wires=range(4))
        qml.IsingXY(0.9, wires=[0, 1])
        qml.SingleExcitation(1.2, wires=[2, 3])
        qml.IsingXY(0.6, wires=[1, 2])
        mixed = 0.5 * qml.Z(0) @ qml.Z(2) - qml.Z(3)
        distributions = qml.probs(wires=range(4)), qml.probs(wires=[3, 0])
        return *distributions, qml.expval(mixed), qml.var(mixed), qml.probs(wires=[1, 2])

    whole, pair, exact_mean, exact_variance, exact_probabilities = exact()
    # five standard errors; the seed is fixed
    for outcome, p in enumerate(whole):
        found = counts.get(f"{outcome:04b}", 0) / shots
        assert abs(found - p) < 5 * np.sqrt(max(p * (1 - p), 0) / shots) + 1e-9
    found = np.bincount(np.asarray(samples) @ [2, 1], minlength=4) / shots
    np.testing.assert_allclose(found, pair, rtol=0, atol=5 * 0.5 / np.sqrt(shots))
    assert abs(mean - exact_mean) < 5 * np.sqrt(exact_variance / shots)
    assert variance == pytest.approx(exact_variance, rel=0.05)
    np.testing.assert_allclose(probabilities, exact_probabilities, rtol=0, atol=5 * 0.5 / np.sqrt(shots))
    again = sampled(SectorDevice(wires=4, noise=noise, seed=1), shots)()
    other = sampled(SectorDevice(wires=4, noise=noise, seed=2), shots)()
    assert again[0] == counts
    assert other[0] != counts


def test_parts_of_shots_have_their_own_results_and_shift_rules_use_shots():
    @qml.qnode(SectorDevice(wires=2, seed=3))
    def node(x):
        qml.X(0)
        qml.IsingXY(x, wires=[0, 1])
        return qml.expval(qml.Z(0))

    parts = qml.set_shots(node, shots=(100, 50))(0.5)
    assert len(parts) == 2
    x = pnp.array(0.5, requires_grad=True)
    # the four-term rule on 40,000 shots each
    assert float(qml.grad(qml.set_shots(node, shots=40_000))(x)) == pytest.approx(np.sin(0.5), abs=0.03)


def test_observables_in_other_bases_are_refused_with_shots():
    with pytest.raises(eq.EquinoiseError, match=r"expval of the observable PauliX on wires \[0\].*with shots"):
        qml.set_shots(lambda_node(lambda: qml.expval(qml.X(0))), shots=10)()
    with pytest.raises(eq.EquinoiseError, match="takes shots with the QNode"):
        SectorDevice(wires=2, shots=100)


def lambda_node(measure):
    @qml.qnode(SectorDevice(wires=2))
    def node():
        qml.X(0)
        qml.IsingXY(0.4, wires=[0, 1])
        return measure()

    return node


def test_threads_share_a_device_and_a_pickle_of_it_has_the_same_values():
    tapes = []
    for seed in range(3):  # PennyLane itself records in one thread alone
        program = random_program(seed, [])
        with qml.queuing.AnnotatedQueue() as queue:
            qml.BasisState([1, 0, 1, 0], wires=range(4))
            apply(program, angles_of(program).tolist())
            qml.expval(qml.Z(2))
        tapes.append(qml.tape.QuantumScript.from_queue(queue))
    expected = [float(SectorDevice(wires=4, noise="relaxation:0.1").execute(tape)) for tape in tapes]
    shared = SectorDevice(wires=4, noise="relaxation:0.1")
    with ThreadPoolExecutor(4) as pool:
        assert [float(value) for value in pool.map(shared.execute, tapes * 4)] == expected * 4
    assert float(pickle.loads(pickle.dumps(shared)).execute(tapes[0])) == expected[0]


def test_a_trainable_channel_strength_is_refused():
    @qml.qnode(SectorDevice(wires=2))
    def node(p):
        qml.X(0)
        qml.IsingXY(0.3, wires=[0, 1])
        qml.PhaseDamping(p, wires=0)
        return qml.expval(qml.Z(0))

    with pytest.raises(eq.EquinoiseError, match=r"parameter 0 of PhaseDamping on wires .* is marked as trainable"):
        qml.grad(node)(pnp.array(0.1, requires_grad=True))


def test_noise_of_device_and_circuit_together_is_refused():
    with pytest.raises(eq.EquinoiseError, match=r"circuit holds channels \(PhaseDamping on wires \[0\]\)"):
        run(SectorDevice(wires=2, noise="dephasing:0.1"), lambda: qml.PhaseDamping(0.1, wires=0))
