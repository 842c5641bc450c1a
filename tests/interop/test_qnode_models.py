"""QNodes as models: values and gradients against PennyLane's own simulators, ties, interfaces, batches, refusals."""

import numpy as np
import pandas as pd
import pytest

import equinoise as eq
from equinoise.errors import CircuitError, DataError, NoiseError, ParameterError, SymmetryError, UnsupportedError

qml = pytest.importorskip("pennylane")

ROWS = np.random.default_rng(0).uniform(-1, 1, (5, 2))
LABELS = np.random.default_rng(1).uniform(-1, 1, (5, 2))
WEIGHTS = np.random.default_rng(2).uniform(-1, 1, (2, 5))


def reuploading(x, w, noisy=False):
    """Inputs times weights, a function of the input, and hops in two parts that only a common angle makes conserve."""
    qml.BasisState([1, 0, 1], wires=range(3))
    for layer in w:
        for wire in range(3):
            qml.RZ(x[wire % 2] * layer[wire] + 0.1, wires=wire)
        qml.SingleExcitation(layer[3], wires=[0, 1])
        angle = layer[4] * x[0] ** 2 - 0.3 * layer[3]
        qml.IsingXX(angle, wires=[1, 2])
        qml.IsingYY(angle, wires=[1, 2])
        if noisy:
            for wire in range(3):
                qml.AmplitudeDamping(0.03, wires=wire)
                qml.PhaseDamping(0.05, wires=wire)


def energies():
    hop = qml.X(1) @ qml.X(2) + qml.Y(1) @ qml.Y(2)
    return [qml.expval(qml.Z(0)), qml.expval(qml.Hamiltonian([0.7, 0.4], [qml.Z(1) @ qml.Z(2), hop]))]


def loss_by_pennylane(circuit, rows, labels):
    def loss(w):
        squares = [
            (f - y) ** 2 for x, row in zip(rows, labels, strict=True) for f, y in zip(circuit(x, w), row, strict=True)
        ]
        return sum(squares) / len(squares)

    return loss


@pytest.mark.parametrize(("device", "noisy"), [("default.qubit", False), ("default.mixed", True)])
def test_loss_and_gradient_are_those_that_pennylane_differentiates(device, noisy):
    @qml.qnode(qml.device(device, wires=3))
    def circuit(x, w):
        reuploading(x, w, noisy)
        return energies()

    model = eq.Model.from_qnode(circuit, weights=WEIGHTS, data=ROWS, labels=LABELS, loss="mse")
    found = eq.loss_gradient(model, WEIGHTS.ravel())
    loss = loss_by_pennylane(circuit, ROWS, LABELS)
    weights = qml.numpy.array(WEIGHTS, requires_grad=True)
    assert found.loss == pytest.approx(loss(weights), abs=1e-10)
    np.testing.assert_allclose(found.gradient, qml.grad(loss)(weights).ravel(), atol=1e-8)
    assert [p.name for p in model.inputs] == ["x[0]", "x[1]", "f0(data)"]  # x[0]^2 alone is no column of the data
    assert bool(model.problem.noise.terms) == noisy


def test_a_model_of_some_rows_predicts_what_the_model_of_all_does():
    @qml.qnode(qml.device("default.qubit", wires=3))
    def circuit(x, w):
        reuploading(x, w)
        return energies()

    def predictions(rows):
        model = eq.Model.from_qnode(circuit, weights=WEIGHTS, data=ROWS[rows])
        return eq.loss_gradient(model, WEIGHTS.ravel()).predictions

    whole = predictions(slice(None))
    for rows in ([0], [1, 3], [4, 2, 0]):  # one row binds, two rows make every column a line
        np.testing.assert_allclose(predictions(rows), whole[rows], atol=1e-12)


def test_probabilities_are_readouts_in_the_order_of_their_outcomes():
    @qml.qnode(qml.device("default.qubit", wires=3))
    def circuit(x, w):
        reuploading(x, w)
        return qml.probs(wires=[2, 0])

    model = eq.Model.from_qnode(circuit, weights=WEIGHTS, data=ROWS)
    found = eq.loss_gradient(model, WEIGHTS.ravel()).predictions
    np.testing.assert_allclose(found, [circuit(x, WEIGHTS) for x in ROWS], atol=1e-12)


