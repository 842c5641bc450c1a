"""The circuits that a ranking compares: the product of families, interactions, depths and readouts on one register."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit

from equinoise.circuit.builders import all_to_all, brickwork, ladder, ring
from equinoise.design.ranking import Design
from equinoise.errors import ParameterError, StateError
from equinoise.limits import check_gates, check_qubits

__all__ = ["FAMILIES", "INTERACTIONS", "DesignSpace", "spread_input"]

FAMILIES: dict[str, Callable[..., QuantumCircuit]] = {
    "brickwork": brickwork,
    "ladder": ladder,
    "ring": ring,
    "all-to-all": all_to_all,
}
INTERACTIONS = ("rzz", "cphase", "none")


@dataclass(frozen=True)
class DesignSpace:
    """The designs that :func:`equinoise.rank` compares: every combination of what is listed here.

    Attributes:
        qubits: n.
        readout: One label or several; each is a candidate of its own.
        family: One or some of "brickwork", "ladder", "ring", "all-to-all"; kept as a tuple, as the next two.
        interaction: One or some of "rzz", "cphase", "none".
        depth: One number of layers or several.
        charge: Of the input, spread evenly; None for half of n, rounded up (Néel), which it then becomes.
        max_parameters: Circuits with more are left out; None for no budget.

    Raises:
        ParameterError: A size, family or interaction that does not fit, or an empty list.
        SourceError: More than 10,000 qubits.
        CircuitError: More than a million gates.
        StateError: A charge outside 0..n.

    Example:
        >>> import equinoise as eq
        >>> space = eq.DesignSpace(4, "Z1", family=["ladder", "ring"], depth=[2, 3])
        >>> space.initial, len(space.designs())
        ('0101', 4)
    """

    qubits: int
    readout: str | Sequence[str]
    family: str | Sequence[str] = tuple(FAMILIES)
    interaction: str | Sequence[str] = "rzz"
    depth: int | Sequence[int] = (2, 4, 6)
    charge: int | None = None
    max_parameters: int | None = None

    def __post_init__(self) -> None:
        for name in ("readout", "family", "interaction", "depth"):
            value = getattr(self, name)
            several = (value,) if isinstance(value, str | int) else tuple(value)
            if not several:
                raise ParameterError(f"rank needs at least one {name}.")
            object.__setattr__(self, name, several)
        n, depths = self.qubits, self._listed("depth")
        check_qubits(n, "each design")
        check_gates(2 * n * max(depths), "the deepest design")
        if isinstance(n, bool) or n < 2:
            raise ParameterError(f"rank needs at least 2 qubits, got {n}.")
        for name, known in (("family", tuple(FAMILIES)), ("interaction", INTERACTIONS)):
            unknown = [one for one in self._listed(name) if one not in known]
            if unknown:
                raise ParameterError(f"{name} must be one of {', '.join(known)}, got {unknown[0]!r}.")
        bad = [one for one in depths if isinstance(one, bool) or one < 1]
        if bad:
            raise ParameterError(f"depth must list whole numbers >= 1, got {bad[0]}.")
        if self.max_parameters is not None and self.max_parameters < 1:
            raise ParameterError(f"max_parameters must be at least 1, got {self.max_parameters}.")
        object.__setattr__(self, "charge", (n + 1) // 2 if self.charge is None else self.charge)
        spread_input(n, self.charge or 0)

    def _listed(self, name: str) -> tuple[Any, ...]:
        """What a field lists, each once."""
        return tuple(dict.fromkeys(getattr(self, name)))

    @property
    def initial(self) -> str:
        """The input, qubit 0 rightmost."""
        return spread_input(self.qubits, self.charge or 0)

    def designs(self) -> list[Design]:
        """Every combination once, without noise."""
        kinds = itertools.product(*map(self._listed, ("family", "interaction", "depth", "readout")))
        return [
            Design(family, self.qubits, depth, interaction, readout, "")
            for family, interaction, depth, readout in kinds
        ]


def spread_input(num_qubits: int, charge: int) -> str:
    """The bitstring of a charge, its excitations spread evenly: on the qubits ceil(i n / q); qubit 0 rightmost.

    Args:
        num_qubits: n.
        charge: q in 0..n.

    Raises:
        StateError: A charge outside 0..n.

    Example:
        >>> spread_input(6, 3), spread_input(8, 2)
        ('010101', '00010001')
    """
    if not 0 <= charge <= num_qubits:
        raise StateError(f"charge must lie in 0..{num_qubits}, got {charge}.")
    filled = {-(-i * num_qubits // charge) for i in range(charge)}
    return "".join("1" if q in filled else "0" for q in reversed(range(num_qubits)))
