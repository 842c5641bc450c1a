"""Noise as Lindblad generators, one slot after each layer of the circuit.

After layer ``l`` act, in this order and each as ``exp(s x generator)``: diagonal dephasing, relaxation, depolarizing,
and Pauli jumps that fit none of these. Rates are dimensionless, per slot. With D[K](r) = K r K^dag - {K^dag K, r}/2:

* :class:`Dephasing`: ``rate * D[sum_i v_i Z_i]``
* :class:`Relaxation`: ``down * D[|0><1|] + up * D[|1><0|]`` on one qubit
* :class:`Depolarizing`: ``r -> rate * (Tr_A(r) (x) 1/d - r)`` on one or two qubits A
* :class:`PauliJump`: ``rate * D[P]`` for a Pauli string P
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from equinoise.errors import NoiseError

if TYPE_CHECKING:
    from equinoise.problem.devices import Calibration
    from equinoise.problem.layers import Layer

__all__ = [
    "Dephasing",
    "Depolarizing",
    "NoiseModel",
    "NoiseTerm",
    "PauliJump",
    "Relaxation",
    "Slot",
]

EACH = "each"
ALL = "all"


def _rate(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoiseError(f"{what} must be a number, got {value!r}. Give a dimensionless rate per slot, e.g. 0.01.")
    rate = float(value)
    if not math.isfinite(rate):
        raise NoiseError(f"{what} must be finite, got {rate}. Remove the entry or give a dimensionless rate per slot.")
    if rate < 0:
        raise NoiseError(f"{what} must not be negative, got {rate}. A Lindblad generator needs rates >= 0.")
    return rate


def _qubit(value: object, what: str) -> int:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NoiseError(f"{what} must be a qubit index 0, 1, 2, ..., got {value!r}.")
    return value


def _layers(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise NoiseError(f"'layers' must be a list of layer indices counted from 0, got {value!r}.")
    out = tuple(value)
    if any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in out):
        raise NoiseError(f"'layers' must be a list of layer indices counted from 0, got {list(out)!r}.")
    return tuple(sorted(set(out)))


@dataclass(frozen=True)
class _Placement:
    """Where a term acts: every slot, the slots of ``layers``, or the slot of each gate named ``gate``.

    Attributes:
        layers: Layer indices counted from 0; None means every layer.
        gate: Name of a circuit instruction; the term then acts once per such gate that touches all its qubits,
            in the slot of that gate's layer.
        on: With ``gate``: only gates on exactly these qubits (any order).
    """

    layers: tuple[int, ...] | None = field(default=None, kw_only=True)
    gate: str | None = field(default=None, kw_only=True)
    on: tuple[int, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _layers(self.layers))
        if self.gate is not None and (not isinstance(self.gate, str) or not self.gate):
            raise NoiseError(f"'gate' must be the name of a gate such as 'rzz', got {self.gate!r}.")
        if self.on is not None:
            if self.gate is None:
                raise NoiseError("'on' says which gate's qubits are meant; give 'gate' with it.")
            object.__setattr__(self, "on", tuple(_qubit(q, "'on'") for q in self.on))


@dataclass(frozen=True)
class Dephasing(_Placement):
    """Diagonal dephasing rate * D[K] with K = sum_i weights[i] Z_i.

    In a computational-basis element |x><y| it is the factor exp(-s rate (v.z_x - v.z_y)^2 / 2). For one qubit with
    weight 1 the coherence decays as exp(-2 s rate); phase damping of parameter lambda is exp(-2 rate) = sqrt(1 - lambda).

    Attributes:
        rate: Dimensionless, per slot, >= 0.
        weights: ((qubit, weight), ...) sorted by qubit; "each" for one independent jump per qubit, "all" for one
            collective jump with weight 1 on every qubit.
    """

    rate: float
    weights: tuple[tuple[int, float], ...] | Literal["each", "all"] = EACH

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rate", _rate(self.rate, "dephasing rate"))
        if isinstance(self.weights, str):
            if self.weights not in (EACH, ALL):
                raise NoiseError(f"dephasing weights must map qubits to numbers, or be 'each' or 'all', got {self.weights!r}.")
            return
        pairs = self.weights.items() if isinstance(self.weights, Mapping) else self.weights
        clean: dict[int, float] = {}
        for qubit, weight in pairs:
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
                raise NoiseError(f"dephasing weight of qubit {qubit} must be a finite number, got {weight!r}.")
            clean[_qubit(qubit, "dephasing qubit")] = float(weight)
        if not clean:
            raise NoiseError("a dephasing term needs at least one weight, e.g. weights = {0 = 1.0}.")
        object.__setattr__(self, "weights", tuple(sorted(clean.items())))

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" or "all" is not yet expanded."""
        return () if isinstance(self.weights, str) else tuple(q for q, _ in self.weights)