def test_a_torch_layer_is_a_model_with_its_own_weights():
    torch = pytest.importorskip("torch")

    @qml.qnode(qml.device("default.qubit", wires=3), interface="torch")
    def circuit(inputs, w):
        qml.X(0)
        qml.AngleEmbedding(inputs, wires=[0, 1], rotation="Z")
        for k in range(2):
            qml.SingleExcitation(w[k] * torch.tanh(inputs[..., k]), wires=[k, k + 1])
        qml.AngleEmbedding(inputs, wires=[1, 2], rotation="Z")
        qml.SingleExcitation(w[2], wires=[0, 1])
        return [qml.expval(qml.Z(k)) for k in range(2)]

    torch.manual_seed(0)
    layer = qml.qnn.TorchLayer(circuit, {"w": 3}).double()
    data, labels = torch.tensor(ROWS), torch.tensor(LABELS)
    loss = torch.nn.functional.mse_loss(layer(data), labels)
    loss.backward()
    model = eq.Model.from_qnode(layer, data=data, labels=labels, loss="mse", prior="normal:0.1", at=layer.qnode_weights)
    found = eq.loss_gradient(model, layer.qnode_weights["w"].detach().numpy())
    assert found.loss == pytest.approx(loss.item(), abs=1e-10)
    np.testing.assert_allclose(found.gradient, layer.qnode_weights["w"].grad.numpy(), atol=1e-8)
    np.testing.assert_allclose(model.draw(400, 0).mean(axis=0), layer.qnode_weights["w"].detach().numpy(), atol=0.02)


def test_a_function_of_jax_is_a_model():
    jax = pytest.importorskip("jax")

    @qml.qnode(qml.device("default.qubit", wires=2), interface="jax")
    def circuit(x, w):
        qml.X(0)
        qml.SingleExcitation(w[0] * jax.numpy.exp(x[0]) + w[1], wires=[0, 1])
        qml.RZ(w[1] * x[1], wires=1)
        qml.SingleExcitation(0.4, wires=[0, 1])
        return qml.expval(qml.Z(0))

    model = eq.Model.from_qnode(circuit, weights=[0.3, 0.2], data=ROWS)
    found = eq.loss_gradient(model, [0.3, 0.2])
    with jax.enable_x64(True):
        weights = jax.numpy.array([0.3, 0.2])
        gradient = jax.grad(lambda w: sum(circuit(x, w) for x in ROWS) / len(ROWS))(weights)
    np.testing.assert_allclose(found.gradient, gradient, atol=1e-8)


def one_hop(angle):
    """<Z0> of a hop between two qubits, one of them occupied."""
    qml.X(0)
    qml.SingleExcitation(angle, wires=[0, 1])
    return qml.expval(qml.Z(0))


def hop(function, **options):
    return qml.qnode(qml.device("default.qubit", wires=2), **options)(function)


def test_a_qnode_of_whole_batches_is_the_one_of_its_rows():
    by_rows = hop(lambda x, w: one_hop(w[0] * x[0] + w[1] * x[1]))
    by_batch = hop(lambda x, w: one_hop(w[0] * x[:, 0] + w[1] * x[:, 1]))
    either = hop(lambda x, w: one_hop(w[0] * x[..., 0] + w[1] * x[..., 1]))
    square = ROWS[:2]  # as many rows as columns: x[0] of a batch would be a row
    for rows in (ROWS, square):
        expected = -np.cos(rows @ [0.3, 0.2])[:, None]
        for circuit in (by_rows, by_batch, either):
            model = eq.Model.from_qnode(circuit, weights=[0.3, 0.2], data=rows)
            np.testing.assert_allclose(eq.loss_gradient(model, [0.3, 0.2]).predictions, expected, atol=1e-12)


def test_weights_that_share_no_angle_are_probed_together():
    calls = []

    @qml.qnode(qml.device("default.qubit", wires=2))
    def circuit(x, w):
        calls.append(1)
        qml.X(0)
        for k in range(12):
            qml.RZ(w[k] * x[0], wires=0)
            qml.SingleExcitation(w[k], wires=[0, 1])
        return qml.expval(qml.Z(0))

    eq.Model.from_qnode(circuit, weights=np.zeros(12), data=np.linspace(0.1, 1, 60)[:, None])
    assert len(calls) < 12 * 8 + 3 * 62  # all weights for four rows, then three times all rows


