"""Circuits, inputs and readouts of each symmetry, and the unstructured circuit that each is held against."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from equinoise.circuit.builders import brickwork
from equinoise.circuit.equivariant_builders import (
    exchange,
    fermi_hubbard,
    parity_conserving,
    permutation_equivariant,
    singlet_pairs,
    translation_invariant,
)
from equinoise.circuit.layers import end_layer
from equinoise.evidence.frame.channels import make_noise
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem

__all__ = ["NOISES", "SYMMETRIES", "SymmetricCase", "grid", "unstructured"]

NOISES = {
    "local dephasing": "local",
    "collective dephasing": "collective",
    "damping": "damping",
    "thermal": "thermal",
    "depolarizing": "depolarizing",
}
"""Names and the families of :func:`equinoise.evidence.frame.channels.make_noise`; every rate is 0.05 a slot."""


@dataclass(frozen=True)
class _Family:
    """What builds one symmetry's problems on n qubits.

    Attributes:
        claim: The symmetry as a problem takes it.
        circuit: From n and depth.
        initial: From n.
        readouts: Two invariant ones, from n.
        widths: Numbers of qubits.
    """

    claim: Callable[[int], str]
    circuit: Callable[[int, int], QuantumCircuit]
    initial: Callable[[int], Any]
    readouts: Callable[[int], tuple[str, str]]
    widths: tuple[int, ...] = (6,)


def _heisenberg(a: int, b: int) -> str:
    return "+".join(f"{p}{a}{p}{b}" for p in "XYZ")


def _hopping(a: int, b: int) -> str:
    return f"X{a}X{b}+Y{a}Y{b}"


def _plus(n: int) -> Any:
    return np.full((n, 2), 1 / math.sqrt(2), dtype=np.complex128)


SYMMETRIES: dict[str, _Family] = {
    "charge": _Family(
        claim=lambda n: "charge",
        circuit=brickwork,
        initial=lambda n: "neel",
        readouts=lambda n: (f"Z{n // 2}", _hopping(n // 2 - 1, n // 2)),
    ),
    "two charges": _Family(
        claim=lambda n: f"charges:0-{n // 2 - 1}|{n // 2}-{n - 1}",
        circuit=lambda n, depth: fermi_hubbard(n // 2, depth, shared=False),
        initial=lambda n: "neel",
        readouts=lambda n: ("Z1", _hopping(1, 2)),
    ),
    "parity": _Family(
        claim=lambda n: "parity",
        circuit=parity_conserving,
        initial=lambda n: "neel",
        readouts=lambda n: (f"Z{n // 2}", f"X{n // 2 - 1}X{n // 2}"),
    ),
    "SU(2)": _Family(
        claim=lambda n: "su2",
        circuit=exchange,
        initial=singlet_pairs,
        readouts=lambda n: (_heisenberg(n // 2 - 1, n // 2), _heisenberg(1, n - 2)),
        widths=(6, 8),
    ),
    "permutations": _Family(
        claim=lambda n: "permutation",
        circuit=permutation_equivariant,
        initial=lambda n: "0" * n,
        readouts=lambda n: (
            "+".join(f"Z{q}" for q in range(n)),
            "+".join(f"Z{a}Z{b}" for a, b in combinations(range(n), 2)),
        ),
        widths=(6, 12, 20),
    ),
    "ring": _Family(
        claim=lambda n: "translation*reflection*parity:X",
        circuit=translation_invariant,
        initial=_plus,
        readouts=lambda n: (
            "+".join(f"Z{q}Z{(q + 1) % n}" for q in range(n)),
            "+".join(f"X{q}" for q in range(n)),
        ),
        widths=(6, 8),
    ),
}
"""The symmetries in the order in which they are shown; "ring" is translation, reflection and parity of X."""


@dataclass(frozen=True)
class SymmetricCase:
    """A symmetry's circuit, one of its two readouts, and a noise.

    Attributes:
        symmetry: One of :data:`SYMMETRIES`.
        noise: One of :data:`NOISES`.
        depth: Layers.
        num_qubits: n.
        readout: 0 or 1.
    """

    symmetry: str
    noise: str
    depth: int
    num_qubits: int = 6
    readout: int = 0

    @property
    def label(self) -> str:
        """All of it in words; names the case's draws."""
        return f"{self.symmetry}/{self.noise}/n={self.num_qubits}/L={self.depth}/readout {self.readout + 1}"

    def noise_model(self) -> NoiseModel:
        """The noise on n qubits."""
        return make_noise(NOISES[self.noise], self.num_qubits)

    @property
    def circuit(self) -> QuantumCircuit:
        """The equivariant circuit."""
        return SYMMETRIES[self.symmetry].circuit(self.num_qubits, self.depth)

    def _posed(self, circuit: QuantumCircuit, **claimed: Any) -> Problem:
        """A circuit with the case's readout, input and noise."""
        family, n = SYMMETRIES[self.symmetry], self.num_qubits
        return Problem(circuit, family.readouts(n)[self.readout], family.initial(n), self.noise_model(), **claimed)

    def problem(self) -> Problem:
        """The equivariant circuit with its symmetry claimed."""
        return self._posed(self.circuit, symmetry=SYMMETRIES[self.symmetry].claim(self.num_qubits))

    @property
    def shares(self) -> bool:
        """Whether gates share angles."""
        return bool(self.circuit.num_parameters < unstructured(self.circuit, turned=False).num_parameters)

    def rival(self, *, turned: bool = True) -> Problem:
        """The same with :func:`unstructured` in place of the circuit, in the full space.

        Args:
            turned: Whether RY and RZ are put in; without, what sharing angles does alone is seen.
        """
        return self._posed(unstructured(self.circuit, turned=turned), allow_broken=True)


