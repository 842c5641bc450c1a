"""The noise terms: Lindblad generators on named qubits, the slot that holds those of one layer, and phase processes.

With D[K](r) = K r K^dag - {K^dag K, r}/2; rates are dimensionless, per slot. Dephasing that is correlated in time
belongs to no single slot; it becomes a :class:`PhaseProcess` over all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any, Final, Literal

from equinoise.errors import NoiseError
from equinoise.noise.correlations import STATIC, Correlation, checked_correlation, plain_correlation

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer

__all__ = [
    "STATIC",
    "Correlation",
    "Dephasing",
    "Depolarizing",
    "NoiseTerm",
    "PauliJump",
    "PhaseProcess",
    "Relaxation",
    "Slot",
    "describe_jump",
    "describe_process",
    "describe_term",
]

EACH: Final = "each"
ALL: Final = "all"
_MOST_DIGITS = 19
_GREATEST_WEIGHT: Final = 1e3


GREATEST_RATE: Final = 1e3
LEAST_RATE: Final = 1e-100
"""Rates above are gone to double precision (exp(-745) is 0), squares of rates below are."""


def checked_number(value: object, what: str, remedy: str = "Give a number.") -> float:
    """A finite number as a float; integers of any length are refused by name and not by an overflow."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoiseError(f"{what} must be a number, got {shown(value)}. {remedy}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise NoiseError(f"{what} must be finite, got {shown(value)}. Remove the entry, or: {remedy}")
    return number + 0.0


def checked_rate(value: object, what: str) -> float:
    rate = checked_number(value, what, "Give a dimensionless rate per slot, e.g. 0.01.")
    if rate < 0:
        raise NoiseError(f"{what} must not be negative, got {rate}. A Lindblad generator needs rates >= 0.")
    if rate > GREATEST_RATE:
        raise NoiseError(
            f"{what} must be at most {GREATEST_RATE:g}, got {rate:g}: what such noise acts on is 0 to double precision "
            "long before. For noise that has run to its end use a moderate rate and the noise scale inf."
        )
    if 0 < rate < LEAST_RATE:
        raise NoiseError(
            f"{what} must be 0 or at least {LEAST_RATE:g}, got {rate:g}: its square is 0 to double precision. Give 0."
        )
    return rate


def checked_qubit(value: object, what: str) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) < _MOST_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NoiseError(f"{what} must be a qubit index 0, 1, 2, ..., got {shown(value)}.")
    return value


def _layers(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise NoiseError(f"'layers' must be a list of layer indices counted from 0, got {shown(value)}.")
    out = tuple(value)
    if any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in out):
        raise NoiseError(f"'layers' must be a list of layer indices counted from 0, got {shown(list(out))}.")
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
            raise NoiseError(f"'gate' must be the name of a gate such as 'rzz', got {shown(self.gate)}.")
        if self.on is not None:
            if self.gate is None:
                raise NoiseError("'on' says which gate's qubits are meant; give 'gate' with it.")
            object.__setattr__(self, "on", tuple(checked_qubit(q, "'on'") for q in self.on))