def test_arguments_are_found_by_name_and_columns_by_their_labels():
    @qml.qnode(qml.device("default.qubit", wires=2))
    def circuit(angles, first, second, offset):
        return one_hop(angles[0] * first + angles[1] * second[1] + offset)

    data = {"first": ROWS[:, 0], "second": ROWS}
    model = eq.Model.from_qnode(circuit, weights={"angles": [0.3, 0.2], "offset": 0.1}, data=data)
    assert [p.name for p in model.weights] == ["angles[0]", "angles[1]", "offset"]
    assert [p.name for p in model.inputs] == ["first", "second[1]"]
    found = eq.loss_gradient(model, [0.3, 0.2, 0.1]).predictions
    np.testing.assert_allclose(found[:, 0], -np.cos(ROWS @ [0.3, 0.2] + 0.1), atol=1e-12)

    frame = pd.DataFrame(ROWS, columns=["a", "b"]).assign(y=LABELS[:, 0])
    model = eq.Model.from_qnode(hop(lambda x, w: one_hop(w * x[0])), weights=0.3, data=frame, labels="y", loss="mse")
    np.testing.assert_array_equal(model.rows.labels, LABELS[:, 0])


def test_data_without_weights_binds_and_a_model_without_data_has_one_row():
    model = eq.Model.from_qnode(hop(lambda w: one_hop(2 * w[0] - w[1] + 0.5)), weights=[0.3, 0.2])
    assert model.rows.count == 1
    found = eq.loss_gradient(model, [0.3, 0.2])
    np.testing.assert_allclose(found.gradient, np.sin(0.9) * np.array([2, -1]), atol=1e-12)


def test_the_sector_device_hands_its_noise_on():
    device = qml.device("equinoise.sector", wires=2, noise="dephasing:0.1", charge=1)
    model = eq.Model.from_qnode(qml.QNode(one_hop, device), weights=0.3)
    assert model.problem.noise.name == "dephasing:0.1"
    assert model.problem.charge == 1
    quiet = eq.Model.from_qnode(qml.QNode(one_hop, device), weights=0.3, noise="depolarizing:0.1")
    assert quiet.problem.noise.name == "depolarizing:0.1"


def test_what_is_left_out_is_told():
    circuit = qml.set_shots(hop(lambda w: one_hop(w[0])), 100)
    model = eq.Model.from_qnode(circuit, weights=[0.3, 0.2])
    assert any("1 weights enter no gate and are left out (w[1])" in note for note in model.warnings)
    assert any("shots are left out" in note for note in model.warnings)


def channel_of_weight(w):
    qml.X(0)
    qml.SingleExcitation(w[0], wires=[0, 1])
    qml.PhaseDamping(w[1], wires=0)
    return qml.expval(qml.Z(0))


def state_of_data(x, w):
    qml.AmplitudeEmbedding(x, wires=[0], normalize=True)
    qml.SingleExcitation(w[0], wires=[0, 1])
    return qml.expval(qml.Z(0))


def flips_of_data(x, w):
    if x[0] > 0:
        qml.X(1)
    return one_hop(w[0])


def variance(x, w):
    one_hop(w[0] * x[0])
    return qml.var(qml.Z(0))


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda x, w: one_hop(x[0] * np.sin(w[0])), ParameterError, r"SingleExcitation on wires \[0, 1\] is no linear"),
        (lambda x, w: one_hop(w[0] * w[1]), ParameterError, r"\(w\[0\], w\[1\]; row 0"),
        (lambda x, w: one_hop(x[0]), ParameterError, "nothing to train"),
        (lambda x, w: one_hop(w[0]), DataError, "no angle of the QNode depends on its data"),
        (lambda x, w: channel_of_weight(w), UnsupportedError, "PhaseDamping on wires .* depends on the weights"),
        (state_of_data, UnsupportedError, r"depends on the data \(row 1"),
        (flips_of_data, UnsupportedError, "data"),
        (variance, UnsupportedError, "mean values"),
        (lambda x, w: one_hop(x[9] * w[0]), CircuitError, "IndexError"),
        (lambda x, y, w: one_hop(x[0] * w[0]), ParameterError, "name them"),
    ],
)
def test_a_qnode_that_is_no_model_is_refused_by_name(function, error, text):
    with pytest.raises(error, match=text):
        eq.Model.from_qnode(hop(function), weights=[0.3, 0.2], data=ROWS)


