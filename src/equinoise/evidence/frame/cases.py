"""The cases that studies share: circuits, inputs, readouts and channel families."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import Statevector

from equinoise.circuit.builders import brickwork
from equinoise.errors import ParameterError
from equinoise.evidence.frame.channels import DEPHASING, DEVICE, FAMILIES, device_available, make_noise
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem

__all__ = ["Case", "cases", "draws_per_case", "x_grid"]

_INPUTS = ("neel", "dicke", "product")
_READOUTS = ("Z", "ZZ", "hopping")
_WIDTHS = (6, 7, 8, 6)


def x_grid(quick: bool) -> npt.NDArray[np.float64]:
    """Accumulated variable x = s kappa of the exact points, evenly spaced in their logarithm from 0.003 to 6."""
    return np.geomspace(0.003, 6.0, 8 if quick else 10)


def draws_per_case(quick: bool) -> int:
    """Draws of each case; studies that share the cases share their draws."""
    return 12 if quick else 24


@dataclass(frozen=True)
class Case:
    """A circuit, input, readout and channel family.

    Attributes:
        family: One of :data:`FAMILIES`.
        depth: Layers of the brickwork.
        num_qubits: n.
        initial: "neel", "dicke" (charge n // 2, or 2 beyond eight qubits), "dilute" (basis state of charge 2) or
            "product" (every charge).
        readout: "Z", "ZZ" or "hopping", in the middle of the line.
        projected: Whether the readout is projected on one sector.
        member: Which channel of the family.
        shared: One parameter per layer and kind of gate.
    """

    family: str
    depth: int
    num_qubits: int
    initial: str
    readout: str
    projected: bool = False
    member: int = 0
    shared: bool = False

    @property
    def label(self) -> str:
        """All of it in words; names the case's draws."""
        extra = ("/projected" if self.projected else "") + ("/shared" if self.shared else "")
        where = f"n={self.num_qubits}/L={self.depth}/{self.initial}/{self.readout}{extra}"
        return f"{self.family}.{self.member}/{where}"

    @property
    def charge(self) -> int:
        """The active sector."""
        return 2 if self.num_qubits > 8 else self.num_qubits // 2

    def problem(self, noise: NoiseModel | None = None) -> Problem:
        """The problem; ``noise`` in place of the family's."""
        n = self.num_qubits
        several = self.initial == "product"
        return Problem(
            brickwork(n, self.depth, shared=self.shared),
            readout=_readout(self.readout, n),
            initial=_initial(self.initial, n, self.charge),
            noise=make_noise(self.family, n, self.member) if noise is None else noise,
            projected=self.projected,
            charge=self.charge if several and self.projected else None,
        )


def _readout(kind: str, n: int) -> str:
    a, b = n // 2 - 1, n // 2
    labels = {"Z": f"Z{b}", "ZZ": f"Z{a}Z{b}", "hopping": f"X{a}X{b}+Y{a}Y{b}"}
    return labels[kind]


def _initial(kind: str, n: int, charge: int) -> Any:
    if kind == "neel":
        return "neel"
    if kind == "dilute":
        return "".join("1" if q in (n // 2 - 1, n // 2 + 2) else "0" for q in reversed(range(n)))
    if kind == "dicke":
        weight = np.bitwise_count(np.arange(2**n, dtype=np.uint64))
        amplitudes = (weight == charge).astype(np.complex128)
        return Statevector(amplitudes / np.linalg.norm(amplitudes))
    if kind == "product":
        angle = math.pi / 2 + 0.9 * np.cos(1.0 + 2.3 * np.arange(n))
        phase = np.exp(1j * 0.7 * np.arange(n))
        return np.stack([np.cos(angle / 2).astype(np.complex128), np.sin(angle / 2) * phase], axis=1)
    raise ParameterError(f"no input {kind!r}; choose neel, dilute, dicke or product.")


def cases(quick: bool, families: Sequence[str] = FAMILIES) -> list[Case]:
    """The grid: per family, depths 3 to 8, three inputs and three readouts; widths, members and projection in turn.

    Dephasing comes with ten qubits and inputs of charge 2 as well. The quick set holds depths 3 and 6 and a third of
    the combinations. A device that is not installed is left out.
    """
    out: list[Case] = []
    for number, family in enumerate(FAMILIES):
        if family not in families or (family == DEVICE and not device_available()):
            continue
        # `turn` goes round widths, members and projection; the offset gives families different ones
        for turn, (depth, initial, readout) in enumerate(
            itertools.product((3, 6) if quick else range(3, 9), _INPUTS, _READOUTS), start=number
        ):
            # a Latin square of inputs and readouts: each family sees every one of both
            if quick and (_INPUTS.index(initial) + _READOUTS.index(readout) + depth + number) % 3:
                continue
            n = 6 if quick else _WIDTHS[turn % len(_WIDTHS)]
            projected = turn % 5 < 2
            member = turn + depth
            out.append(Case(family, depth, n, initial, readout, projected, member % 6))
            if not quick and initial == "neel" and family in DEPHASING:
                out.append(Case(family, depth, 10, ("dilute", "dicke")[turn % 2], readout, False, member % 6))
    return out
