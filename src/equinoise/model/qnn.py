"""The model a user trains: a circuit with data, weights, several readouts, a loss, and a prior of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.angle_expressions import Atom, linear_in_atoms
from equinoise.ensemble import Ensemble, parameter_values, periods
from equinoise.errors import CircuitError, DataError, ParameterError, ReadoutError
from equinoise.model.data import Rows, read_rows
from equinoise.model.losses import Loss, loss_of
from equinoise.model.row_angles import Angles, RowAngles
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone
from equinoise.sampling import Sampling
from equinoise.text.notebook import facts_text

__all__ = ["Model", "chosen_parameters"]

Real = npt.NDArray[np.float64]

# the readouts' weights in what the circuit is reduced for: no two readouts cancel
_COVER = 0.0618


class Model:
    """A circuit with data, weights, readouts and a loss: what is trained.

    f_c(x; theta, s) = Tr[O_c rho(x; theta, s)], z_c = scale f_c + bias, J(theta; s) = mean_i l(z(x_i), y_i). Inputs x
    are never trained: each row of data binds them, in any expression (an input times a weight, products of inputs).
    All rows share one compiled circuit.

    Args:
        circuit: Any ``qiskit.QuantumCircuit`` that :class:`equinoise.Problem` takes, with angles that are any
            expression of its parameters.
        readouts: O_c: one or several labels or ``SparsePauliOp``, C of them.
        inputs: The parameters that data binds: Parameters, a ``ParameterVector``, or names (a vector's name for all of
            it), F of them.
        data: x of shape (N, F), a data frame, or the path of a CSV file; see :func:`equinoise.model.data.read_rows`.
        labels: y likewise, or the name of a column of the data.
        loss: "mean" (of the readouts: no labels), "mse", "logistic", "cross-entropy", or two functions (loss,
            derivative) of z, shape (N, C), and y; see :mod:`equinoise.model.losses`.
        scale: Of z, a number or one a readout.
        bias: Likewise.
        prior: How weights are drawn, as :meth:`equinoise.Ensemble.of` takes it: "uniform" (over each one's period),
            "uniform:W", "normal:W", given values, or by groups of weights.
        at: Weights, shape (W,), around which the prior lies: whether this very model can still be trained.
        trained: The weights whose gradient counts; all by default. The others are drawn, too.
        notes: What else is to be told of how the model came about.
        **problem: What :class:`equinoise.Problem` takes: initial, noise, projected, charge, symmetry, allow_broken.

    Attributes:
        circuit: As it was stated.
        problem: The compiled circuit's statement; its readout sees what any of the readouts sees.
        readouts: O_c on the circuit's own qubits.
        readout_labels: What they are called.
        weights: All parameters that are no inputs, in the order of ``circuit.parameters``; theta follows it.
        trained: Places of the trained ones among them, shape (K,).
        inputs: The inputs, in the order of the data's columns.
        rows: The data.
        targets: What the loss compares with.
        loss: The loss.
        scale: Of z, shape (C,).
        bias: Of z, shape (C,).
        prior: Of the weights.
        warnings: What was assumed, dropped, clipped or chosen.

    Raises:
        DataError: Data or labels that do not fit, or that the loss cannot take.
        ParameterError: An input that is no parameter or a weight, no weights, a prior that does not fit, or a trained
            weight that no readout sees.
        ReadoutError: No readout, or a malformed one.
        EquinoiseError: What :class:`equinoise.Problem` raises.

    Source:
        The gradients of loss and prediction under noise: arXiv:2606.30688.

    Example:
        >>> import equinoise as eq
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import ParameterVector
        >>> from qiskit.circuit.library import XXPlusYYGate
        >>> x, w = ParameterVector("x", 2), ParameterVector("w", 3)
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.rz(w[0] * x[0] + w[1], 0), circuit.rz(x[0] * x[1], 1)
        >>> _ = circuit.append(XXPlusYYGate(w[2]), [0, 1])
        >>> model = eq.Model(circuit, ["Z0", "X0X1+Y0Y1"], inputs="x", data=[[0.1, 0.2], [0.3, 0.5]], labels=[0, 1],
        ...                  loss="cross-entropy", initial=[[0.6, 0.8], [0.8, 0.6]], noise="dephasing:0.01")
        >>> model
        Model(2 qubits, 3 weights, 2 rows, readouts ['Z0', 'X0X1+Y0Y1'], loss 'cross-entropy', noise 'dephasing:0.01')
    """

    _frozen = False

    def __init__(
        self,
        circuit: QuantumCircuit,
        readouts: Any,
        *,
        inputs: Any = None,
        data: Any = None,
        labels: Any = None,
        loss: Any = "mean",
        scale: Any = 1.0,
        bias: Any = 0.0,
        prior: Any = "uniform",
        at: Any = None,
        trained: Any = None,
        notes: Sequence[str] = (),
        **problem: Any,
    ) -> None:
        if not isinstance(circuit, QuantumCircuit):
            raise CircuitError(
                f"circuit must be a qiskit.QuantumCircuit, got {type(circuit).__name__}. Load files with "
                "equinoise.load_circuit, build with equinoise.circuits."
            )
        self.circuit: QuantumCircuit = circuit.copy()
        stated = tuple(circuit.parameters)
        self.inputs: tuple[Parameter, ...] = () if inputs is None else chosen_parameters(inputs, stated, "inputs")
        self.weights: tuple[Parameter, ...] = tuple(p for p in stated if p not in set(self.inputs))
        if not self.weights:
            raise ParameterError("every parameter of the circuit is an input: there are no weights to train.")
        self.trained = self._trained(trained)
        linear = linear_in_atoms(circuit)
        self.atoms: tuple[Atom, ...] = linear.atoms
        self._set_readouts(linear.circuit, readouts, problem)
        self.rows: Rows = read_rows(data, labels, [p.name for p in self.inputs])
        self.loss: Loss = loss_of(loss)
        self.scale, self.bias = (_of_readouts(v, n, len(self.readouts)) for v, n in ((scale, "scale"), (bias, "bias")))
        self.targets: Any = self.loss.targets(self.rows.labels, self.rows.count, len(self.readouts))
        self._angles = RowAngles(self.problem.parameters, self.weights, self.inputs, self.atoms, self.rows.inputs)
        self.prior: Ensemble = self._prior(prior, at)
        self._check_prior()
        self._check_seen()
        self.warnings: tuple[str, ...] = (*self.problem.warnings, *self.rows.notes, *self._notes(), *notes)
        self._frozen = True

    @classmethod
    def from_qnode(
        cls, qnode: Any, *, weights: Any = None, data: Any = None, labels: Any = None, loss: Any = "mean", **model: Any
    ) -> Model:
        """A PennyLane QNode (or TorchLayer) as a model: angle_g = sum_k a_gk(x) w_k + b_g(x), as the QNode makes them.

        Args:
            qnode: A QNode on any device and interface; its angles are affine in its weights, and anything in its data.
            weights: Values of the trained arguments, in their shapes: an array, or a mapping from argument names to
                arrays. They only say what the circuit looks like; the point of a prior is ``at``, given likewise.
            data: An array of shape (N, ...), a data frame or a CSV file, for the argument called inputs, x, X, data or
                features, or a mapping from argument names to arrays.
            labels: As for :class:`Model`.
            loss: Of what the QNode returns, expectation values and probabilities.
            **model: What :class:`Model` takes. Noise is that of the circuit's channels or of an equinoise.sector device
                where noise= is not given.

        Raises:
            ParameterError: An angle that is not affine in the weights, or arguments of unknown role.
            UnsupportedError: What has no place in a model, named.
            SymmetryError: Gates that break the charge, named; allow_broken=True computes in the full space.
            EquinoiseError: What :class:`Model` raises.

        Example:
            >>> import pennylane as qml
            >>> import equinoise as eq
            >>> @qml.qnode(qml.device("default.qubit", wires=2))
            ... def circuit(x, w):
            ...     qml.X(0)
            ...     qml.IsingXY(w[0] * x[0] + w[1], wires=[0, 1])
            ...     return qml.expval(qml.Z(0))
            >>> eq.Model.from_qnode(circuit, weights=[0.1, 0.2], data=[[0.3], [0.5]], noise="dephasing:0.01")
            Model(2 qubits, 2 weights, 2 rows, readouts ['Z0'], loss 'mean', noise 'dephasing:0.01')
        """
        from equinoise.interop.models.pennylane_model import model_from_qnode

        return model_from_qnode(qnode, weights=weights, data=data, labels=labels, loss=loss, **model)

    @classmethod
    def from_qnn(cls, network: Any, *, data: Any = None, labels: Any = None, loss: Any = "mean", **model: Any) -> Model:
        """An EstimatorQNN or SamplerQNN of qiskit-machine-learning as a model.

        Args:
            network: With its circuit, observables (or what it makes of the outcomes), inputs and weights.
            data: x, as for :class:`Model`, a column for each of ``input_params``.
            labels: As for :class:`Model`.
            loss: Of what the network returns: expectation values, or probabilities.
            **model: What :class:`Model` takes; ``at`` in the order of ``weight_params``.

        Raises:
            CircuitError: Another kind of network.
            EquinoiseError: What :class:`Model` raises.

        Example:
            >>> import equinoise as eq
            >>> from qiskit import QuantumCircuit
            >>> from qiskit.circuit import Parameter
            >>> from qiskit.circuit.library import XXPlusYYGate
            >>> from qiskit_machine_learning.neural_networks import EstimatorQNN
            >>> x, w = Parameter("x"), Parameter("w")
            >>> circuit = QuantumCircuit(2)
            >>> _ = circuit.x(0), circuit.append(XXPlusYYGate(w * x), [0, 1])
            >>> network = EstimatorQNN(circuit=circuit, input_params=[x], weight_params=[w])
            >>> eq.Model.from_qnn(network, data=[0.3, 0.5], labels=[0, 1], loss="mse")
            Model(2 qubits, 1 weights, 2 rows, readouts ['Z0Z1'], loss 'mse', noise 'none')
        """
        from equinoise.interop.models.qiskit_model import model_from_qnn

        return model_from_qnn(network, data=data, labels=labels, loss=loss, **model)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._frozen:
            raise AttributeError(f"a Model cannot be changed, so {name!r} cannot be set: state another Model.")
        super().__setattr__(name, value)

    # -- checks --------------------------------------------------------------------------------------------------

    def _trained(self, trained: Any) -> npt.NDArray[np.int64]:
        if trained is None:
            return np.arange(len(self.weights))
        chosen = chosen_parameters(trained, (*self.weights, *self.inputs), "trained")
        both = [p.name for p in chosen if p in set(self.inputs)]
        if both:
            raise ParameterError(
                f"{both[0]!r} is an input and a trained weight at once ({len(both)} such): data binds inputs. Name it "
                "in one of them."
            )
        return np.sort(np.array([self.weights.index(p) for p in chosen], dtype=np.int64))

    def _set_readouts(self, circuit: QuantumCircuit, readouts: Any, statement: dict[str, Any]) -> None:
        several = [readouts] if isinstance(readouts, str | SparsePauliOp) else list(readouts)
        if not several:
            raise ReadoutError("readouts is empty: give at least one label or SparsePauliOp.")
        # what data alone makes may break the charge, before the first weight
        weights = set(self.weights)
        made = [atom.parameter for atom in self.atoms if not atom.depends_on & weights]
        first = Problem(circuit, several[0], inputs=(*self.inputs, *made), **statement)
        told = [first, *(first.with_readout(readout) for readout in several[1:])]
        self.readouts: tuple[SparsePauliOp, ...] = tuple(problem.readout for problem in told)
        self.readout_labels: tuple[str, ...] = tuple(problem.readout_label for problem in told)
        if len(told) == 1:
            self.problem = first
            return
        factors = 1 + _COVER * np.arange(len(told))
        cover = SparsePauliOp.sum([w * readout for w, readout in zip(factors, self.readouts, strict=True)])
        self.problem = first.with_operator(cover.simplify()).with_noise(first.stated_noise)

    def _prior(self, prior: Any, at: Any) -> Ensemble:
        if at is None:
            return Ensemble.of(prior)
        found = Ensemble.of(prior, around=self.theta(at))
        if found.kind in ("uniform", "given"):
            raise ParameterError(
                f"at= says where the prior lies, but {found.describe()} lie nowhere else: give a prior of some width "
                "around it, such as 'normal:0.1' or 'uniform:0.1'."
            )
        return found

    def _check_prior(self) -> None:
        self.draw(1, 0)

    def _check_seen(self) -> None:
        """Refuses trained weights that no readout sees."""
        seen = {self.problem.parameters[k] for k in light_cone(self.problem, everything=False).parameters}
        of_atoms = [atom.depends_on for atom in self.atoms if atom.parameter in seen]
        hidden = [
            self.weights[k].name
            for k in self.trained
            if self.weights[k] not in seen and not any(self.weights[k] in names for names in of_atoms)
        ]
        if hidden and not self.problem.projected:
            raise ParameterError(
                f"the weight {hidden[0]!r} ({len(hidden)} in all) stands outside the light cone of every readout: its "
                "gradient is 0 whatever the data. Add a readout that sees it, remove its gate, or name the weights to "
                "train with trained=."
            )

    def _notes(self) -> Iterable[str]:
        if self.problem.noise.readout_error:
            yield "predictions are those of perfect assignment: the noise's readout errors are left out of the loss"
        loose = [self.weights[k].name for k in np.flatnonzero(self._loose())]
        if loose and self._draws_periods():
            yield (
                f"{len(loose)} weights enter nonlinear angles ({loose[0]}, ...) and have no period for all rows: drawn "
                "over 2 pi"
            )

    # -- the weights ---------------------------------------------------------------------------------------------

    def theta(self, values: Any) -> Real:
        """Weights as an array, shape (W,), from an array, a mapping of Parameters or names to values, or a file.

        Raises:
            ParameterError: Wrong number, missing or unknown names, or values that are not finite.
        """
        if isinstance(values, str | Path):
            values = parameter_values(values)
        if hasattr(values, "items"):
            named = {getattr(k, "name", k): v for k, v in values.items()}
            names = [p.name for p in self.weights]
            if set(named) != set(names):
                missing, unknown = sorted(set(names) - set(named)), sorted(set(named) - set(names))
                raise ParameterError(f"weights do not fit: missing {missing[:5]}, unknown {unknown[:5]}.")
            values = [named[name] for name in names]
        try:
            theta = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise ParameterError("weights must be real numbers in radians.") from None
        if theta.shape != (len(self.weights),) or not np.isfinite(theta).all():
            raise ParameterError(
                f"theta must hold {len(self.weights)} finite numbers, one for each weight (circuit.parameters without "
                f"the inputs); got shape {theta.shape}."
            )
        return theta

    def draw(self, samples: int, seed: int) -> Real:
        """Weights drawn from the prior, shape (samples, W), radians."""
        return self.prior.draws([p.name for p in self.weights], self._periods(), samples, seed)

    def sampled(self, sampling: Sampling) -> Real:
        """Weights as a question draws them, shape (S, W), radians: from the model's prior.

        Args:
            sampling: Completed by the question (:meth:`equinoise.Sampling.of`), without an ensemble.

        Raises:
            ParameterError: It states an ensemble: a model's is its prior.
        """
        if sampling.ensemble.plain() != "uniform":
            raise ParameterError(
                f"the sampling states an ensemble ({sampling.ensemble.describe()}), but a model's weights are drawn "
                "from its prior. State it there: eq.Model(..., prior=..., at=...) or model.with_prior(...)."
            )
        return self.draw(sampling.count, sampling.seed)

    def drawn_seed(self, sampling: Sampling) -> int | None:
        """The seed as results state it: None for given weights."""
        return None if self.prior.kind == "given" else sampling.seed

    def with_prior(self, prior: Any = "uniform", at: Any = None) -> Model:
        """The same model with weights drawn otherwise.

        Args:
            prior: As in :class:`Model`.
            at: Likewise.

        Raises:
            ParameterError: They do not fit.
        """
        out = copy(self)
        object.__setattr__(out, "prior", self._prior(prior, at))
        out._check_prior()
        object.__setattr__(out, "warnings", (*self.problem.warnings, *self.rows.notes, *out._notes()))
        return out

    def with_noise(self, noise: Any) -> Model:
        """The same model under another noise.

        Args:
            noise: As :class:`equinoise.Problem` takes it.

        Raises:
            NoiseError: It does not fit.
        """
        return self.with_problem(self.problem.with_noise(noise))

    def with_problem(self, problem: Problem) -> Model:
        """The same model on a changed statement of its circuit: another noise, layout or pulses.

        Args:
            problem: Made from :attr:`problem`, with the same parameters in the same order.

        Raises:
            CircuitError: The parameters are others.
        """
        if problem.parameters != self.problem.parameters:
            raise CircuitError(
                "the changed circuit has other parameters than the model's, so its weights and inputs have no places "
                "in it: state another Model."
            )
        out = copy(self)
        object.__setattr__(out, "problem", problem)
        object.__setattr__(out, "warnings", (*out.problem.warnings, *out.rows.notes, *out._notes()))
        return out

    def _loose(self) -> npt.NDArray[np.bool_]:
        return np.array([any(weight in atom.depends_on for atom in self.atoms) for weight in self.weights])

    def _draws_periods(self) -> bool:
        return self.prior.kind == "uniform" or any(part.kind == "uniform" for _, part in self.prior.groups)

    def _periods(self) -> Real:
        """Of each weight; 2 pi where it enters an angle that is not linear."""
        known = dict(zip(self.problem.parameters, periods(self.problem), strict=True))
        found = [known.get(weight, 2 * np.pi) for weight in self.weights]
        return np.where(self._loose(), 2 * np.pi, np.array(found))

    # -- rows ----------------------------------------------------------------------------------------------------

    def angles(self, theta: Real, row: int) -> Angles:
        """The compiled parameters' values for a row of data, and how the weights move them."""
        return self._angles.at(theta, row)

    def outputs(self, predictions: Real) -> Real:
        """The outputs z = scale f + bias of predictions f, shape (N, C)."""
        return np.asarray(self.scale * predictions + self.bias)

    def losses(self, predictions: Real, rows: Any = slice(None)) -> Real:
        """The loss l of rows, shape (R,), from their predictions f, shape (R, C)."""
        return self.loss.value(self.outputs(predictions), self._targets_of(rows))

    def right(self, predictions: Real, rows: Any = slice(None)) -> npt.NDArray[np.bool_] | None:
        """Whether each row is put into its class, shape (R,); None for a loss without classes."""
        return self.loss.right(self.outputs(predictions), self._targets_of(rows))

    def slopes(self, predictions: Real, rows: Any = slice(None)) -> Real:
        """dl/df_c of rows, shape (R, C)."""
        return np.asarray(self.scale * self.loss.slope(self.outputs(predictions), self._targets_of(rows)))

    def curvatures(self, predictions: Real, rows: Any = slice(None)) -> Real:
        """d^2 l/df_c df_d of rows, shape (R, C, C)."""
        found = self.loss.curvature(self.outputs(predictions), self._targets_of(rows))
        return np.asarray(self.scale[:, None] * self.scale * found)

    def _targets_of(self, rows: Any) -> Any:
        return None if self.targets is None else self.targets[rows]

    def __str__(self) -> str:
        facts = {
            "readouts": ", ".join(self.readout_labels[:6]) + (", ..." if len(self.readout_labels) > 6 else ""),
            "data": f"{self.rows.count} rows of {len(self.inputs)} inputs",
            "loss": self.loss.name,
            "prior": self.prior.describe(),
            "input": self.problem.initial.name,
            "noise": self.problem.noise.name,
        }
        size = f"{self.problem.num_qubits} qubits, {len(self.problem.layers)} layers, {self.trained.size} weights"
        return facts_text(f"model of {size}", facts)

    def __repr__(self) -> str:
        return (
            f"Model({self.problem.num_qubits} qubits, {self.trained.size} weights, {self.rows.count} rows, readouts "
            f"{list(self.readout_labels[:4])}, loss {self.loss.name!r}, noise {self.problem.noise.name!r})"
        )


def chosen_parameters(names: Any, parameters: Sequence[Parameter], argument: str) -> tuple[Parameter, ...]:
    """Parameters by themselves, by name, or by their vector's name, in the order given.

    Args:
        names: One or several of them.
        parameters: Of the circuit.
        argument: What the names were given as, for messages.

    Raises:
        ParameterError: A name that is no parameter, or stands twice.
    """
    known = {p.name: p for p in parameters}
    out: list[Parameter] = []
    for each in [names] if isinstance(names, str | Parameter | ParameterVector) else list(names):
        if isinstance(each, ParameterVector):
            out += [_known(p.name, known, argument) for p in each]
            continue
        name = each.name if isinstance(each, Parameter) else each
        vector = [p for p in parameters if p.name.partition("[")[0] == name] if isinstance(name, str) else []
        out += vector if vector and name not in known else [_known(name, known, argument)]
    twice = sorted({p.name for p in out if out.count(p) > 1})
    if twice or not out:
        raise ParameterError(f"{argument} names {twice[0]!r} twice." if twice else f"{argument} names no parameter.")
    return tuple(out)


def _known(name: Any, known: dict[str, Parameter], argument: str) -> Parameter:
    if name not in known:
        raise ParameterError(
            f"{argument} names {name!r}, which is no parameter of the circuit. Its parameters: "
            f"{', '.join(list(known)[:8])}{', ...' if len(known) > 8 else ''}."
        )
    return known[name]


def _of_readouts(value: Any, name: str, count: int) -> Real:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be a number, or one for each of the {count} readouts; got {value!r}.") from None
    if array.shape not in ((), (count,)) or not np.isfinite(array).all():
        raise DataError(
            f"{name} must be a finite number, or one for each of the {count} readouts; got shape {array.shape}."
        )
    return np.broadcast_to(array, (count,))