def test_statements_that_do_not_fit_are_refused():
    circuit = hop(lambda x, w: one_hop(x[0] * w[0]))
    other = hop(lambda a, b: one_hop(a[0] * b[0]))
    with pytest.raises(ParameterError, match="which of the QNode's arguments"):
        eq.Model.from_qnode(other, weights=[0.3], data=ROWS)
    with pytest.raises(ParameterError, match="'c' is none of them"):
        eq.Model.from_qnode(other, weights={"a": [0.3], "c": [0.1]}, data={"b": ROWS})
    with pytest.raises(ParameterError, match="weights= is missing"):
        eq.Model.from_qnode(circuit, data=ROWS)
    with pytest.raises(CircuitError, match="QNode or TorchLayer, got function"):
        eq.Model.from_qnode(lambda w: w, weights=[0.3])
    with pytest.raises(DataError, match=r"not finite at \(1, 0\)"):
        eq.Model.from_qnode(circuit, weights=[0.3], data=[[1.0], [np.nan]])
    with pytest.raises(ParameterError, match="shapes of the weights"):
        eq.Model.from_qnode(circuit, weights=[0.3], data=ROWS, at=[0.1, 0.2])

    @qml.qnode(qml.device("default.mixed", wires=2))
    def noisy(w):
        qml.X(0)
        qml.SingleExcitation(w, wires=[0, 1])
        qml.PhaseDamping(0.1, wires=0)
        return qml.expval(qml.Z(0))

    with pytest.raises(NoiseError, match="which acts first"):
        eq.Model.from_qnode(noisy, weights=0.3, noise="dephasing:0.1")


def test_gates_that_break_the_charge_are_named_and_run_in_the_full_space_where_asked():
    @qml.qnode(qml.device("default.qubit", wires=2))
    def circuit(x, w):
        qml.X(0)
        qml.SingleExcitation(w[0], wires=[0, 1])
        qml.RX(x[0], wires=0)
        qml.SingleExcitation(w[1], wires=[0, 1])
        return qml.expval(qml.Z(0))

    with pytest.raises(SymmetryError, match=r"RX on wires \[0\]"):
        eq.Model.from_qnode(circuit, weights=[0.3, 0.2], data=ROWS)
    model = eq.Model.from_qnode(circuit, weights=[0.3, 0.2], data=ROWS, allow_broken=True)
    found = eq.loss_gradient(model, [0.3, 0.2]).predictions[:, 0]
    np.testing.assert_allclose(found, [circuit(x, [0.3, 0.2]) for x in ROWS], atol=1e-12)


def test_a_molecule_of_a_tutorial_has_pennylanes_energy_and_gradient_under_noise():
    molecule = qml.qchem.Molecule(["H", "H"], np.array([[0.0, 0.0, -0.6614], [0.0, 0.0, 0.6614]]))
    hamiltonian, wires = qml.qchem.molecular_hamiltonian(molecule)

    @qml.qnode(qml.device("default.mixed", wires=wires), diff_method="parameter-shift")
    def energy(w):
        qml.BasisState([1, 1, 0, 0], wires=range(4))
        qml.DoubleExcitation(w[0], wires=[0, 1, 2, 3])
        for wire in range(4):
            qml.AmplitudeDamping(0.02, wires=wire)
        qml.SingleExcitation(w[1], wires=[0, 2])
        qml.SingleExcitation(w[2], wires=[1, 3])
        return qml.expval(hamiltonian)

    found = eq.loss_gradient(eq.Model.from_qnode(energy, weights=[0.2, 0.1, -0.3]), [0.2, 0.1, -0.3])
    weights = qml.numpy.array([0.2, 0.1, -0.3], requires_grad=True)
    assert found.loss == pytest.approx(energy(weights), abs=1e-9)
    np.testing.assert_allclose(found.gradient, qml.grad(energy)(weights), atol=1e-9)
