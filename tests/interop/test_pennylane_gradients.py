"""PennyLane's gradient tests for devices, in copies that conserve the charge: theirs turn with RX, RY and CNOT.

Their circuits need states that are no charge's, so that the device refuses all 54 of them. The copies keep what each
asks (one angle, several readouts, probabilities, several measurements, second derivatives, constants among the
arguments) for each interface and each way to differentiate that the device has, against closed forms.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

qml = pytest.importorskip("pennylane")

from equinoise.interop.pennylane_device import SectorDevice  # noqa: E402

METHODS = ["device", "adjoint", "parameter-shift"]
# exact up to rounding; the shift rule of IsingXY sums four terms
TOLERANCE = {"rtol": 0, "atol": 1e-9}


class Autograd:
    """Derivatives by PennyLane's NumPy; arguments marked as constant are left out."""

    def derivative(self, function: Callable[..., Any], arguments: Sequence[float], constant: Sequence[int] = ()) -> Any:
        marked = [qml.numpy.array(a, requires_grad=i not in constant) for i, a in enumerate(arguments)]
        found = qml.jacobian(function)(*marked)
        return found if isinstance(found, tuple) else (found,)

    def hessian(self, function: Callable[..., Any], argument: Sequence[float]) -> Any:
        return qml.jacobian(qml.grad(function))(qml.numpy.array(argument, requires_grad=True))


class Jax:
    """Derivatives by JAX in double precision."""

    def __init__(self) -> None:
        self.jax = importlib.import_module("jax")

    def derivative(self, function: Callable[..., Any], arguments: Sequence[float], constant: Sequence[int] = ()) -> Any:
        places = [i for i in range(len(arguments)) if i not in constant]
        return self.jax.jacobian(function, argnums=tuple(places))(*map(self.jax.numpy.array, arguments))

    def hessian(self, function: Callable[..., Any], argument: Sequence[float]) -> Any:
        # forward over reverse, as jax.hessian does, is not provided by PennyLane
        return self.jax.jacrev(self.jax.grad(function))(self.jax.numpy.array(argument))


class Torch:
    """Derivatives by torch in double precision."""

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")

    def derivative(self, function: Callable[..., Any], arguments: Sequence[float], constant: Sequence[int] = ()) -> Any:
        tensors = [self.torch.tensor(a, dtype=self.torch.float64) for a in arguments]
        places = [i for i in range(len(tensors)) if i not in constant]

        def of_places(*values: Any) -> Any:
            filled = list(tensors)
            for place, value in zip(places, values, strict=True):
                filled[place] = value
            return function(*filled)

        return self.torch.autograd.functional.jacobian(of_places, tuple(tensors[i] for i in places))

    def hessian(self, function: Callable[..., Any], argument: Sequence[float]) -> Any:
        return self.torch.autograd.functional.hessian(function, self.torch.tensor(argument, dtype=self.torch.float64))


@pytest.fixture(params=[Autograd, Jax, Torch], ids=["autograd", "jax", "torch"])
def interface(request):
    """One interface; JAX counts in double precision for the time of the test."""
    if request.param is not Jax:
        yield request.param()
        return
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield Jax()
    jax.config.update("jax_enable_x64", before)


def hop(angle: Any, wires: Sequence[int]) -> None:
    """The excitation hops with probability sin^2(angle/2)."""
    qml.IsingXY(angle, wires=wires)