@dataclass(frozen=True)
class Dephasing(_Placement):
    """Diagonal dephasing rate * D[K] with K = sum_i weights[i] Z_i.

    In a computational-basis element |x><y| it is the factor exp(-s rate (v.z_x - v.z_y)^2 / 2). For one qubit with
    weight 1 the coherence decays as exp(-2 s rate); phase damping lambda is exp(-2 rate) = sqrt(1 - lambda).

    It is the average of the random phases exp(-i sqrt(s rate) xi_l K) over normal xi_l of variance 1, independent in
    each slot l (white noise). With a ``correlation`` the xi_l are one Gaussian sequence, E xi_l xi_m = c(|l - m|) with

        c(k) = sum_a w_a exp(-k / tau_a),    w_a > 0,    sum_a w_a = 1.

    One slot alone still averages to exp(s rate D[K]), so ``rate`` keeps its meaning; slots no longer average apart: a
    static phase in L slots with no gate between them acts as D[K] at rate L^2 * rate. Accepted on construction:

    * None or "white": independent in each slot;
    * "static": quasi-static, tau = infinity, one phase for the whole circuit, new in each run;
    * a number tau > 0, in slots: exponentially correlated (Ornstein-Uhlenbeck);
    * {"1/f": [shortest, longest]} or {"one_over_f": ...}, in slots: correlation times spaced evenly in their logarithm,
      about 2 a decade (at least 2, at most 20), with equal weights: a spectrum close to 1/f for angular frequencies
      per slot between 1/longest and 1/shortest;
    * a list of [weight, tau] pairs, tau a number, "inf" or "static", the weights in any unit.

    Attributes:
        rate: Dimensionless, per slot, >= 0.
        weights: ((qubit, weight), ...) sorted by qubit; "each" for one independent jump (or process) per qubit, "all"
            for one collective jump with weight 1 on every qubit.
        correlation: None (white), or ((w_a, tau_a in slots), ...) sorted by tau, the w_a summing to 1.

    Example:
        >>> from equinoise.noise.terms import Dephasing
        >>> Dephasing(0.02, correlation="static").correlation
        ((1.0, inf),)
        >>> Dephasing(0.02, correlation=[[3, 5.0], [1, "static"]]).correlation
        ((0.75, 5.0), (0.25, inf))
    """

    rate: float
    weights: tuple[tuple[int, float], ...] | Literal["each", "all"] = EACH
    correlation: Correlation | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rate", checked_rate(self.rate, "dephasing rate"))
        object.__setattr__(self, "correlation", checked_correlation(self.correlation))
        if isinstance(self.weights, str):
            if self.weights not in (EACH, ALL):
                raise NoiseError(
                    f"dephasing weights must map qubits to numbers, or be 'each' or 'all', got {shown(self.weights)}."
                )
            return
        pairs = self.weights.items() if isinstance(self.weights, Mapping) else self.weights
        clean: dict[int, float] = {}
        for qubit, weight in pairs:
            what = f"dephasing weight of qubit {shown(qubit)}"
            number = checked_number(weight, what, "a finite number")
            if abs(number) > _GREATEST_WEIGHT:
                raise NoiseError(f"{what} must be at most {_GREATEST_WEIGHT:g}, got {number:g}. Give a greater rate.")
            clean[checked_qubit(qubit, "dephasing qubit")] = number
        if not clean:
            raise NoiseError("a dephasing term needs at least one weight, e.g. weights = {0 = 1.0}.")
        object.__setattr__(self, "weights", tuple(sorted(clean.items())))

    @property
    def pairs(self) -> tuple[tuple[int, float], ...]:
        """((qubit, weight), ...); empty while "each" or "all" is not yet expanded."""
        return () if isinstance(self.weights, str) else self.weights

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" or "all" is not yet expanded."""
        return tuple(q for q, _ in self.pairs)


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
            object.__setattr__(self, "qubit", checked_qubit(self.qubit, "relaxation qubit"))
        object.__setattr__(self, "down", checked_rate(self.down, "relaxation rate 'down'"))
        object.__setattr__(self, "up", checked_rate(self.up, "relaxation rate 'up'"))

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
                raise NoiseError(f"depolarizing 'qubits' must list one or two qubits, got {shown(self.qubits)}.")
            qubits = tuple(checked_qubit(q, "depolarizing qubit") for q in self.qubits)
            if len(qubits) not in (1, 2) or len(set(qubits)) != len(qubits):
                raise NoiseError(f"depolarizing acts on one or two different qubits, got {list(qubits)}.")
            object.__setattr__(self, "qubits", tuple(sorted(qubits)))
        object.__setattr__(self, "rate", checked_rate(self.rate, "depolarizing rate"))


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
            if not re.fullmatch(r"([XYZ]\d{1,18})+", self.pauli):
                raise NoiseError(f"pauli must look like 'X0' or 'Z0Z1', got {shown(self.pauli)}.")
            pairs = [(int(q), p) for p, q in re.findall(r"([XYZ])(\d+)", self.pauli)]
        else:
            pairs = [(checked_qubit(q, "pauli qubit"), p) for q, p in self.pauli]
        qubits = [q for q, _ in pairs]
        if not qubits or len(set(qubits)) != len(qubits) or any(p not in ("X", "Y", "Z") for _, p in pairs):
            raise NoiseError(f"pauli needs letters X, Y, Z on different qubits, got {shown(self.pauli)}.")
        object.__setattr__(self, "pauli", tuple(sorted(pairs)))
        object.__setattr__(self, "rate", checked_rate(self.rate, "pauli rate"))

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
    """What acts after one layer, with wildcards, layers and gates resolved (rates of equal terms not merged).

    White noise only: dephasing that is correlated in time is a :class:`PhaseProcess` beside the slots.

    Raises:
        NoiseError: A dephasing term is correlated in time.
    """

    dephasing: tuple[Dephasing, ...] = ()
    relaxation: tuple[Relaxation, ...] = ()
    depolarizing: tuple[Depolarizing, ...] = ()
    pauli: tuple[PauliJump, ...] = ()

    def __post_init__(self) -> None:
        for term in self.dephasing:
            if term.correlation is not None:
                raise NoiseError(
                    f"a slot holds white noise only, got {describe_term(term)}. Dephasing correlated in time is a "
                    "PhaseProcess; NoiseModel.processes makes it."
                )

    @property
    def terms(self) -> tuple[NoiseTerm, ...]:
        """All terms in the order in which they act."""
        return (*self.dephasing, *self.relaxation, *self.depolarizing, *self.pauli)


