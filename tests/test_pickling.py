"""Whatever a user can hold is pickled, also after use, and answers the same when it comes back."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
import pennylane as qml
import pytest
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise import learn, mitigation
from equinoise.engines.select import select_engine
from equinoise.interop.pennylane_device import SectorDevice
from equinoise.interop.qiskit_estimator import SectorEstimator
from equinoise.interop.qiskit_gradient import SectorEstimatorGradient
from equinoise.learn.classifier_circuit import ClassifierCircuit, Design

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}
CIRCUIT = eq.circuits.brickwork(4, depth=2)
ANGLES = np.linspace(-1.0, 1.0, len(CIRCUIT.parameters))

Case = tuple[Any, Callable[[Any], Any]]


def problem(noise: Any = "dephasing:0.02") -> eq.Problem:
    return eq.Problem(CIRCUIT, readout="Z2", initial="neel", noise=noise)


def engine(name: str) -> Case:
    """An engine and its first-order answer, which takes all that it has."""
    if name in ("commutant", "permutation"):
        circuit = eq.circuits.permutation_equivariant(3, depth=1)
        stated = eq.Problem(circuit, "Z0+Z1+Z2", initial="000", noise="relaxation:0.05", symmetry="permutation")
    else:
        stated = eq.Problem(eq.circuits.brickwork(4, depth=2, interaction="none"), "Z2", "neel", "dephasing:0.02")
    theta = np.linspace(-1.0, 1.0, len(stated.parameters))

    def asked(one: Any) -> Any:
        first = one.first_order(theta, np.random.default_rng(1))
        return [first.square, first.slope, *first.budget, *one.draw(theta, 0.0).gradient]

    return select_engine(stated, name), asked


def fitted(verified: bool) -> Case:
    rows = np.random.default_rng(0).normal(size=(10, 3))
    found = learn.ChargeClassifier(depth=1, epochs=1, noise="dephasing:0.01", verified=verified)
    return found.fit(rows, np.arange(10) % 2), lambda one: one.predict_proba(rows)


def model() -> Case:
    one, vectors = ClassifierCircuit(Design(4, 2, noise="dephasing:0.01")), np.eye(4)[:3]
    trained = np.full(len(one.trained), 0.2)
    return one, lambda m: [*m.expectations(trained, m.loaded(vectors)).ravel(), *m.outcomes.values.ravel()]


def device() -> Case:
    def circuit(angle: Any) -> Any:
        qml.X(0)
        qml.IsingXY(angle, wires=[0, 1])
        return qml.expval(qml.Z(0))

    def asked(one: Any) -> Any:
        node = qml.QNode(circuit, one, diff_method="device")
        angle = qml.numpy.array(0.3, requires_grad=True)
        return [node(angle), qml.grad(node)(angle)]

    return SectorDevice(wires=2, noise="dephasing:0.05"), asked


def estimator() -> Case:
    return SectorEstimator(
        noise="dephasing:0.05"
    ), lambda one: one.run([(CIRCUIT, "IZII", ANGLES)]).result()[0].data.evs


def estimator_gradient() -> Case:
    observable = [SparsePauliOp("IZII")]
    one = SectorEstimatorGradient(SectorEstimator(noise="dephasing:0.05"))
    return one, lambda g: g.run([CIRCUIT], observable, [ANGLES]).result().gradients[0]


CASES: dict[str, Callable[[], Case]] = {
    "problem": lambda: (problem(), lambda p: eq.gradient(p, ANGLES).gradient),
    "problem on a device": lambda: (
        problem("ibm:torino"),
        lambda p: [*eq.gradient(p, ANGLES).gradient, *eq.gradient(p.with_noise(p.stated_noise), ANGLES).gradient],
    ),
    "noise": lambda: (
        eq.NoiseModel.from_string("ibm:torino"),
        lambda m: eq.gradient(problem(m), ANGLES).gradient,
    ),
    "noise in time": lambda: (
        mitigation.decouple(problem("static:0.05"), "X2", durations={"xx_plus_yy": 4e-7, "rzz": 2e-7}).decoupled.noise,
        lambda m: [phases.array.sum() for phases in m.phases],
    ),
    "program": lambda: (select_engine(problem()).program, lambda p: [p.numbers, p.width, len(p.budget_terms)]),
    "law": lambda: (
        eq.law(problem(), sampling=eq.Sampling(samples=4)),
        lambda law: [law.kappa, *law.survival([0.5, 2])],
    ),
    "diagnosis": lambda: (
        eq.diagnose(problem(), sampling=eq.Sampling(samples=4)),
        lambda d: [d.law.kappa, d.simulated.survival, len(d._repr_html_())],
    ),
    "model": model,
    "classifier": lambda: fitted(False),
    "verified classifier": lambda: fitted(True),
    "PennyLane device": device,
    "Qiskit estimator": estimator,
    "Qiskit gradient": estimator_gradient,
    **{
        name: lambda name=name: engine(name)
        for name in ("exact", "free-fermion", "state-vector", "trajectories", "commutant", "permutation")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_round_trips_answer_the_same_before_and_after_use(name):
    value, asked = CASES[name]()
    unused = [way(value) for way in WAYS.values()]
    expected = np.asarray(asked(value), dtype=np.float64)
    used = [way(value) for way in WAYS.values()]
    for found in (*unused, *used):
        np.testing.assert_allclose(np.asarray(asked(found), dtype=np.float64), expected, rtol=1e-12, atol=1e-14)


def test_a_pickled_engine_is_made_again_from_its_problem_and_not_from_its_tables():
    """Six qubits in the full space hold 4096 numbers a state; the pickle holds the statement alone."""
    stated = eq.Problem(eq.circuits.brickwork(6, depth=2), "Z3", "neel", {"pauli": [{"pauli": "X3", "rate": 0.1}]})
    one = select_engine(stated, "exact")
    before = len(pickle.dumps(one))
    theta = np.linspace(-1.0, 1.0, len(stated.parameters))
    one.draw(theta, 1.0)
    one.series(theta)
    assert len(pickle.dumps(one)) == before
    back = pickle.loads(pickle.dumps(one))
    assert back.program is not one.program
    np.testing.assert_array_equal(back.draw(theta, 1.0).gradient, one.draw(theta, 1.0).gradient)