@dataclass(frozen=True)
class Relaxation(_Placement):
    """Relaxation of one qubit: down * D[|0><1|] + up * D[|1><0|].

    Attributes:
        qubit: Qubit index, or "each".
        down: Rate |1> -> |0>, dimensionless per slot.
        up: Rate |0> -> |1>, dimensionless per slot.
    """

    qubit: int | Literal["each"]
    down: float = 0.0
    up: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.qubit != EACH:
            object.__setattr__(self, "qubit", _qubit(self.qubit, "relaxation qubit"))
        object.__setattr__(self, "down", _rate(self.down, "relaxation rate 'down'"))
        object.__setattr__(self, "up", _rate(self.up, "relaxation rate 'up'"))

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" is not yet expanded."""
        return () if isinstance(self.qubit, str) else (self.qubit,)


@dataclass(frozen=True)
class Depolarizing(_Placement):
    """Depolarizing on one or two qubits A: r -> rate * (Tr_A(r) (x) 1/d - r).

    Attributes:
        qubits: One or two qubit indices, or "each" for every qubit by itself.
        rate: Dimensionless, per slot.
    """

    qubits: tuple[int, ...] | Literal["each"]
    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.qubits != EACH:
            if isinstance(self.qubits, str) or not isinstance(self.qubits, Iterable):
                raise NoiseError(f"depolarizing 'qubits' must list one or two qubits, got {self.qubits!r}.")
            qubits = tuple(_qubit(q, "depolarizing qubit") for q in self.qubits)
            if len(qubits) not in (1, 2) or len(set(qubits)) != len(qubits):
                raise NoiseError(f"depolarizing acts on one or two different qubits, got {list(qubits)}.")
            object.__setattr__(self, "qubits", tuple(sorted(qubits)))
        object.__setattr__(self, "rate", _rate(self.rate, "depolarizing rate"))