@dataclass(frozen=True)
class PhaseProcess:
    """Dephasing correlated in time: one Gaussian sequence of phases over all slots of a circuit.

    In the noise slot of layer l it applies exp(-i sqrt(s) amplitudes[l] xi_l K), K = sum_i v_i Z_i, with E xi_l = 0 and
    E xi_l xi_m = c(|l - m|) = sum_a w_a exp(-|l - m| / tau_a); s is the noise scale.

    Attributes:
        pairs: ((qubit, v_i), ...) sorted by qubit, v_i not 0.
        rate: Dimensionless, per slot, > 0.
        correlation: ((w_a, tau_a in slots), ...) sorted by tau, the w_a summing to 1.
        amplitudes: Length L, dimensionless: sqrt(rate) times the number of times that it acts in the slot (the phases
            of one slot are equal and add), 0 where it does not act.

    Raises:
        NoiseError: A rate, correlation or amplitude that no process can have.

    Example:
        >>> from equinoise.noise.terms import STATIC, PhaseProcess
        >>> process = PhaseProcess(((0, 1.0),), 0.04, STATIC, (0.2, 0.0, 0.2))
        >>> process.qubits, process.covariance(2)
        ((0,), 1.0)
    """

    pairs: tuple[tuple[int, float], ...]
    rate: float
    correlation: Correlation
    amplitudes: tuple[float, ...]

    def __post_init__(self) -> None:
        if not checked_rate(self.rate, "rate of a phase process") > 0:
            raise NoiseError("rate of a phase process must be > 0, got 0. Leave the process out.")
        correlation = checked_correlation(self.correlation)
        if correlation is None:
            raise NoiseError("a phase process needs a correlation; white noise is a Dephasing term of its slots.")
        object.__setattr__(self, "correlation", correlation)
        if not self.pairs or any(w == 0 for _, w in self.pairs):
            raise NoiseError(f"a phase process needs weights that are not 0, got {shown(self.pairs)}.")
        if not all(0 <= a < math.inf for a in self.amplitudes):
            raise NoiseError(f"amplitudes of a phase process must be finite and >= 0, got {shown(self.amplitudes)}.")

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on, ascending."""
        return tuple(q for q, _ in self.pairs)

    def acts(self, layer: int) -> bool:
        """Whether it acts in a slot."""
        return self.amplitudes[layer] > 0

    def rate_in(self, layer: int) -> float:
        """Its rate wherever it acts."""
        return self.rate

    def rows(self, layer: int) -> list[dict[int, float]]:
        """The independent phases of a slot, each as {qubit: weight}: one, or none."""
        return [dict(self.pairs)] if self.acts(layer) else []

    def describe(self, layer: int) -> str:
        """One line for what it does in a slot; see :func:`describe_process`."""
        return describe_process(self, layer)

    def covariance(self, lag: int) -> float:
        """c(lag) = sum_a w_a exp(-lag / tau_a), dimensionless; lag >= 0 in slots."""
        return math.fsum(weight * math.exp(-lag / time) for weight, time in self.correlation)


def expanded(term: Any, num_qubits: int) -> list[Any]:
    if isinstance(term, Dephasing) and term.weights == EACH:
        return [replace(term, weights=((q, 1.0),)) for q in range(num_qubits)]
    if isinstance(term, Dephasing) and term.weights == ALL:
        return [replace(term, weights=tuple((q, 1.0) for q in range(num_qubits)))]
    if isinstance(term, Relaxation) and term.qubit == EACH:
        return [replace(term, qubit=q) for q in range(num_qubits)]
    if isinstance(term, Depolarizing) and term.qubits == EACH:
        return [replace(term, qubits=(q,)) for q in range(num_qubits)]
    return [term]


def occurrences(term: Any, layer: Layer) -> int:
    if term.gate is None:
        return 1
    wanted = set(term.on) if term.on is not None else None
    return sum(
        1
        for gate in layer.gates
        if gate.name == term.gate and set(term.qubits) <= set(gate.qubits) and wanted in (None, set(gate.qubits))
    )


def plain_data(term: NoiseTerm) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for item in fields(term):
        value = getattr(term, item.name)
        if value is None:
            continue
        if item.name == "weights" and not isinstance(value, str):
            value = {str(q): w for q, w in value}
        elif item.name == "correlation":
            value = plain_correlation(value)
        elif item.name == "pauli":
            value = "".join(f"{p}{q}" for q, p in value)
        elif isinstance(value, tuple):
            value = list(value)
        out[item.name] = value
    return out


def describe_term(term: NoiseTerm) -> str:
    """One line for one term, e.g. ``dephasing 0.01 D[Z0]`` or ``dephasing 0.01 D[Z0], static``."""
    if isinstance(term, Dephasing):
        if isinstance(term.weights, str):
            what = {EACH: "D[Z] on each qubit", ALL: "D[sum Z]"}[term.weights]
        else:
            what = describe_jump(term.weights)
        text = f"dephasing {term.rate:.4g} {what}{_in_time(term.correlation)}"
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


def describe_process(process: PhaseProcess, layer: int) -> str:
    """One line for what a process does in one slot, e.g. ``dephasing 0.01 D[Z0], correlated over 5 slots``."""
    times = round(process.amplitudes[layer] / math.sqrt(process.rate))
    often = f", {times} times (phases add)" if times > 1 else ""
    return f"dephasing {process.rate:.4g} {describe_jump(process.pairs)}{_in_time(process.correlation)}{often}"


def describe_jump(pairs: Iterable[tuple[int, float]]) -> str:
    """The dissipator of a diagonal jump sum_i v_i Z_i from its (qubit, v_i), e.g. ``D[Z0 - 0.5 Z3]``."""
    text = ""
    for qubit, weight in pairs:
        sign = ("-" if weight < 0 else "") if not text else (" - " if weight < 0 else " + ")
        text += sign + ("" if abs(weight) == 1 else f"{abs(weight):.4g} ") + f"Z{qubit}"
    return f"D[{text}]"


def _in_time(correlation: Correlation | None) -> str:
    if correlation is None:
        return ""
    if correlation == STATIC:
        return ", static"
    times = [f"{time:.4g}" for _, time in correlation if not math.isinf(time)]
    if len(correlation) == 1:
        return f", correlated over {times[0]} slots"
    static = "" if len(times) == len(correlation) else " and static"
    span = times[0] if len(times) == 1 else f"{times[0]} to {times[-1]}"
    return f", correlated over {span} slots{static} ({len(correlation)} components)"
