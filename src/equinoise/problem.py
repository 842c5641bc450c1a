"""The problem a user states: circuit, readout, initial state and noise, checked as a whole."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.blocks import Block, conserves_charge
from equinoise.circuit.compiled.frames import Frames
from equinoise.circuit.gates import Rotation
from equinoise.circuit.layers import Layer
from equinoise.circuit.pauli_sums import from_operator
from equinoise.circuit.preparation import Preparation
from equinoise.circuit.steps import Step, steps
from equinoise.circuit_reading import CircuitReading, angles_of, gates_that_break, prepares_itself, read_circuit
from equinoise.errors import CircuitError, NoiseError, ReadoutError, StateError, SymmetryError
from equinoise.initial import InitialState, parse_initial, prepared_product
from equinoise.measurement import charge_conserving_part
from equinoise.noise.model import NoiseModel, place_noise
from equinoise.noise.phase_modes import PhaseModes
from equinoise.noise.terms import PhaseProcess, Slot
from equinoise.noise.turned import turned_processes, turned_slots
from equinoise.qubit_layout import QubitLayout, without_layout
from equinoise.readout import attenuated, commutes_with_charge, label_of, parse_readout, support
from equinoise.symmetry.equivariance import breaking_gates_of, ends_obstacle
from equinoise.symmetry.groups import Symmetry, change, symmetry_of
from equinoise.text.notebook import facts_text

__all__ = ["Problem"]


class Problem:
    """An equivariant circuit with its readout, initial state and noise.

    C(theta; s) = Tr[O exp(s E_L) U_L ... exp(s E_1) U_1(rho_0)], where all U_l commute with the symmetry: by default
    the charge Q = sum_i (1 - Z_i)/2.

    Args:
        circuit: Any ``qiskit.QuantumCircuit`` of unitary gates; angles linear in its parameters. Layers are what lies
            between two full-width barriers, or as-soon-as-possible layers of two-qubit blocks where no barrier has
            gates on both sides; see :func:`equinoise.circuit.layers.layered`. A compiled one, whose native gates
            conserve nothing one by one, is computed in the frames of the charge that it hides.
        readout: A label ("Z5", "X2X3+Y2Y3") or ``SparsePauliOp``; qubit indices as in the circuit. If it was transpiled
            (``circuit.layout``): as before that, and so is ``initial``; an operator or input of the transpiled
            circuit's larger number of qubits is taken on those.
        initial: "neel", a bitstring (qubit 0 rightmost), n one-qubit states, or a ``Statevector`` of up to 20 qubits.
            By default the circuit's own leading one-qubit gates, and "neel" if it has none.
        noise: A :class:`NoiseModel`, or what :meth:`NoiseModel.from_string` reads.
        projected: Whether the readout is P_q O P_q, P_q the projector on the active sector of all n qubits.
        charge: The active sector q; by default the charge of the initial state.
        allow_broken: Compute in the full space where gates or readout break the symmetry, instead of refusing.
        at: Parameter values, shape (K,), at which alone the gates are asked for the charge: for programs that hand over
            the numbers of tied angles and not their ties. Only values and gradients where :meth:`conserves_at` make
            sense then; both are exact there, for what moves the charge has no share in either.
        inputs: Parameters that data binds and that are no weights, as :class:`equinoise.Model` has them. Leading gates
            that depend on them alone may break the charge (feature maps); gradients leave out what they do there.
        symmetry: What the circuit keeps: the charge, a :class:`Symmetry` of ``equinoise.symmetry``, or what
            :func:`parse_symmetry` reads ("parity", "permutation", "su2", "translation*parity:X", ...).

    Attributes:
        layers: The circuit's layers; behind the preparation where it is taken as a state vector.
        preparation: The leading gates that break the charge before the first weight (feature maps): they prepare a
            state vector of up to 20 qubits. With noise on up to 8 qubits they are layers like others, computed with
            their noise in the full space of the light cone. None for other circuits.
        layers_found: How: "barriers" or "as soon as possible".
        slots: The noise after each layer that is independent of the other layers.
        processes: The dephasing correlated in time, over all layers.
        parameters: ``circuit.parameters`` as a tuple; theta follows it.
        circuit: The circuit, without the layout that transpiling it left.
        transpiled: Whether Qiskit's transpiler made the circuit; then a device's noise leaves it on its qubits.
        layout: Where a transpiled circuit keeps the qubits from before; None for others.
        frames: Where a compiled circuit hides the charge that its gates do not conserve one by one
            (:mod:`equinoise.circuit.compiled.frames`); None for others. Layers, slots, initial and readout are as seen
            from there.
        start: The state before the first gate (of single qubits' own preparation, if the circuit has one).
        initial: The state before :attr:`layers`: that which a preparation makes of ``start``. Where it depends on data,
            at generic data; see :meth:`state_behind`.
        readout: On the circuit's own qubits.
        symmetry: What was claimed, checked on every gate.
        stated_noise: The noise as it was given; ``noise`` has a device's calibration placed on the circuit.
        stated_initial: The initial state as it was given.
        warnings: What was assumed, dropped, clipped or chosen.

    Raises:
        SymmetryError: A gate breaks the symmetry (named, with its position), or neither readout nor input keeps it.
        ReadoutError: The readout is malformed or does not conserve the charge.
        ParameterError: A parameter in no gate, a nonlinear angle, or ``at`` of another shape.
        StateError: A malformed initial state, or a charge outside 0..n.
        NoiseError: A noise term that does not fit the circuit.
        CircuitError: An instruction that is not a unitary gate.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=3)
        >>> problem = eq.Problem(circuit, readout="Z3", initial="neel", noise="dephasing:0.01")
        >>> problem.num_qubits, len(problem.layers), problem.charge
        (6, 3, 3)
    """

    _frozen = False
    breaking: tuple[str, ...]

    def __init__(
        self,
        circuit: QuantumCircuit,
        readout: str | SparsePauliOp,
        initial: Any = None,
        noise: NoiseModel | str | Mapping[str, Any] | None = None,
        projected: bool = False,
        charge: int | None = None,
        allow_broken: bool = False,
        symmetry: Symmetry | str = "charge",
        at: Any = None,
        inputs: Collection[Parameter] = (),
    ) -> None:
        if not isinstance(circuit, QuantumCircuit):
            raise CircuitError(
                f"circuit must be a qiskit.QuantumCircuit, got {type(circuit).__name__}. "
                "Load files with equinoise.load_circuit, build with equinoise.circuits."
            )
        if circuit.num_qubits == 0:
            raise CircuitError("the circuit has no qubits.")
        self.transpiled: bool = circuit.layout is not None
        self.layout: QubitLayout | None = QubitLayout.of(circuit)
        # from here on all is said of the circuit's own qubits, and the caller's may be changed afterwards
        circuit = without_layout(circuit)
        self.circuit = circuit
        self.num_qubits: int = circuit.num_qubits
        self.parameters: tuple[Parameter, ...] = tuple(circuit.parameters)
        self.projected = bool(projected)
        self.allow_broken = bool(allow_broken)
        self.symmetry: Symmetry = symmetry_of(symmetry, self.num_qubits)
        measured, label = self._placed_readout(readout), readout if isinstance(readout, str) else None
        self.at: npt.NDArray[np.float64] | None = None if at is None else angles_of(self.parameters, at)
        found = read_circuit(
            circuit,
            measured,
            inputs=inputs,
            from_zero=initial is None,
            beyond_blocks=self.by_charge and not self.allow_broken and self.at is None,
            at=self.at,
        )
        self.layers: tuple[Layer, ...] = found.layers
        self.frames: Frames | None = found.frames
        self.preparation: Preparation | None = found.preparation
        self.layers_found: str = found.found
        self._set_readout(self._seen(measured), label)
        warnings = list(found.notes)
        if self.frames is not None and self.frames.prepares and initial is not None:
            warnings.append("the stated input stands before the first gate, also before gates that prepare a state")
        if self.layout is not None:
            warnings.append(self.layout.note())
        found.check_parameters(self.parameters)
        self._check_equivariance(found, initial is not None)
        stated = self._stated_state(initial, found.split.prepared, warnings)
        self.start: InitialState = stated if self.frames is None else _in_frames(stated, self.frames)
        # as layers like others, the preparation's are those of the undivided circuit
        self._undivided: tuple[tuple[Layer, ...], InitialState] | None = None
        if self.preparation is not None:
            self._undivided = found.whole.layers, self._stated_state(initial, found.whole.prepared, [])
        self.initial: InitialState = self.start if self.preparation is None else self.state_behind()
        self._check_ends()
        self.charge: int | None = self._charge(charge)
        self.stated_initial = initial if self.layout is None or initial is None else stated
        self._stated: tuple[str, ...] = tuple(warnings)
        self._set_noise(noise)
        self._frozen = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._frozen:
            raise AttributeError(
                f"a Problem cannot be changed, so {name!r} cannot be set: state another Problem, or derive one with "
                "with_noise or with_readout."
            )
        super().__setattr__(name, value)

    # -- the preparation -----------------------------------------------------------------------------------------

    @property
    def input_varies(self) -> bool:
        """Whether :attr:`initial` is that of one row of data among many: others have other charges' shares."""
        return self.preparation is not None and not self.breaking and bool(self.preparation.parameters)

    def state_behind(self, theta: npt.NDArray[np.float64] | None = None) -> InitialState:
        """The state behind the preparation, its noise left out.

        Args:
            theta: Parameter values, shape (K,); by default generic ones, at which it holds all charges that it can.
        """
        preparation = self.preparation
        if preparation is None:
            return self.initial
        if theta is None:
            theta = np.random.default_rng(0).uniform(-3.0, 3.0, len(self.parameters))
        vector = preparation.applied(self.start.statevector(), theta)
        vector.setflags(write=False)
        return InitialState(self.num_qubits, None, vector, f"prepared by {preparation.gates} gates")

    def _set_preparation(self) -> str | None:
        """Takes the preparation as a state or as layers, as the noise has it, and says which."""
        preparation = self.preparation
        if preparation is None or self._undivided is None:
            return None
        gates = f"the first {preparation.gates} gates, before any weight, break the charge"
        noisy = bool(self.stated_noise.terms or self.stated_noise.phases or self.stated_noise.calibration)
        inside = noisy and self.num_qubits <= _LARGEST_NOISY
        if inside != bool(self.breaking):
            behind = preparation.behind.layers, self.state_behind()
            self.layers, self.initial = self._undivided if inside else behind
            self.breaking = self._broken if inside else ()
        if inside:
            return f"{gates}: computed with their noise, in the full space of the light cone"
        rows = ", computed once for each row of data" if preparation.parameters else ""
        left_out = (
            "; their noise is left out (allow_broken=True computes it, in the full space), and layers are counted from "
            "behind them"
        )
        return f"{gates} and prepare the input: a state vector{rows}{left_out if noisy else ''}"

    def _set_noise(self, noise: Any) -> None:
        self.stated_noise: NoiseModel = NoiseModel.of(noise)
        told = self._set_preparation()
        layers = self.layers if self.frames is None else self.frames.laboratory
        self.noise: NoiseModel = place_noise(
            self.stated_noise, self.circuit, layers, self.measured, in_place=self.transpiled
        )
        outside = [q for q, _ in self.noise.readout_error if q >= self.num_qubits]
        if outside:
            raise NoiseError(
                f"a readout error is given for qubit {outside[0]}, but the circuit has qubits 0..{self.num_qubits - 1}."
            )
        self.slots: tuple[Slot, ...] = self.noise.slots(layers, self.num_qubits)
        self.processes: tuple[PhaseProcess | PhaseModes, ...] = self.noise.processes(layers, self.num_qubits)
        if self.frames is not None:
            self.slots = turned_slots(self.slots, self.frames.after)
            self.processes = turned_processes(self.processes, self.frames.after)
        idle = self.noise.idle_terms(layers, self.num_qubits)
        missing = f"{len(idle)} noise terms are tied to gates that the circuit does not have: {''.join(idle[:1])}, ..."
        self.warnings: tuple[str, ...] = (
            *self._stated,
            *((told,) if told else ()),
            *((missing,) if idle else ()),
            *self.noise.notes,
        )

    def _check_equivariance(self, found: CircuitReading, has_input: bool) -> None:
        """Sets what breaks the symmetry, and refuses it where that is not allowed."""
        self.breaking = (
            gates_that_break(self.circuit, self.layers, found.divided)
            if self.by_charge
            else breaking_gates_of(self.steps, self.symmetry, self.circuit)
        )
        if self.breaking and not self.allow_broken:
            more = f" (and {len(self.breaking) - 1} more)" if len(self.breaking) > 1 else ""
            own = _OWN_PREPARATION if has_input and prepares_itself(self.circuit) else ""
            raise SymmetryError(
                f"{self.breaking[0]}{more}{found.unread}. {_CONSERVING if self.by_charge else _EQUIVARIANT}, or pass "
                f"allow_broken=True (--allow-broken) to compute in the full space of the light cone.{own}"
            )

    def _seen(self, operator: SparsePauliOp) -> SparsePauliOp:
        """An operator of the laboratory in the frames after the last gate."""
        return operator if self.frames is None else self.frames.readout(operator)

    @property
    def measured(self) -> SparsePauliOp:
        """The readout as it is measured on the circuit's own qubits: :attr:`readout` is what it is in the frames."""
        return self.readout if self.frames is None else self.frames.readout(self.readout, back=True)

    def _stated_state(
        self, initial: Any, prepared: dict[int, npt.NDArray[np.complex128]], warnings: list[str]
    ) -> InitialState:
        if initial is not None:
            state = self._placed_state(initial)
            if state.num_qubits != self.num_qubits:
                raise StateError(f"the initial state has {state.num_qubits} qubits, the circuit {self.num_qubits}.")
            return state
        if self.frames is not None and self.frames.prepares:
            return replace(parse_initial("0" * self.num_qubits, self.num_qubits), name="prepared by the circuit")
        if (prepared or self.preparation is not None) and self.frames is None:
            states = np.tile(np.array([1.0, 0.0], dtype=np.complex128), (self.num_qubits, 1))
            for qubit, amplitudes in prepared.items():
                states[qubit] = amplitudes
            return prepared_product(states)
        warnings.append("the circuit prepares no state of its own and none was given: Néel input assumed")
        return self._placed_state("neel")

    def _placed_state(self, initial: Any) -> InitialState:
        return parse_initial(initial, self.num_qubits) if self.layout is None else self.layout.state(initial)

    def _placed_readout(self, readout: str | SparsePauliOp) -> SparsePauliOp:
        return parse_readout(readout, self.num_qubits) if self.layout is None else self.layout.readout(readout)

    @property
    def by_charge(self) -> bool:
        """Whether the symmetry is the total charge."""
        return self.symmetry.name == "charge"

    @property
    def conserves(self) -> bool:
        """Whether gates and readout conserve the total charge, claimed or not."""
        return self.readout_conserves and not (self.breaking if self.by_charge else self._broken)

    @property
    def _broken(self) -> tuple[str, ...]:
        return gates_that_break(self.circuit, self.layers)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The circuit as steps of one angle each, made anew; see :func:`equinoise.circuit.steps.steps`."""
        return steps(self.layers)

    def _check_ends(self) -> None:
        """Refuses readout and input that do not fit the symmetry together."""
        if self.by_charge or self.allow_broken:
            return
        obstacle = ends_obstacle(from_operator(self.readout), self.initial, self.symmetry)
        if obstacle is not None:
            raise SymmetryError(
                f"{obstacle}: nothing can be reduced by {self.symmetry}. Give a readout or an input that the symmetry "
                "keeps, claim less, or pass allow_broken=True (--allow-broken) to compute in the full space."
            )

    def _charge(self, charge: int | None) -> int | None:
        if not self.by_charge:
            if charge is not None or self.projected:
                raise StateError(
                    f"charge= and projected= select a sector of the total charge; the symmetry is {self.symmetry}."
                )
            return None
        if charge is not None and (isinstance(charge, bool) or not isinstance(charge, int)):
            raise StateError(f"charge must be an integer in 0..{self.num_qubits}, got {charge!r}.")
        if charge is not None and not 0 <= charge <= self.num_qubits:
            raise StateError(f"charge must lie in 0..{self.num_qubits}, got {charge}.")
        # that of the prepared state, also where the preparation is a part of the layers
        weights = (self.initial if self.preparation is None else self.state_behind()).charges()
        present = np.flatnonzero(weights > 1e-12)
        if charge is None:
            if present.size == 1:
                return int(present[0])
            if self.projected:
                raise StateError(
                    f"the initial state holds the charges {present.tolist()}; say which sector the projected readout "
                    "selects with charge=q (--charge q)."
                )
            return None
        if weights[charge] <= 1e-12:
            raise StateError(f"the initial state has no part of charge {charge}; its charges are {present.tolist()}.")
        return charge

    def with_readout(self, readout: str | SparsePauliOp) -> Problem:
        """The same problem with another readout (same layers, state and noise).

        A device's noise is placed again where its layout is chosen for the readout.

        Args:
            readout: As it is stated for the problem: of a transpiled circuit's qubits before that.

        Raises:
            ReadoutError: The readout is malformed or does not conserve the charge.
            DeviceError: The circuit does not fit on the noise's device.
        """
        other = self._with(self._seen(self._placed_readout(readout)), readout if isinstance(readout, str) else None)
        device = self.stated_noise.calibration
        placed_for_readout = device is not None and device.layout is None and not self.transpiled
        if placed_for_readout and support(other.readout) != support(self.readout):
            return other.with_noise(self.stated_noise)
        return other

    def with_operator(self, operator: SparsePauliOp) -> Problem:
        """The same problem with another readout on the circuit's own qubits and in its frames, as :attr:`readout` is.

        Noise stays placed.

        Raises:
            ReadoutError: The readout is malformed or does not conserve the charge.
        """
        return self._with(parse_readout(operator, self.num_qubits), None)

    def _with(self, operator: SparsePauliOp, label: str | None) -> Problem:
        with self._changed() as other:
            other._set_readout(operator, label)
            other._check_ends()
        return other

    def with_noise(self, noise: NoiseModel | str | Mapping[str, Any] | None) -> Problem:
        """The same problem with other noise (same layers and state).

        Raises:
            NoiseError: A noise term that does not fit the circuit.
            DeviceError: The circuit does not fit on the noise's device.
        """
        with self._changed() as other:
            other._set_noise(noise)
        return other

    def with_projection(self, projected: bool = True) -> Problem:
        """The same problem with the readout projected on the active sector, or not.

        Raises:
            StateError: There is no active sector.
        """
        with self._changed() as other:
            other.projected = bool(projected)
            other.charge = other._charge(self.charge)
        return other

    def with_warnings(self, notes: Iterable[str]) -> Problem:
        """The same problem with more to be told about how it came about."""
        with self._changed() as other:
            other.warnings = (*self.warnings, *notes)
        return other

    @contextmanager
    def _changed(self) -> Iterator[Problem]:
        """A copy that can be changed until the block ends."""
        other = copy.copy(self)
        object.__setattr__(other, "_frozen", False)
        yield other
        other._frozen = True

    def as_read(self) -> Problem:
        """The same problem with the readout that imperfect assignment really measures; itself if there are no errors.

        A term X_a X_b also leaves X_a by itself, which moves the charge; see :meth:`reading`.
        """
        seen = set(support(self.readout))
        errors = {q: p for q, p in self.noise.readout_error if q in seen and any(p)}
        return self.reading(self._seen(attenuated(self.measured, errors))) if errors else self

    def reading(self, operator: SparsePauliOp) -> Problem:
        """The same problem with what measuring its readout really reads.

        Parts that move the charge have mean 0 without coherence between charges and are left out; with an input that
        has such coherence the warnings say so. Of another symmetry that part is claimed which the operator keeps.

        Args:
            operator: Made from the readout by how it is measured, on all qubits.
        """
        moved = 0
        if self.by_charge and self.readout_conserves and not self.breaking and not commutes_with_charge(operator):
            kept = charge_conserving_part(operator)
            moved, operator = len((operator - kept).simplify(atol=1e-12)), kept
        try:
            other = self.with_operator(operator)
        except SymmetryError:
            with self._changed() as other:
                other._set_readout(operator, None)
                terms = from_operator(other.readout)
                other.symmetry = self.symmetry.kept_where(lambda generator: not change(terms, generator))
            other = other.with_warnings([f"readout errors leave of {self.symmetry}: {other.symmetry}"])
        if moved and self.charge is None:
            other = other.with_warnings([f"readout errors leave {moved} terms that move the charge; left out"])
        return other

    def shiftable(self) -> Problem:
        """The same problem with one more parameter for every rotation of an open angle, by which it is shifted.

        They follow the problem's own, in the order of layers, blocks and rotations; at 0 nothing is changed. A symmetry
        other than the charge, which one gate of many need not have, is not claimed.
        """
        shifts: list[Parameter] = []

        def opened(rotation: Rotation) -> Rotation:
            if not rotation.angle.coefficients:
                return rotation
            shifts.append(Parameter(f"shift {len(shifts)}"))
            number = len(self.parameters) + len(shifts) - 1
            angle = replace(rotation.angle, coefficients=(*rotation.angle.coefficients, (number, 1.0)))
            return replace(rotation, angle=angle)

        def opened_block(block: Block) -> Block:
            return replace(block, rotations=tuple(map(opened, block.rotations)))

        with self._changed() as other:
            if not self.by_charge:
                other.symmetry, other.breaking = (
                    symmetry_of("charge", self.num_qubits),
                    self._broken,
                )
                other.allow_broken = True
                other.charge = other._charge(None)
            other.layers = tuple(replace(layer, blocks=tuple(map(opened_block, layer.blocks))) for layer in self.layers)
            other.parameters = (*self.parameters, *shifts)
        return other

    def _set_readout(self, operator: SparsePauliOp, label: str | None) -> None:
        self.readout: SparsePauliOp = operator
        measured = self.measured
        told, where = (measured, "") if self.layout is None else self.layout.told(measured)
        self.readout_label: str = label or label_of(told) + where
        self.readout_conserves: bool = commutes_with_charge(self.readout)
        if self.by_charge and not self.readout_conserves and not self.allow_broken:
            raise ReadoutError(
                f"the readout {self.readout_label!r} does not conserve the charge: it must commute with "
                "sum_i (1 - Z_i)/2, as Z5, Z1Z2 or X2X3+Y2Y3 do. Or pass allow_broken=True (--allow-broken)."
            )

    def theta(self, values: Any) -> npt.NDArray[np.float64]:
        """Parameter values as an array in the order of :attr:`parameters`.

        Args:
            values: Shape (K,), radians, or a mapping from Parameter or name to value.

        Raises:
            ParameterError: Wrong number, a missing name, or a value that is not finite.
            SymmetryError: The charge was asked for at given values alone, and the gates break it at these.
        """
        theta = angles_of(self.parameters, values)
        if self.at is not None and not self.conserves_at(theta):
            raise SymmetryError(
                "the gates do not conserve the charge sum_i (1 - Z_i)/2 at these parameter values, though they do at "
                "those given as at=. State the problem again with these, if the angles are tied in another way."
            )
        return theta

    def conserves_at(self, theta: npt.NDArray[np.float64]) -> bool:
        """Whether every block conserves the charge at parameter values, shape (K,), radians."""
        blocks = (block for layer in self.layers for block in layer.blocks)
        return all(conserves_charge(block.rotations, block.qubits, theta) for block in blocks)

    def __str__(self) -> str:
        more = f" (and {len(self.warnings) - 1} more)" if len(self.warnings) > 1 else ""
        facts = {
            "readout": self.readout_label,
            "input": self.initial.name + ("" if self.charge is None else f", charge {self.charge}"),
            "symmetry": str(self.symmetry) + (", broken by gates or readout" if self.breaking else ""),
            "noise": self.noise.name,
            "note": self.warnings[0] + more if self.warnings else None,
        }
        size = f"{self.num_qubits} qubits, {len(self.layers)} layers, {len(self.parameters)} parameters"
        return facts_text(f"problem of {size}", facts)

    def __repr__(self) -> str:
        return (
            f"Problem({self.num_qubits} qubits, {len(self.layers)} layers, {len(self.parameters)} parameters, "
            f"readout {self.readout_label!r}, initial {self.initial.name!r}, noise {self.noise.name!r})"
        )


_CONSERVING = (
    "Use gates on one or two qubits that conserve it (XX+YY, RZZ, CPhase, RZ, or products of them on one pair), or "
    "claim another symmetry (symmetry=, --symmetry; 'equinoise symmetries' finds those that the circuit has)"
)
# qubits up to which a preparation's noise is computed: density matrices of 4^8 numbers
_LARGEST_NOISY = 8
_EQUIVARIANT = "Claim a smaller symmetry ('equinoise symmetries' finds those that the circuit has)"
_OWN_PREPARATION = " The circuit's leading gates prepare a state of their own: leave out 'initial' to use it."


def _in_frames(state: InitialState, frames: Frames) -> InitialState:
    """An input of the laboratory as the frames before the first gate show it."""
    if state.product is None:
        return replace(state, vector=frames.vector(state.statevector()))
    turned = prepared_product(frames.state(state.product))
    return replace(turned, name=state.name)