def grid(quick: bool) -> list[SymmetricCase]:
    """Every symmetry under every noise, with two readouts, several depths and widths in turn."""
    out = []
    for symmetry, family in SYMMETRIES.items():
        for noise in NOISES:
            for turn, depth in enumerate((3,) if quick else (2, 4, 8)):
                # the quick set takes the readouts in turn
                for readout in (list(NOISES).index(noise) % 2,) if quick else (0, 1):
                    n = 6 if quick else family.widths[(turn + readout) % len(family.widths)]
                    out.append(SymmetricCase(symmetry, noise, depth, n, readout))
    return out


def unstructured(circuit: QuantumCircuit, *, turned: bool = True) -> QuantumCircuit:
    """The same gates in the same layers, each with an angle of its own, after RY and RZ on every qubit in each layer.

    The two-qubit gates and the noise slots are those of the given circuit; RY and RZ break its symmetry.

    Args:
        circuit: One angle for each gate, and barriers between layers.
        turned: Whether RY and RZ are put in; without, the generators are those of the given circuit.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.evidence.symmetric.symmetry_cases import unstructured
        >>> circuit = unstructured(eq.circuits.translation_invariant(4, depth=2))
        >>> circuit.num_parameters, circuit.count_ops()["rzz"]
        (32, 8)
    """
    n = circuit.num_qubits
    gates = [i for i in circuit.data if i.operation.name != "barrier"]
    layers = circuit.count_ops().get("barrier", 0)
    theta = iter(ParameterVector("theta", len(gates) + 2 * n * layers * turned))
    out = QuantumCircuit(n)
    opening = True
    for instruction in circuit.data:
        if opening and turned:
            for q in range(n):
                out.ry(next(theta), q)
                out.rz(next(theta), q)
        opening = instruction.operation.name == "barrier"
        qubits = [circuit.find_bit(q).index for q in instruction.qubits]
        if opening:
            end_layer(out)
        else:
            operation = instruction.operation.to_mutable()
            operation.params = [next(theta), *operation.params[1:]]
            out.append(operation, qubits)
    return out
