"""Noise taken over from other programs: Pauli-Lindblad generators and Qiskit Aer noise models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import Pauli, PauliList, SparsePauliOp

from equinoise.errors import NoiseError
from equinoise.noise.channel_fit import ChannelFits, swapped, transfer_matrix
from equinoise.noise.terms import Dephasing, NoiseTerm, PauliJump, Relaxation

__all__ = ["from_aer", "from_pauli_lindblad"]

Matrix = npt.NDArray[np.float64]
Made = TypeVar("Made")
String = tuple[tuple[int, str], ...]
"""A Pauli string without its identities: ((qubit, letter), ...), sorted by qubit."""


# -- Pauli-Lindblad ----------------------------------------------------------------------------------------------


def from_pauli_lindblad(
    kind: Callable[..., Made],
    source: Any,
    rates: Sequence[float] | None = None,
    *,
    layers: Sequence[int] | None = None,
    gate: str | None = None,
    on: Sequence[int] | None = None,
) -> Made:
    """Noise with the generator r -> sum_P rate_P (P r P - r), exactly.

    ``rate D[P]`` is one term of that sum. Z on one qubit becomes :class:`Dephasing`; the common part r of X and Y on
    one qubit becomes ``Relaxation(down=2r, up=2r)``, for D[X] + D[Y] = 2 D[|0><1|] + 2 D[|1><0|]; the rest stays
    :class:`PauliJump`. All these commute, so that their order in a slot does not matter.

    Args:
        kind: NoiseModel, which calls this as its constructor.
        source: A ``qiskit.quantum_info.PauliLindbladMap``, a ``SparsePauliOp`` with the rates as coefficients, a
            ``PauliList`` or a list of labels with ``rates`` beside it, or a list or mapping of labels with rates.
            Labels as in Qiskit: qubit 0 rightmost.
        rates: Dimensionless rates per slot, one for each string; only with a source that holds none.
        layers: Only in the slots of these layers; None: in every slot.
        gate: Only in the slot of each gate of this name that touches all of a term's qubits.
        on: With ``gate``: only gates on exactly these qubits.

    Raises:
        NoiseError: A rate is negative, not finite or not real, a label is malformed, or numbers do not match.

    Example:
        >>> import equinoise as eq
        >>> model = eq.NoiseModel.from_pauli_lindblad(["IX", "IY", "ZZ"], [0.01, 0.01, 0.002])
        >>> model.relaxation[0].down, model.pauli[0].label
        (0.02, 'Z0Z1')
    """
    total: dict[String, float] = {}
    for string, rate in _strings(source, rates):
        total[string] = total.get(string, 0.0) + rate
    identity = total.pop((), None)
    total = {string: rate for string, rate in total.items() if rate > 0}
    place: dict[str, Any] = {"layers": layers, "gate": gate, "on": on}

    dephasing = [Dephasing(r, ((s[0][0], 1.0),), **place) for s, r in total.items() if len(s) == 1 and s[0][1] == "Z"]
    relaxation = []
    for qubit in sorted({string[0][0] for string in total if len(string) == 1 and string[0][1] != "Z"}):
        x, y = (total.get(((qubit, letter),), 0.0) for letter in "XY")
        if min(x, y) <= 0:
            continue
        equal = abs(x - y) <= 1e-12 * max(x, y)  # rounding must not leave a jump that breaks the charge
        common = (x + y) / 2 if equal else min(x, y)
        relaxation.append(Relaxation(qubit, down=2 * common, up=2 * common, **place))
        for letter, rate in (("X", x), ("Y", y)):
            total[((qubit, letter),)] = 0.0 if equal else rate - common
    rest = [(s, r) for s, r in total.items() if r > 0 and not (len(s) == 1 and s[0][1] == "Z")]
    breaking = sum(any(letter != "Z" for _, letter in string) for string, _ in rest)
    counts = [f"{len(dephasing)} dephasing", f"{len(relaxation)} relaxation (down = up, from X with Y)"]
    counts += [f"{len(rest) - breaking} Z-type jumps", f"{breaking} jumps with X or Y"]
    notes = [f"Pauli-Lindblad map taken over exactly as {', '.join(counts)}"]
    if breaking:
        notes.append(
            f"{breaking} jumps with unpaired X or Y break the charge: the full space of the light cone is needed"
        )
    if identity is not None:
        notes.append("the identity string generates nothing and was left out")
    pauli = [PauliJump(string, rate, **place) for string, rate in rest]
    return kind(dephasing=dephasing, relaxation=relaxation, pauli=pauli, notes=notes, name="Pauli-Lindblad")


def _strings(source: Any, rates: Sequence[float] | None) -> list[tuple[String, float]]:
    if hasattr(source, "to_sparse_list") and hasattr(source, "rates"):  # PauliLindbladMap, from Qiskit 2.1 on
        found = [
            (tuple(sorted(zip(qubits, letters, strict=True))), rate)
            for letters, qubits, rate in source.to_sparse_list()
        ]
        return _with_rates([s for s, _ in found], [r for _, r in found], rates)
    if isinstance(source, SparsePauliOp):
        return _with_rates([_string(p) for p in source.paulis], list(source.coeffs), rates)
    if isinstance(source, PauliList):
        return _with_rates([_string(p) for p in source], None, rates)
    if isinstance(source, Mapping):
        source = list(source.items())
    if isinstance(source, str) or not isinstance(source, Iterable):
        raise NoiseError(
            "from_pauli_lindblad takes a PauliLindbladMap, a SparsePauliOp, a PauliList or labels such as "
            f'["IZ", "ZZ"] with rates=[0.01, 0.002], got {source!r}.'
        )
    listed = list(source)
    own: list[Any] | None = None
    if listed and all(isinstance(entry, tuple | list) and len(entry) == 2 for entry in listed):
        listed, own = [entry[0] for entry in listed], [entry[1] for entry in listed]
    lengths = {len(label) for label in listed if isinstance(label, str | Pauli)}
    if len(lengths) > 1:
        raise NoiseError(f"Pauli labels must all have one letter per qubit, got lengths {sorted(lengths)}; pad with I.")
    return _with_rates([_string(label) for label in listed], own, rates)


def _string(label: Any) -> String:
    if isinstance(label, Pauli):
        label = label[:].to_label().lstrip("+-i")  # P r P does not depend on the phase
    if not isinstance(label, str) or not label or set(label) - set("IXYZ"):
        raise NoiseError(
            f"a Pauli label must consist of I, X, Y, Z with qubit 0 rightmost, such as 'IZ', got {label!r}."
        )
    return tuple((qubit, letter) for qubit, letter in enumerate(reversed(label)) if letter != "I")


def _with_rates(
    strings: list[String], own: list[Any] | None, given: Sequence[float] | None
) -> list[tuple[String, float]]:
    if own is not None and given is not None:
        raise NoiseError("the Pauli strings come with rates of their own; leave out the argument 'rates'.")
    values = own if own is not None else given
    if values is None:
        raise NoiseError("the Pauli strings come without rates; give rates=[...], one per string.")
    numbers = list(values)
    if len(numbers) != len(strings):
        raise NoiseError(f"there are {len(strings)} Pauli strings but {len(numbers)} rates; give one rate per string.")
    return [(string, _real_rate(value, string)) for string, value in zip(strings, numbers, strict=True)]


def _real_rate(value: Any, string: String) -> float:
    name = "".join(f"{letter}{qubit}" for qubit, letter in string) or "identity"
    try:
        number = complex(value)
    except (TypeError, ValueError):
        raise NoiseError(f"the rate of {name} must be a number, got {value!r}.") from None
    if not (math.isfinite(number.real) and math.isfinite(number.imag)):
        raise NoiseError(f"the rate of {name} must be finite, got {value!r}. Remove the string or give its rate.")
    if abs(number.imag) > 1e-12 * max(1.0, abs(number)):
        raise NoiseError(f"the rate of {name} must be real, got {value!r}. A Lindblad generator needs real rates >= 0.")
    if number.real < 0:
        raise NoiseError(
            f"the rate of {name} must not be negative, got {number.real}. A Lindblad generator needs rates >= 0; "
            "set small negative fit results to 0, or pass the map itself and not its inverse."
        )
    return number.real


# -- Aer ---------------------------------------------------------------------------------------------------------


def from_aer(
    kind: Callable[..., Made],
    noise_model: Any,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    num_qubits: int | None = None,
    tolerance: float = 1e-8,
) -> Made:
    """The gate and readout errors of a Qiskit Aer noise model as terms tied to the gates.

    For each error the Pauli transfer matrix of exp(pauli) exp(depolarizing) exp(relaxation) exp(dephasing), the order
    within a slot, is fitted with rates >= 0 to that of the error channel: first to its matrix logarithm, then, where
    the kinds do not commute, to the channel itself. The exact fit with the fewest kinds is taken, or with a
    larger tolerance the closest.

    Args:
        kind: NoiseModel, which calls this as its constructor.
        noise_model: A ``qiskit_aer.noise.NoiseModel``.
        pairs: The (ordered) qubit pairs on which an all-qubit error of a two-qubit gate can occur.
        num_qubits: Number of circuit qubits; needed when an all-qubit error contains Pauli jumps or is overridden on
            some qubits, and for an all-qubit readout error.
        tolerance: Largest accepted Frobenius distance between the superoperators of an error and of its terms.

    Raises:
        NoiseError: An error is not representable (coherent, singular, on more than two qubits, on a measurement or
            reset), depends on the order of a gate's qubits, or needs ``pairs`` or ``num_qubits``. Nothing is dropped:
            to what an all-qubit error is restricted is in the notes.

    Example:
        >>> import equinoise as eq
        >>> from qiskit_aer.noise import NoiseModel, depolarizing_error
        >>> aer = NoiseModel()
        >>> aer.add_quantum_error(depolarizing_error(0.01, 2), "rzz", [0, 1])
        >>> round(eq.NoiseModel.from_aer(aer).depolarizing[0].rate, 6)
        0.01005
    """
    try:
        from qiskit_aer.noise import NoiseModel as AerNoiseModel
    except ImportError:
        raise NoiseError(
            'from_aer needs the package qiskit-aer, which is missing. Run: pip install "equinoise[ibm]"'
        ) from None
    if not isinstance(noise_model, AerNoiseModel):
        raise NoiseError(f"from_aer takes a qiskit_aer.noise.NoiseModel, got {type(noise_model).__name__}.")
    if getattr(noise_model, "_custom_noise_passes", None):
        raise NoiseError(
            "the Aer model holds noise passes (a device's idling noise), which have no gate to be tied to. "
            "For a device use NoiseModel.from_backend(backend), which turns its calibration into idling and gate noise."
        )
    local: dict[str, dict[tuple[int, ...], Any]] = noise_model._local_quantum_errors
    default: dict[str, Any] = noise_model._default_quantum_errors
    fits = ChannelFits(tolerance)
    terms: list[NoiseTerm] = []
    held: list[str] = []
    for name in sorted(set(local) | set(default)):
        if name in ("measure", "reset", "initialize", "delay"):
            raise NoiseError(
                f"the Aer model has a quantum error on {name!r}; only gates can carry one here, and measurements a "
                "readout error. Leave it out of the Aer model, or use NoiseModel.from_backend(backend) for a device."
            )
        own = local.get(name, {})
        terms += _local_terms(name, own, fits)
        if name in default:
            terms += _default_terms(name, default[name], own, pairs, num_qubits, fits)
            held += _held(name, default[name].num_qubits, pairs, num_qubits)
    if noise_model._default_readout_error is not None:
        held.append(f"Aer: the all-qubit readout error holds on qubits 0..{int(num_qubits or 0) - 1} only")
    notes = [*fits.notes(), *held]
    if terms:
        notes.append(
            "Aer: noise tied to a gate acts in the slot after that gate's layer, for either order of its qubits"
        )
    return kind(
        terms,
        readout_error=_readout(noise_model, num_qubits),
        notes=notes,
        name="Aer noise model",
    )


def _local_terms(name: str, errors: Mapping[tuple[int, ...], Any], fits: ChannelFits) -> list[NoiseTerm]:
    out: list[NoiseTerm] = []
    for qubits, error in errors.items():
        back = errors.get(qubits[::-1])
        if len(qubits) == 2 and back is not None:
            if np.linalg.norm(transfer_matrix(back) - swapped(transfer_matrix(error))) > fits.tolerance:
                raise NoiseError(
                    f"the Aer error of gate {name!r} differs between qubits {list(qubits)} and {list(qubits[::-1])}; a "
                    "noise term does not know the direction of a gate. Give both directions the same error."
                )
            if qubits[0] > qubits[1]:
                continue
        out += fits.terms(name, qubits, error)
    return out


def _held(name: str, width: int, pairs: Sequence[tuple[int, int]] | None, num_qubits: int | None) -> list[str]:
    """Where an all-qubit error is put, if not everywhere."""
    if width == 2:
        listed = ", ".join(f"{a}-{b}" for a, b in pairs or ())
        return [f"Aer: the all-qubit error of {name!r} holds on the pairs given only: {listed}"]
    where = f"qubits 0..{int(num_qubits or 0) - 1} only"
    return [] if num_qubits is None else [f"Aer: the all-qubit error of {name!r} holds on {where}"]


def _default_terms(
    name: str,
    error: Any,
    local: Mapping[tuple[int, ...], Any],
    pairs: Sequence[tuple[int, int]] | None,
    num_qubits: int | None,
    fits: ChannelFits,
) -> list[NoiseTerm]:
    own = {frozenset(qubits) for qubits in local}
    if error.num_qubits == 2:
        if pairs is None:
            raise NoiseError(
                f"the Aer model has an all-qubit error on the two-qubit gate {name!r}, and noise terms need explicit "
                "pairs. Give from_aer(noise_model, pairs=[(0, 1), (1, 2), ...]), those on which the circuit uses it."
            )
        chosen = {frozenset(pair): (int(pair[0]), int(pair[1])) for pair in pairs}
        transfer = transfer_matrix(error)
        ordered = np.linalg.norm(transfer - swapped(transfer)) > fits.tolerance
        if ordered and len(chosen) < len(set(map(tuple, pairs))):
            raise NoiseError(
                f"the Aer error of gate {name!r} depends on the order of its qubits, and 'pairs' lists both orders of "
                "a pair. List each pair once, in the order that the circuit uses."
            )
        for pair in map(tuple, pairs):
            other = local.get(pair[::-1]) if pair not in local else None  # Aer looks a gate up by its ordered qubits
            if other is not None and np.linalg.norm(transfer_matrix(other) - transfer) > fits.tolerance:
                raise NoiseError(
                    f"the Aer model has an error of gate {name!r} on qubits {list(pair[::-1])} and, by its all-qubit "
                    f"error, another on {list(pair)}; a noise term does not know the direction of a gate. Give both "
                    "directions the same error, or list the pair in the order of its own error."
                )
        return [t for key, pair in chosen.items() if key not in own for t in fits.terms(name, pair, error)]
    if num_qubits is not None:
        sites = [q for q in range(num_qubits) if frozenset((q,)) not in own]
        return [term for q in sites for term in fits.terms(name, (q,), error)]
    if own:
        raise NoiseError(
            f"the Aer model has an all-qubit error on {name!r} and other errors for it on some qubits. "
            "Give from_aer(noise_model, num_qubits=n), so that the former can be put on the remaining qubits."
        )
    found = fits.terms(name, (0,), error)
    each = [(term, term.everywhere()) for term in found]
    fixed = next((term for term, everywhere in each if everywhere is None), None)
    if fixed is not None:
        raise NoiseError(
            f"the all-qubit Aer error on {name!r} contains the {fixed.name}, which needs explicit qubits. "
            "Give from_aer(noise_model, num_qubits=n)."
        )
    return [everywhere for _, everywhere in each if everywhere is not None]


def _readout(noise_model: Any, num_qubits: int | None) -> dict[int, tuple[float, float]]:
    out: dict[int, tuple[float, float]] = {}
    default = noise_model._default_readout_error
    if default is not None:
        if num_qubits is None:
            raise NoiseError(
                "the Aer model has an all-qubit readout error; say how many qubits with from_aer(..., num_qubits=n)."
            )
        out = dict.fromkeys(range(num_qubits), _assignment(default, "all-qubit"))
    for qubits, error in noise_model._local_readout_errors.items():
        out[qubits[0]] = _assignment(error, str(list(qubits)))
    return out


def _assignment(error: Any, where: str) -> tuple[float, float]:
    if error.number_of_qubits != 1:
        raise NoiseError(
            f"the Aer readout error {where} is correlated over {error.number_of_qubits} qubits; only single-qubit "
            "assignment errors (p01, p10) are supported. Replace it by one readout error per qubit."
        )
    table = error.probabilities  # table[prepared][read]
    return float(table[0][1]), float(table[1][0])