@dataclass(frozen=True)
class PauliJump(_Placement):
    """Pauli jump rate * D[P], P a Pauli string such as "X0", "Z0Z1", "X2Y3".

    exp(s rate D[P])(r) = (1 + e)/2 r + (1 - e)/2 P r P with e = exp(-2 s rate).

    Attributes:
        pauli: ((qubit, letter), ...) sorted by qubit, letters X, Y, Z; a string "X0Z3" is accepted.
        rate: Dimensionless, per slot.
    """

    pauli: tuple[tuple[int, str], ...]
    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs: Iterable[tuple[int, str]]
        if isinstance(self.pauli, str):
            if not re.fullmatch(r"([XYZ]\d+)+", self.pauli):
                raise NoiseError(f"pauli must look like 'X0' or 'Z0Z1', got {self.pauli!r}.")
            pairs = [(int(q), p) for p, q in re.findall(r"([XYZ])(\d+)", self.pauli)]
        else:
            pairs = [(_qubit(q, "pauli qubit"), p) for q, p in self.pauli]
        qubits = [q for q, _ in pairs]
        if not qubits or len(set(qubits)) != len(qubits) or any(p not in ("X", "Y", "Z") for _, p in pairs):
            raise NoiseError(f"pauli needs letters X, Y, Z on different qubits, got {self.pauli!r}.")
        object.__setattr__(self, "pauli", tuple(sorted(pairs)))
        object.__setattr__(self, "rate", _rate(self.rate, "pauli rate"))

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on."""
        return tuple(q for q, _ in self.pauli)

    @property
    def label(self) -> str:
        """The string again, e.g. "X0Z3"."""
        return "".join(f"{p}{q}" for q, p in self.pauli)


NoiseTerm = Dephasing | Relaxation | Depolarizing | PauliJump


@dataclass(frozen=True)
class Slot:
    """What acts after one layer, with wildcards, layers and gates resolved (rates of equal terms not merged)."""

    dephasing: tuple[Dephasing, ...] = ()
    relaxation: tuple[Relaxation, ...] = ()
    depolarizing: tuple[Depolarizing, ...] = ()
    pauli: tuple[PauliJump, ...] = ()

    @property
    def terms(self) -> tuple[NoiseTerm, ...]:
        """All terms in the order in which they act."""
        return (*self.dephasing, *self.relaxation, *self.depolarizing, *self.pauli)


_KINDS: dict[str, type[Any]] = {
    "dephasing": Dephasing,
    "relaxation": Relaxation,
    "depolarizing": Depolarizing,
    "pauli": PauliJump,
}


def _term(kind: str, index: int, entry: object) -> NoiseTerm:
    cls = _KINDS[kind]
    if isinstance(entry, cls):
        return entry  # type: ignore[no-any-return]
    where = f"{kind}[{index}]"
    if not isinstance(entry, Mapping):
        raise NoiseError(f"{where} must be a table such as {{rate = 0.01, ...}}, got {entry!r}.")
    known = [f.name for f in fields(cls)]
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise NoiseError(f"{where} has unknown key {unknown[0]!r}; known keys: {', '.join(sorted(known))}.")
    try:
        return cls(**entry)  # type: ignore[no-any-return]
    except NoiseError as error:
        raise NoiseError(f"{where}: {error}") from None
    except (TypeError, ValueError) as error:
        raise NoiseError(f"{where} is malformed ({error}); known keys: {', '.join(sorted(known))}.") from None


def _terms(kind: str, value: object) -> tuple[NoiseTerm, ...]:
    if isinstance(value, bool):
        raise NoiseError(f"{kind} must be a rate or a list of tables, got {value!r}.")
    if isinstance(value, int | float):
        rate = float(value)
        each: dict[str, NoiseTerm] = {
            "dephasing": Dephasing(rate, EACH),
            "relaxation": Relaxation(EACH, down=rate),
            "depolarizing": Depolarizing(EACH, rate),
        }
        if kind not in each:
            raise NoiseError(f"{kind} needs a list of tables such as {{pauli = 'X0', rate = 0.01}}, got {value!r}.")
        return (each[kind],)
    if isinstance(value, _KINDS[kind] | Mapping):
        value = [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise NoiseError(f"{kind} must be a rate (on each qubit) or a list of tables, got {value!r}.")
    return tuple(_term(kind, i, entry) for i, entry in enumerate(value))


@dataclass(frozen=True)
class NoiseModel:
    """The noise of a circuit: Lindblad terms per slot, readout assignment errors, and where it came from.

    Args:
        dephasing: A rate (independent jump on each qubit), or :class:`Dephasing` terms or tables like
            ``{"rate": 0.02, "weights": {0: 1.0, 3: -0.5}}``.
        relaxation: A rate (down, on each qubit), or :class:`Relaxation` terms or tables like
            ``{"qubit": 2, "down": 0.01, "up": 0.001, "layers": [0, 1]}``.
        depolarizing: A rate (on each qubit), or :class:`Depolarizing` terms or tables like
            ``{"qubits": [0, 1], "rate": 0.004}``.
        pauli: :class:`PauliJump` terms or tables like ``{"pauli": "X0", "rate": 0.001}``.
        readout_error: Assignment errors {qubit: (p01, p10)}: p01 the probability of reading 1 for |0>, p10 of reading
            0 for |1>. They turn Z into (1 - p01 - p10) Z + (p10 - p01).
        calibration: A device whose idling and gate errors become terms when a circuit's layers are known.
        notes: What was clipped, approximated or left out when the model was made.
        name: What to call it on screen.

    Raises:
        NoiseError: A rate is negative or not finite, a key unknown, a qubit malformed.

    Example:
        >>> import equinoise as eq
        >>> noise = eq.NoiseModel(dephasing=0.01, relaxation=[{"qubit": 2, "down": 0.02}])
        >>> len(noise.dephasing), noise.relaxation[0].down
        (1, 0.02)
    """

    dephasing: tuple[Dephasing, ...] = ()
    relaxation: tuple[Relaxation, ...] = ()
    depolarizing: tuple[Depolarizing, ...] = ()
    pauli: tuple[PauliJump, ...] = ()
    readout_error: tuple[tuple[int, tuple[float, float]], ...] = ()
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    name: str = "noise"

    def __init__(
        self,
        dephasing: Any = (),
        relaxation: Any = (),
        depolarizing: Any = (),
        pauli: Any = (),
        readout_error: Any = (),
        calibration: Calibration | None = None,
        notes: Sequence[str] = (),
        name: str = "noise",
    ) -> None:
        given = {"dephasing": dephasing, "relaxation": relaxation, "depolarizing": depolarizing, "pauli": pauli}
        for kind, value in given.items():
            object.__setattr__(self, kind, _terms(kind, value))
        object.__setattr__(self, "readout_error", _readout_error(readout_error))
        object.__setattr__(self, "calibration", calibration)
        object.__setattr__(self, "notes", tuple(notes))
        object.__setattr__(self, "name", name)

    # -- constructors --------------------------------------------------------------------------------------------

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, name: str = "noise") -> NoiseModel:
        """Noise from a mapping with keys dephasing, relaxation, depolarizing, pauli, readout_error.

        Args:
            data: As in a TOML or JSON noise file; qubits are circuit indices, ``layers`` and ``gate`` optional.
            name: What to call it on screen.

        Raises:
            NoiseError: An unknown key or a malformed entry, named.

        Example:
            >>> import equinoise as eq
            >>> eq.NoiseModel.from_dict({"dephasing": [{"rate": 0.02, "weights": {"0": 1.0, "3": -0.5}}]}).dephasing[0].weights
            ((0, 1.0), (3, -0.5))
        """
        if not isinstance(data, Mapping):
            raise NoiseError(f"noise data must be a table, got {type(data).__name__}.")
        known = [*_KINDS, "readout_error", "name"]
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise NoiseError(f"noise data has unknown key {unknown[0]!r}; known keys: {', '.join(known)}.")
        entries = dict(data)
        label = entries.pop("name", name)
        return cls(**entries, name=str(label))

    @classmethod
    def from_file(cls, path: str | Path) -> NoiseModel:
        """Noise from a TOML or JSON file (see :meth:`from_dict`).

        Raises:
            NoiseError: The file is missing, is not TOML or JSON, or holds a malformed entry.
        """
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NoiseError(f"cannot read the noise file {str(file)!r} ({error}). Check the path.") from None
        try:
            data = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
        except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
            kind = "JSON" if file.suffix.lower() == ".json" else "TOML"
            raise NoiseError(f"the noise file {str(file)!r} is not valid {kind}: {error}.") from None
        try:
            return cls.from_dict(data, name=file.stem)
        except NoiseError as error:
            raise NoiseError(f"{file}: {error}") from None

    @classmethod
    def from_string(cls, spec: str) -> NoiseModel:
        """Noise from a short specification.

        ``dephasing:0.01`` (each qubit), ``collective:0.01`` (one jump with K = sum Z), ``relaxation:down=0.01,up=0.001``
        (each qubit), ``depolarizing:0.003`` (each qubit), ``ibm:torino`` (a device snapshot), ``none``, or the path of a
        TOML or JSON file. Several are joined by ``+``.

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
        for part in text.split("+"):
            one = cls._from_part(part.strip())
            model = model.combined(one)
        return replace_name(model, text)

    @classmethod
    def _from_part(cls, part: str) -> NoiseModel:
        kind, _, rest = part.partition(":")
        if kind == "none" and not rest:
            return cls()
        if kind == "ibm":
            from equinoise.problem.devices import snapshot

            return cls.from_backend(snapshot(rest))
        try:
            if kind == "dephasing":
                return cls(dephasing=[Dephasing(float(rest), EACH)])
            if kind == "collective":
                return cls(dephasing=[Dephasing(float(rest), ALL)])
            if kind == "depolarizing":
                return cls(depolarizing=[Depolarizing(EACH, float(rest))])
            if kind == "relaxation":
                pairs = dict(item.split("=") for item in rest.split(",")) if "=" in rest else {"down": rest}
                if set(pairs) <= {"down", "up"}:
                    return cls(relaxation=[Relaxation(EACH, **{k: float(v) for k, v in pairs.items()})])
        except ValueError:
            pass
        raise NoiseError(
            f"cannot read the noise specification {part!r}. Expected dephasing:RATE, collective:RATE, "
            "relaxation:down=RATE[,up=RATE], depolarizing:RATE, ibm:DEVICE, none, or the path of a .toml or .json file."
        )

    @classmethod
    def from_backend(cls, backend: Any, layout: Sequence[int] | None = None) -> NoiseModel:
        """Noise of a device from its calibration; see :func:`equinoise.problem.devices.from_backend`."""
        from equinoise.problem.devices import from_backend

        return from_backend(backend, layout)

    @classmethod
    def from_pauli_lindblad(cls, source: Any, rates: Sequence[float] | None = None, **placement: Any) -> NoiseModel:
        """Noise from Pauli-Lindblad generators; see :func:`equinoise.problem.noise_import.from_pauli_lindblad`."""
        from equinoise.problem.noise_import import from_pauli_lindblad

        return from_pauli_lindblad(source, rates, **placement)

    @classmethod
    def from_aer(cls, noise_model: Any) -> NoiseModel:
        """Noise from a Qiskit Aer noise model; see :func:`equinoise.problem.noise_import.from_aer`."""
        from equinoise.problem.noise_import import from_aer

        return from_aer(noise_model)

    # -- use -----------------------------------------------------------------------------------------------------

    def combined(self, other: NoiseModel) -> NoiseModel:
        """Both models' terms acting together."""
        if self.calibration is not None and other.calibration is not None:
            raise NoiseError("two device calibrations cannot be combined; give one device.")
        return NoiseModel(
            dephasing=self.dephasing + other.dephasing,
            relaxation=self.relaxation + other.relaxation,
            depolarizing=self.depolarizing + other.depolarizing,
            pauli=self.pauli + other.pauli,
            readout_error=dict(self.readout_error) | dict(other.readout_error),
            calibration=self.calibration or other.calibration,
            notes=self.notes + other.notes,
            name=f"{self.name}+{other.name}",
        )

    @property
    def terms(self) -> tuple[NoiseTerm, ...]:
        """All terms, in the order in which they act in a slot."""
        return (*self.dephasing, *self.relaxation, *self.depolarizing, *self.pauli)

    def slots(self, layers: Sequence[Layer], num_qubits: int) -> tuple[Slot, ...]:
        """The terms of each slot, for a circuit's layers: wildcards expanded, layers and gates resolved.

        Args:
            layers: The circuit's layers.
            num_qubits: Number of circuit qubits n.

        Raises:
            NoiseError: A term names a qubit or layer that the circuit does not have, or a device is not yet placed.
        """
        if self.calibration is not None:
            raise NoiseError("this model holds a device calibration; place it on a circuit first (Problem does).")
        for term in self.terms:
            outside = [q for q in term.qubits if q != EACH and isinstance(q, int) and q >= num_qubits]
            if outside:
                raise NoiseError(f"{term} acts on qubit {outside[0]}, but the circuit has qubits 0..{num_qubits - 1}.")
            if term.layers and term.layers[-1] >= len(layers):
                raise NoiseError(f"{term} names layer {term.layers[-1]}, but the circuit has layers 0..{len(layers) - 1}.")
        return tuple(self._slot(index, layer, num_qubits) for index, layer in enumerate(layers))

    def _slot(self, index: int, layer: Layer, num_qubits: int) -> Slot:
        chosen: dict[str, list[NoiseTerm]] = {kind: [] for kind in _KINDS}
        for kind in _KINDS:
            for term in getattr(self, kind):
                if term.layers is not None and index not in term.layers:
                    continue
                for one in _expand(term, num_qubits):
                    chosen[kind].extend([one] * _times(one, layer))
        return Slot(**{kind: tuple(terms) for kind, terms in chosen.items()})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """The model as plain data that :meth:`from_dict` reads back (a calibration is not part of it)."""
        out: dict[str, Any] = {}
        for kind in _KINDS:
            entries = [_plain(term) for term in getattr(self, kind)]
            if entries:
                out[kind] = entries
        if self.readout_error:
            out["readout_error"] = {str(q): list(p) for q, p in self.readout_error}
        return out

    def describe(self, circuit: Any = None) -> str:
        """What is really applied: term by term, or slot by slot when a circuit (or Problem) is given.

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
        lines: list[str] = []
        if circuit is None:
            lines += [describe_term(term) for term in self.terms] or ["no noise"]
            if self.calibration is not None:
                lines.append(f"device calibration of {self.calibration.name}; give a circuit to see the slots")
        else:
            for index, slot in enumerate(_slots_of(self, circuit)):
                lines.append(f"slot {index} (after layer {index}):")
                lines += [f"  {describe_term(term)}" for term in slot.terms] or ["  nothing"]
        lines += [f"readout of qubit {q}: p01 = {a:.4g}, p10 = {b:.4g}" for q, (a, b) in self.readout_error]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def replace_name(model: NoiseModel, name: str) -> NoiseModel:
    """The same model under another name."""
    values = {f.name: getattr(model, f.name) for f in fields(model)}
    return NoiseModel(**{**values, "name": name})


def _slots_of(model: NoiseModel, circuit: Any) -> tuple[Slot, ...]:
    slots = getattr(circuit, "slots", None)
    if slots is not None:
        return slots  # type: ignore[no-any-return]
    from equinoise.problem.layers import split_layers
    from equinoise.problem.problem import place_noise

    layers = split_layers(circuit)
    return place_noise(model, circuit, layers).slots(layers, circuit.num_qubits)


def _readout_error(value: Any) -> tuple[tuple[int, tuple[float, float]], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    out: dict[int, tuple[float, float]] = {}
    for qubit, errors in pairs:
        index = _qubit(qubit, "readout_error qubit")
        two = tuple(_rate(p, f"readout error of qubit {index}") for p in errors)
        if len(two) != 2 or max(two) > 1:
            raise NoiseError(f"readout error of qubit {index} must be two probabilities (p01, p10), got {errors!r}.")
        out[index] = (two[0], two[1])
    return tuple(sorted(out.items()))


def _expand(term: Any, num_qubits: int) -> list[Any]:
    if isinstance(term, Dephasing) and term.weights == EACH:
        return [replace(term, weights=((q, 1.0),)) for q in range(num_qubits)]
    if isinstance(term, Dephasing) and term.weights == ALL:
        return [replace(term, weights=tuple((q, 1.0) for q in range(num_qubits)))]
    if isinstance(term, Relaxation) and term.qubit == EACH:
        return [replace(term, qubit=q) for q in range(num_qubits)]
    if isinstance(term, Depolarizing) and term.qubits == EACH:
        return [replace(term, qubits=(q,)) for q in range(num_qubits)]
    return [term]


def _times(term: Any, layer: Layer) -> int:
    if term.gate is None:
        return 1
    wanted = set(term.on) if term.on is not None else None
    return sum(
        1
        for gate in layer.gates
        if gate.name == term.gate and set(term.qubits) <= set(gate.qubits) and wanted in (None, set(gate.qubits))
    )


def _plain(term: NoiseTerm) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for item in fields(term):
        value = getattr(term, item.name)
        if value is None:
            continue
        if item.name == "weights" and not isinstance(value, str):
            value = {str(q): w for q, w in value}
        elif item.name == "pauli":
            value = "".join(f"{p}{q}" for q, p in value)
        elif isinstance(value, tuple):
            value = list(value)
        out[item.name] = value
    return out


def describe_term(term: NoiseTerm) -> str:
    """One line for one term, e.g. ``dephasing 0.01 D[Z0]``."""
    if isinstance(term, Dephasing):
        if isinstance(term.weights, str):
            what = {EACH: "D[Z] on each qubit", ALL: "D[sum Z]"}[term.weights]
        else:
            parts = [("" if w == 1 else f"{w:+.4g} ") + f"Z{q}" for q, w in term.weights]
            what = f"D[{' + '.join(parts)}]"
        text = f"dephasing {term.rate:.4g} {what}"
    elif isinstance(term, Relaxation):
        where = "each qubit" if term.qubit == EACH else f"qubit {term.qubit}"
        text = f"relaxation of {where}: down {term.down:.4g}, up {term.up:.4g}"
    elif isinstance(term, Depolarizing):
        where = "each qubit" if term.qubits == EACH else f"qubits {', '.join(map(str, term.qubits))}"
        text = f"depolarizing {term.rate:.4g} on {where}"
    else:
        text = f"pauli {term.rate:.4g} D[{term.label}]"
    if term.layers is not None:
        text += f", layers {', '.join(map(str, term.layers))}"
    if term.gate is not None:
        text += f", per gate {term.gate}" + (f" on {', '.join(map(str, term.on))}" if term.on else "")
    return text
