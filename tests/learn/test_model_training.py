"""Training of a user's own model: exact steps, resumed runs, loss and accuracy with and without noise."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.learn import CheckpointError, Plan, TrainingError, train
from equinoise.learn.adam import Adam

ROWS = np.random.default_rng(0).uniform(-1, 1, (12, 2))
CLASSES = (ROWS[:, 0] + 0.3 * ROWS[:, 1] > 0).astype(int)
PLAN = Plan(epochs=3, batch_size=5, learning_rate=0.1, seed=4)


def model(rows=slice(None), labels=CLASSES, **changed):
    x, w = ParameterVector("x", 2), ParameterVector("w", 5)
    circuit = QuantumCircuit(3)
    for k in range(2):
        circuit.append(XXPlusYYGate(w[k] * x[k] + w[2]), [k, k + 1])
        circuit.rz(w[3], k)
        circuit.barrier()
        circuit.append(XXPlusYYGate(w[4] + x[1 - k]), [k, k + 1])
        circuit.barrier()
    settings = {"loss": "cross-entropy", "scale": 3.0, "initial": "010", "noise": "relaxation:down=0.1", **changed}
    return eq.Model(circuit, ["Z0", "Z2"], inputs=x, data=ROWS[rows], labels=labels[rows], **settings)


def test_a_run_is_adam_on_the_loss_gradients_of_its_batches():
    whole = model()
    found = train(whole, PLAN)
    theta = found.start.copy()
    adam = Adam([theta], PLAN.learning_rate)
    for epoch in range(PLAN.epochs):
        order = np.random.default_rng(np.random.SeedSequence([PLAN.seed, 0x6F72, epoch])).permutation(12)
        losses = []
        for rows in (order[:5], order[5:10], order[10:]):
            batch = eq.loss_gradient(model(rows), theta)
            losses += batch.losses.tolist()
            adam.step([theta], [batch.gradient])
        assert found.history[epoch].loss == pytest.approx(np.mean(losses), abs=1e-12)
        assert found.history[epoch].noiseless_loss == pytest.approx(eq.loss_gradient(whole, theta, 0.0).loss, abs=1e-12)
    np.testing.assert_allclose(found.theta, theta, atol=1e-10)
    last = eq.loss_gradient(whole, theta)
    assert found.loss == pytest.approx(last.loss, abs=1e-10)
    assert found.accuracy == np.mean(last.predictions.argmax(axis=1) == CLASSES)
    assert found.weights == dict(zip([p.name for p in whole.weights], found.theta.tolist(), strict=True))


def test_training_learns_what_can_be_learned():
    found = train(model(), Plan(epochs=40, batch_size=12, learning_rate=0.1))
    assert found.loss < 0.6 * found.history[0].loss
    assert found.noiseless_loss < found.loss
    assert min(found.accuracy, found.noiseless_accuracy) > 0.8


def test_an_interrupted_run_goes_on_to_the_same_numbers(tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total):
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        train(model(), PLAN, checkpoint=tmp_path, progress=stop)
    ticks = []
    resumed = train(model(), PLAN, checkpoint=tmp_path, progress=lambda done, total: ticks.append((done, total)))
    assert ticks == [(k, 9) for k in range(5, 10)]
    straight = train(model(), PLAN, workers=1)
    np.testing.assert_array_equal(resumed.theta, straight.theta)
    assert resumed.history == straight.history


@pytest.mark.parametrize(
    "changed",
    [
        {"noise": "relaxation:down=0.2"},
        {"labels": 1 - CLASSES},
        {"scale": 2.0},
        {"initial": "001"},
        {"prior": "normal:1"},
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, changed):
    train(model(), PLAN, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="other data or settings"):
        train(model(**changed), PLAN, checkpoint=tmp_path)


def test_a_twin_without_noise_starts_from_the_same_weights(tmp_path):
    found = train(model(), PLAN, twin=True, checkpoint=tmp_path)
    alone = train(model(noise=None), PLAN)
    np.testing.assert_array_equal(found.twin.start, found.start)
    np.testing.assert_allclose(found.twin.theta, alone.theta, atol=1e-12)
    assert found.twin.loss == found.twin.noiseless_loss
    assert (tmp_path / "noiseless" / "checkpoint.npz").is_file()


def test_weights_that_are_not_trained_stay_and_a_point_is_where_a_run_starts():
    point = {"w[0]": 0.1, "w[1]": 0.2, "w[2]": 0.3, "w[3]": 0.4, "w[4]": 0.5}
    found = train(model(at=point, prior="normal:1e-9", trained=["w[1]", "w[4]"]), PLAN)
    np.testing.assert_allclose(found.start, list(point.values()), atol=1e-7)
    np.testing.assert_array_equal(found.theta[[0, 2, 3]], found.start[[0, 2, 3]])
    assert np.abs(found.theta - found.start)[[1, 4]].min() > 0.05


def test_losses_without_classes_have_no_accuracy():
    labels = np.stack([CLASSES, -CLASSES], axis=1)
    found = train(model(loss="mse", labels=labels), Plan(epochs=1))
    assert found.accuracy is None
    assert found.history[0].accuracy is None
    assert found.history[0].noiseless_accuracy is None
    assert found.to_dict()["history"][0]["accuracy"] is None


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({"epochs": -1}, "epochs must be a whole number of 0 to"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number"),
        ({"learning_rate": True}, "learning_rate must be a positive number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"shots": 100}, "leave shots out"),
    ],
)
def test_plans_that_do_not_fit_are_refused(plan, text):
    with pytest.raises(TrainingError, match=text):
        train(model(), Plan(**plan))


def test_what_is_no_model_is_refused():
    with pytest.raises(TrainingError, match="got QuantumCircuit and Plan"):
        train(QuantumCircuit(1))
