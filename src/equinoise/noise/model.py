"""Noise as Lindblad generators, one slot after each layer of the circuit, and as phases correlated between slots.

After layer ``l`` act, in this order and each as ``exp(s x generator)``: diagonal dephasing, relaxation, depolarizing,
Pauli jumps, general jumps and Hamiltonians. Rates are dimensionless, per slot; D[K](r) = K r K^dag - {K^dag K, r}/2:

* :class:`Dephasing`: ``rate * D[sum_i v_i Z_i]``
* :class:`Relaxation`: ``down * D[|0><1|] + up * D[|1><0|]`` on one qubit
* :class:`Depolarizing`: ``r -> rate * (Tr_A(r) (x) 1/d - r)`` on one or two qubits A
* :class:`PauliJump`: ``rate * D[P]`` for a Pauli string P
* :class:`~equinoise.noise.terms.jump.Jump`: ``rate * D[K]`` for any matrix K on one or two qubits
* :class:`~equinoise.noise.terms.coherent.Coherent`: ``exp(-i s angle H)`` for a Hermitian H on one or two qubits
* :class:`~equinoise.noise.terms.kraus.Kraus`: a whole channel on one or two qubits, its logarithm the generator

Jumps and Hamiltonians on one set of qubits act together, as the exponential of the sum of their generators.

:class:`Dephasing` with a ``correlation`` (quasi-static, exponentially correlated, 1/f) is in no slot: it is a
:class:`PhaseProcess`, random phases exp(-i sqrt(s rate) xi_l K) with E xi_l xi_m = c(|l - m|) and c(0) = 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any

from equinoise.errors import NoiseError
from equinoise.noise import noise_table
from equinoise.noise.assignment import checked_assignment
from equinoise.noise.entries import entries, parsed, spelled_term
from equinoise.noise.phase_modes import PhaseModes, check_phases_fit, checked_modes
from equinoise.noise.placing import check_terms_fit, place_processes, place_terms, terms_of_no_gate
from equinoise.noise.terms import KINDS, NoiseTerm, PhaseProcess, Slot
from equinoise.noise.terms.kinds import in_order
from equinoise.text.notebook import data_frame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp

    from equinoise.circuit.layers import Layer
    from equinoise.device.placement import LayoutChoice
    from equinoise.device.snapshots import Calibration

__all__ = ["NoiseModel"]


@dataclass(frozen=True)
class NoiseModel:
    """The noise of a circuit: Lindblad terms per slot, readout assignment errors, and where it came from.

    Dephasing is white (independent in each slot) unless its ``correlation`` says otherwise: then its random phases
    exp(-i sqrt(s rate) xi_l K) in the slots l are one Gaussian sequence, E xi_l xi_m = c(|l - m|), c(0) = 1. The rate
    is that of one slot alone in both cases. Weights across qubits correlate it in space (crosstalk).
    Rates are 0 or lie between 1e-100 and 1000.

    Terms come as such or by kind, under the kind's name, and are found under it again: ``noise.dephasing``.

    Args:
        terms: Noise terms of any kind.
        dephasing: A rate (independent jump on each qubit), or :class:`Dephasing` terms or tables like
            ``{"rate": 0.02, "weights": {0: 1.0, 3: -0.5}}``; ``{"rate": 0.02, "correlation": "static"}`` is
            quasi-static, a number a correlation time in slots, ``{"1/f": [1, 1000]}`` close to 1/f between these times
            in slots, a list of [weight, time] pairs any sum of exponentials.
        relaxation: A rate (down, on each qubit), or :class:`Relaxation` terms or tables like
            ``{"qubit": 2, "down": 0.01, "up": 0.001, "layers": [0, 1]}``.
        depolarizing: A rate (on each qubit), or :class:`Depolarizing` terms or tables like
            ``{"qubits": [0, 1], "rate": 0.004}``.
        pauli: :class:`PauliJump` terms or tables like ``{"pauli": "X0", "rate": 0.001}``.
        jump: :class:`~equinoise.noise.terms.jump.Jump` terms or tables like ``{"qubits": [0], "matrix": [[0, 1], [0,
            0]], "rate": 0.01}``, elements as numbers or [re, im].
        coherent: :class:`~equinoise.noise.terms.coherent.Coherent` terms or tables like ``{"qubits": [0], "matrix":
            [[0, 1], [1, 0]], "angle": 0.1}``.
        kraus: :class:`~equinoise.noise.terms.kraus.Kraus` terms or tables like ``{"qubits": [0], "operators": [[[1, 0],
            [0, 0.9]], [[0, 0.4359], [0, 0]]]}``: channels that act as a whole.
        phases: :class:`~equinoise.noise.phase_modes.PhaseModes` or tables like ``{"qubits": [0], "modes": [[[0.1],
            [-0.1]]]}``: Gaussian phases with any covariance between the slots and qubits of one circuit.
        readout_error: Assignment errors {qubit: (p01, p10)}: p01 the probability of reading 1 for |0>, p10 of reading
            0 for |1>. They turn Z into (1 - p01 - p10) Z + (p10 - p01).
        calibration: A device whose idling and gate errors become terms when a circuit's layers are known.
        notes: What was clipped, approximated or left out when the model was made.
        name: What to call it on screen.
        placement: Where a device's noise was placed; None where it was not, or is no device's.

    Raises:
        NoiseError: A rate is negative, not finite or out of range, a key unknown, a qubit malformed.

    Example:
        >>> import equinoise as eq
        >>> noise = eq.NoiseModel(dephasing=0.01, relaxation=[{"qubit": 2, "down": 0.02}])
        >>> len(noise.dephasing), noise.relaxation[0].down
        (1, 0.02)
        >>> slow = eq.NoiseModel(dephasing=[{"rate": 0.01, "weights": {0: 1.0, 1: 0.3}, "correlation": 5}])
        >>> print(slow.describe())
        dephasing 0.01 D[Z0 + 0.3 Z1], correlated over 5 slots
    """

    terms: tuple[NoiseTerm, ...] = ()
    phases: tuple[PhaseModes, ...] = ()
    readout_error: tuple[tuple[int, tuple[float, float]], ...] = ()
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    name: str = "noise"
    placement: LayoutChoice | None = None

    def __init__(
        self,
        terms: Iterable[NoiseTerm] = (),
        *,
        readout_error: Any = (),
        calibration: Calibration | None = None,
        notes: Sequence[str] = (),
        name: str = "noise",
        phases: Any = (),
        placement: LayoutChoice | None = None,
        **kinds: Any,
    ) -> None:
        unknown = sorted(set(kinds) - set(KINDS))
        if unknown:
            raise NoiseError(f"NoiseModel has no kind of noise {shown(unknown[0])}; it knows {', '.join(KINDS)}.")
        given = tuple(terms) if isinstance(terms, Iterable) else (terms,)
        wrong = [term for term in given if not isinstance(term, NoiseTerm)]
        if wrong:
            raise NoiseError(f"terms must be noise terms such as Dephasing(0.01), got {shown(wrong[0])}.")
        stated = [term for kind, value in kinds.items() for term in entries(kind, value)]
        object.__setattr__(self, "terms", in_order([*given, *stated]))
        object.__setattr__(self, "phases", checked_modes(phases))
        object.__setattr__(self, "readout_error", checked_assignment(readout_error))
        object.__setattr__(self, "calibration", calibration)
        object.__setattr__(self, "notes", tuple(notes))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "placement", placement)

    # -- constructors --------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, noise: Any) -> NoiseModel:
        """A model from what the user gave: None, a model, what :meth:`from_string` reads, or a mapping.

        Raises:
            NoiseError: None of these.
        """
        if noise is None:
            return cls(name="none")
        if isinstance(noise, NoiseModel):
            return noise
        if isinstance(noise, str):
            return cls.from_string(noise)
        if isinstance(noise, Mapping):
            return cls.from_dict(noise)
        raise NoiseError(
            f"noise must be a NoiseModel, a specification string or a mapping, got {type(noise).__name__}."
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, name: str = "noise") -> NoiseModel:
        """Noise from a mapping with keys dephasing, relaxation, depolarizing, pauli, phases, readout_error.

        Args:
            data: As in a TOML or JSON noise file; qubits are circuit indices, ``layers`` and ``gate`` optional.
            name: What to call it on screen.

        Raises:
            NoiseError: An unknown key or a malformed entry, named.

        Example:
            >>> import equinoise as eq
            >>> data = {"dephasing": [{"rate": 0.02, "weights": {"0": 1.0, "3": -0.5}}]}
            >>> eq.NoiseModel.from_dict(data).dephasing[0].weights
            ((0, 1.0), (3, -0.5))
        """
        if not isinstance(data, Mapping):
            raise NoiseError(f"noise data must be a table, got {type(data).__name__}.")
        known = [*KINDS, "phases", "readout_error", "name"]
        unknown = sorted(set(data) - set(known), key=str)
        if unknown:
            raise NoiseError(f"noise data has unknown key {shown(unknown[0])}; known keys: {', '.join(known)}.")
        entries = dict(data)
        label = entries.pop("name", name)
        if not isinstance(label, str):
            raise NoiseError(f"noise data: 'name' must be a text, got {shown(label)}.")
        return cls(**entries, name=label)

    @classmethod
    def from_file(cls, path: str | Path) -> NoiseModel:
        """Noise from a TOML or JSON file (see :meth:`from_dict`).

        Raises:
            NoiseError: The file is missing, is not TOML or JSON, or holds a malformed entry.
        """
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise NoiseError(f"cannot read the noise file {shown(str(file))} ({error}). Check the path.") from None
        data = parsed(text, file)
        try:
            return cls.from_dict(data, name=file.stem)
        except NoiseError as error:
            raise NoiseError(f"{file}: {error}") from None

    @classmethod
    def from_string(cls, spec: str) -> NoiseModel:
        """Noise from a short specification.

        ``dephasing:0.01`` (each qubit), ``static:0.01`` (quasi-static dephasing of each qubit, independent between
        qubits), ``collective:0.01`` (one jump with K = sum Z), ``relaxation:down=0.01,up=0.001`` (each qubit),
        ``depolarizing:0.003`` (each qubit), ``ibm:torino`` (a device snapshot), ``none``, or the path of a TOML or JSON
        file. Several are joined by ``+``.

        Raises:
            NoiseError: The text fits none of these.
            DeviceError: ``ibm:NAME`` names no known device.

        Example:
            >>> import equinoise as eq
            >>> eq.NoiseModel.from_string("dephasing:0.01+depolarizing:0.002").depolarizing[0].rate
            0.002
        """
        text = spec.strip()
        if Path(text).suffix.lower() in (".toml", ".json"):
            return cls.from_file(text)
        model = cls(name=text)
        for part in re.split(r"\+(?=\s*[a-z])", text):  # a plus sign in 1e+3 joins nothing
            word, _, rest = part.strip().partition(":")
            if word == "ibm":
                from equinoise.device.snapshots import snapshot

                model = model.combined(cls.from_backend(snapshot(rest)))
            elif part.strip() != "none":
                model = model.combined(cls([spelled_term(part.strip())]))
        return replace(model, name=text)

    @classmethod
    def from_backend(cls, backend: Any, layout: Sequence[int] | None = None) -> NoiseModel:
        """Noise of a device from its calibration; see :meth:`equinoise.device.snapshots.Calibration.from_backend`.

        Args:
            backend: Any Qiskit BackendV2.
            layout: Physical qubit of each circuit qubit, or None to have a low-error one chosen for the circuit.

        Raises:
            DeviceError: The backend has no target or states no noise, or the layout is out of range or repeats a qubit.

        Example:
            >>> import equinoise as eq
            >>> from qiskit.providers.fake_provider import GenericBackendV2
            >>> eq.NoiseModel.from_backend(GenericBackendV2(3, seed=1), layout=[2, 1]).calibration.layout
            (2, 1)
        """
        from equinoise.device.snapshots import Calibration

        calibration = Calibration.from_backend(backend, layout)
        return cls(calibration=calibration, notes=calibration.notes, name=calibration.name)

    @classmethod
    def from_pauli_lindblad(cls, source: Any, rates: Sequence[float] | None = None, **placement: Any) -> NoiseModel:
        """Noise from Pauli-Lindblad generators; see :func:`equinoise.noise.importing.from_pauli_lindblad`."""
        from equinoise.noise.importing import from_pauli_lindblad

        return from_pauli_lindblad(cls, source, rates, **placement)

    @classmethod
    def from_aer(cls, noise_model: Any, **options: Any) -> NoiseModel:
        """Noise from a Qiskit Aer noise model; see :func:`equinoise.noise.importing.from_aer`."""
        from equinoise.noise.importing import from_aer

        return from_aer(cls, noise_model, **options)

    # -- use -----------------------------------------------------------------------------------------------------

    def combined(self, other: NoiseModel) -> NoiseModel:
        """Both models' terms acting together."""
        if self.calibration is not None and other.calibration is not None:
            raise NoiseError("two device calibrations cannot be combined; give one device.")
        return NoiseModel(
            self.terms + other.terms,
            readout_error=dict(self.readout_error) | dict(other.readout_error),
            calibration=self.calibration or other.calibration,
            phases=self.phases + other.phases,
            notes=self.notes + other.notes,
            name=f"{self.name}+{other.name}",
            placement=self.placement or other.placement,
        )

    def __getattr__(self, name: str) -> tuple[Any, ...]:
        if name in KINDS:
            return tuple(term for term in self.terms if term.kind == name)
        raise AttributeError(f"a noise model has no {name!r}; its terms are under {', '.join(KINDS)}.")

    def slots(self, layers: Sequence[Layer], num_qubits: int) -> tuple[Slot, ...]:
        """The terms of each slot, for a circuit's layers: wildcards expanded, layers and gates resolved.

        Dephasing correlated in time is in none of them; see :meth:`processes`.

        Args:
            layers: The circuit's layers.
            num_qubits: Number of circuit qubits n.

        Raises:
            NoiseError: A term names a qubit or layer that the circuit does not have, or a device is not yet placed.
        """
        self._check_place(layers, num_qubits)
        return place_terms(self.terms, layers, num_qubits)

    def processes(self, layers: Sequence[Layer], num_qubits: int) -> tuple[PhaseProcess | PhaseModes, ...]:
        """The dephasing correlated in time, for a circuit's layers: wildcards expanded, layers and gates resolved.

        Each is a Gaussian sequence of its own: two equal terms are two independent processes. Those of zero rate, of
        zero weights or acting in no slot are left out.

        Args:
            layers: The circuit's layers, L of them.
            num_qubits: Number of circuit qubits n.

        Returns:
            Processes with L amplitudes each, sqrt(rate) times how often the term acts in the slot; then the Gaussian
            phases given as such.

        Raises:
            NoiseError: A term names a qubit or layer that the circuit does not have, or a device is not yet placed.

        Example:
            >>> import equinoise as eq
            >>> problem = eq.Problem(eq.circuits.brickwork(2, depth=3), readout="Z0", noise="static:0.04")
            >>> [(process.pairs, process.amplitudes) for process in problem.processes]
            [(((0, 1.0),), (0.2, 0.2, 0.2)), (((1, 1.0),), (0.2, 0.2, 0.2))]
        """
        self._check_place(layers, num_qubits)
        check_phases_fit(self.phases, len(layers), num_qubits)
        return (*place_processes(self.terms, layers, num_qubits), *self.phases)

    def _check_place(self, layers: Sequence[Layer], num_qubits: int) -> None:
        if self.calibration is not None:
            raise NoiseError("this model holds a device calibration; place it on a circuit first (Problem does).")
        check_terms_fit(self.terms, layers, num_qubits)

    def placed(self, circuit: Any) -> tuple[tuple[Slot, ...], tuple[PhaseProcess | PhaseModes, ...]]:
        """Slots and processes of a circuit, or those that a Problem holds.

        Args:
            circuit: A ``qiskit.QuantumCircuit`` or a :class:`equinoise.Problem`.
        """
        slots = getattr(circuit, "slots", None)
        if slots is not None:
            return slots, circuit.processes
        from equinoise.circuit.layers import split_layers

        layers = split_layers(circuit)
        model = place_noise(self, circuit, layers)
        return model.slots(layers, circuit.num_qubits), model.processes(layers, circuit.num_qubits)

    def idle_terms(self, layers: Sequence[Layer], num_qubits: int) -> tuple[str, ...]:
        """Descriptions of terms tied to gates that the circuit does not have: they act in no slot."""
        return tuple(term.describe() for term in terms_of_no_gate(self.terms, layers, num_qubits))

    def to_dict(self) -> dict[str, Any]:
        """The model as plain data that :meth:`from_dict` reads back (a calibration is not part of it)."""
        out: dict[str, Any] = {}
        for kind in KINDS:
            entries = [term.plain() for term in getattr(self, kind)]
            if entries:
                out[kind] = entries
        if self.phases:
            out["phases"] = [entry.plain() for entry in self.phases]
        if self.readout_error:
            out["readout_error"] = {str(q): list(p) for q, p in self.readout_error}
        return out

    def describe(self, circuit: Any = None) -> str:
        """What is really applied: term by term, or slot by slot when a circuit (or Problem) is given.

        Dephasing correlated in time is listed in each slot where it acts, with its correlation.

        Args:
            circuit: A ``qiskit.QuantumCircuit`` or a :class:`equinoise.Problem`; its layers resolve wildcards, gates
                and a device's calibration.

        Example:
            >>> import equinoise as eq
            >>> print(eq.NoiseModel(dephasing=0.01).describe(eq.circuits.brickwork(2, depth=1)))
            slot 0 (after layer 0):
              dephasing 0.01 D[Z0]
              dephasing 0.01 D[Z1]
        """
        return "\n".join(noise_table.noise_lines(self, circuit))

    def _repr_html_(self) -> str:
        return noise_table.noise_html(self)

    def plot(self, circuit: Any) -> Figure:
        """Rates by qubit on a circuit or Problem; see :func:`equinoise.noise.noise_table.plot_noise`."""
        return noise_table.plot_noise(self, circuit)

    def to_dataframe(self, circuit: Any = None) -> pd.DataFrame:
        """The terms as a pandas frame; see :func:`equinoise.noise.noise_table.noise_columns`."""
        return data_frame(noise_table.noise_columns(self, circuit))


def place_noise(
    model: NoiseModel,
    circuit: QuantumCircuit,
    layers: Sequence[Layer],
    readout: SparsePauliOp | None = None,
    *,
    in_place: bool = False,
) -> NoiseModel:
    """The model with a device's calibration turned into terms for these layers (unchanged without a calibration).

    With ``in_place`` a circuit of the device's own qubits and couplers stays on them where no layout is given.
    """
    if model.calibration is None:
        return model
    from equinoise.device.calibration import kept_in_place, place

    return place(kept_in_place(model, layers, circuit.num_qubits) if in_place else model, circuit, layers, readout)