@pytest.mark.parametrize("method", METHODS)
def test_one_angle_and_one_expectation(interface, method):
    @qml.qnode(SectorDevice(wires=2), diff_method=method)
    def circuit(x):
        qml.X(0)
        hop(x, [0, 1])
        return qml.expval(qml.Z(0))

    # <Z0> = -cos x
    (found,) = interface.derivative(circuit, [0.5])
    np.testing.assert_allclose(found, np.sin(0.5), **TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
def test_a_hamiltonian_of_terms_that_do_not_commute(interface, method):
    hamiltonian = qml.Hamiltonian([1, 0.5, 0.5], [qml.Z(0), qml.X(0) @ qml.X(1), qml.Y(0) @ qml.Y(1)])

    @qml.qnode(SectorDevice(wires=2), diff_method=method)
    def circuit(a, b):
        qml.X(0)
        hop(a, [0, 1])
        qml.RZ(b, wires=0)
        return qml.expval(hamiltonian)

    # the excitation is a qubit: <H> = -cos a + sin a sin b
    a, b = 0.1, 0.2
    expected = [np.sin(a) + np.cos(a) * np.sin(b), np.sin(a) * np.cos(b)]
    np.testing.assert_allclose(interface.derivative(circuit, [a, b]), expected, **TOLERANCE)
    # the second argument a constant
    np.testing.assert_allclose(interface.derivative(circuit, [a, b], constant=[1])[0], expected[0], **TOLERANCE)


def two_hops(x: Any, y: Any) -> None:
    """Wire 1 is occupied with probability (1 - cos x)(1 + cos y)/4, wire 2 with (1 - cos x)(1 - cos y)/4."""
    qml.X(0)
    hop(x, [0, 1])
    hop(y, [1, 2])


@pytest.mark.parametrize("method", METHODS)
def test_probabilities(interface, method):
    @qml.qnode(SectorDevice(wires=3), diff_method=method)
    def circuit(x, y):
        two_hops(x, y)
        return qml.probs(wires=[1])

    x, y = 0.543, -0.654
    slopes = np.array([np.sin(x) * (1 + np.cos(y)) / 4, -(1 - np.cos(x)) * np.sin(y) / 4])
    found = interface.derivative(circuit, [x, y])
    assert [np.shape(part) for part in found] == [(2,), (2,)]
    np.testing.assert_allclose(found, np.outer(slopes, [-1, 1]), **TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
def test_an_expectation_beside_probabilities(interface, method):
    @qml.qnode(SectorDevice(wires=3), diff_method=method)
    def circuit(x, y):
        two_hops(x, y)
        return qml.expval(qml.Z(0)), qml.probs(wires=[1])

    def flat(x, y):
        value, probabilities = circuit(x, y)
        return qml.math.concatenate([qml.math.reshape(value, (1,)), probabilities])

    x, y = 0.543, -0.654
    slope = np.sin(x) * (1 + np.cos(y)) / 4
    (found,) = interface.derivative(flat, [x, y], constant=[1])
    np.testing.assert_allclose(found, [np.sin(x), -slope, slope], **TOLERANCE)


def test_second_derivatives_by_the_shift_rule(interface):
    @qml.qnode(SectorDevice(wires=3), diff_method="parameter-shift", max_diff=2)
    def circuit(x):
        two_hops(x[0], x[1])
        return qml.expval(qml.Z(2))

    # <Z2> = 1 - (1 - cos a)(1 - cos b)/2
    a, b = 1.0, 2.0
    mixed = -np.sin(a) * np.sin(b) / 2
    expected = [[-np.cos(a) * (1 - np.cos(b)) / 2, mixed], [mixed, -(1 - np.cos(a)) * np.cos(b) / 2]]
    np.testing.assert_allclose(interface.hessian(circuit, [a, b]), expected, **TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
def test_noise_shrinks_the_gradient_by_its_closed_form(interface, method):
    rate = 0.3

    @qml.qnode(SectorDevice(wires=2), diff_method=method)
    def circuit(x):
        qml.X(0)
        hop(x, [0, 1])
        for wire in (0, 1):
            qml.AmplitudeDamping(rate, wires=wire)
        return qml.expval(qml.Z(0))

    # the occupation shrinks by 1 - rate
    (found,) = interface.derivative(circuit, [0.5])
    np.testing.assert_allclose(found, (1 - rate) * np.sin(0.5), **TOLERANCE)


def one_hop(method: str, **options: Any) -> Any:
    @qml.qnode(SectorDevice(wires=3), diff_method=method, **options)
    def circuit(x):
        qml.X(0)
        hop(x, [0, 1])
        return qml.expval(qml.Z(0))

    return circuit


def test_backpropagation_is_refused_by_pennylane():
    with pytest.raises(qml.exceptions.QuantumFunctionError, match="does not support backprop"):
        one_hop("backprop")


@pytest.mark.filterwarnings("ignore:equinoise.sector. a circuit holds gates that break the charge:UserWarning")
def test_hadamard_tests_off_the_charge_are_computed_in_the_full_space():
    circuit = one_hop("hadamard", gradient_kwargs={"aux_wire": 2})
    # <Z0> = -cos x
    assert float(qml.grad(circuit)(qml.numpy.array(0.5, requires_grad=True))) == pytest.approx(np.sin(0.5), abs=1e-9)
