"""A channel as a product of this project's noise terms: the fit of its generator, accepted only if it is exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import PTM, Pauli, SuperOp
from scipy.linalg import logm
from scipy.optimize import nnls

from equinoise.errors import NoiseError
from equinoise.noise.terms import Dephasing, Depolarizing, NoiseTerm, PauliJump, Relaxation

__all__ = ["EXACT", "ChannelFits", "swapped", "transfer_matrix"]

Matrix = npt.NDArray[np.float64]


def transfer_matrix(error: Any) -> Matrix:
    """Pauli transfer matrix R_ij = Tr(P_i E(P_j))/d; the error's first qubit is the fast index."""
    return np.asarray(PTM(error).data.real, dtype=np.float64)


def swapped(transfer: Matrix) -> Matrix:
    """The transfer matrix of a two-qubit channel with its qubits exchanged."""
    order = np.arange(16).reshape(4, 4).T.ravel()
    return transfer[np.ix_(order, order)]


@dataclass(frozen=True)
class _Jump:
    """One generator of the dictionary: its kind, the local qubits (for a Pauli the string) and its transfer matrix."""

    kind: str
    where: Any
    generator: Matrix


_LETTERS = "IXYZ"
EXACT = 1e-8
"""A fit this close (Frobenius distance of superoperators) counts as exact."""


def _dictionary(n: int) -> list[_Jump]:
    """All generators on n = 1 or 2 qubits."""
    down, up = np.diag([0.0, -0.5, -0.5, -1.0]), np.diag([0.0, -0.5, -0.5, -1.0])
    down[3, 0], up[3, 0] = 1.0, -1.0
    jumps = []
    for q in range(n):
        jumps.append(_Jump("dephasing", q, _on(np.diag([0.0, -2.0, -2.0, 0.0]), q, n)))
        jumps.append(_Jump("down", q, _on(down, q, n)))
        jumps.append(_Jump("up", q, _on(up, q, n)))
        jumps.append(_Jump("depolarizing", (q,), _on(np.diag([0.0, -1.0, -1.0, -1.0]), q, n)))
    if n == 2:
        jumps.append(_Jump("depolarizing", (0, 1), np.diag([0.0] + [-1.0] * 15)))
    for index in range(1, 4**n):
        letters = tuple((q, _LETTERS[index // 4**q % 4]) for q in range(n))
        string = tuple(pair for pair in letters if pair[1] != "I")
        if len(string) > 1 or string[0][1] != "Z":
            jumps.append(_Jump("pauli", string, np.diag([-2.0 * _anticommute(index, other) for other in range(4**n)])))
    return jumps


def _on(single: Matrix, q: int, n: int) -> Matrix:
    if n == 1:
        return single
    both = np.kron(single, np.eye(4)) if q == 1 else np.kron(np.eye(4), single)
    return np.asarray(both, dtype=np.float64)


def _anticommute(a: int, b: int) -> int:
    digits = [(a // 4**q % 4, b // 4**q % 4) for q in range(2)]
    return sum(int(one > 0 and two > 0 and one != two) for one, two in digits) % 2


def _ladder(n: int) -> list[list[_Jump]]:
    """Sub-dictionaries from simple to full: charge-respecting kinds first, so that no jump breaks it without need."""
    jumps = _dictionary(n)
    widest = [j for j in jumps if j.kind == "depolarizing" and len(j.where) == n]
    narrow = [j for j in jumps if j.kind == "depolarizing"]
    diagonal = [j for j in jumps if j.kind == "dephasing" or (j.kind == "pauli" and all(p == "Z" for _, p in j.where))]
    relaxation = [j for j in jumps if j.kind in ("down", "up")]
    strings = [j for j in jumps if j.kind in ("dephasing", "pauli")]
    thermal = diagonal + relaxation
    return [widest, diagonal, widest + diagonal, thermal, widest + thermal, narrow + thermal, strings, jumps]


def _composed(jumps: Sequence[_Jump], rates: Matrix) -> Matrix:
    """The transfer matrix of one slot: all kinds but relaxation are diagonal, dephasing commutes with relaxation."""
    size = jumps[0].generator.shape[0]
    n = 1 if size == 4 else 2
    log = np.zeros(size)
    flow = np.zeros((n, 2))
    for jump, rate in zip(jumps, rates, strict=True):
        if jump.kind in ("down", "up"):
            flow[jump.where, int(jump.kind == "up")] += rate
        else:
            log += rate * np.diag(jump.generator)
    relaxed: Matrix = np.eye(1)
    for q in range(n):
        total, drift = flow[q].sum(), flow[q, 0] - flow[q, 1]
        one = np.diag([1.0, math.exp(-total / 2), math.exp(-total / 2), math.exp(-total)])
        one[3, 0] = drift * (-math.expm1(-total) / total if total else 1.0)
        relaxed = np.asarray(np.kron(one, relaxed), dtype=np.float64)
    return np.asarray(np.exp(log)[:, None] * relaxed)


def _fit(channel: Matrix, log: Matrix, jumps: Sequence[_Jump]) -> tuple[Matrix, float]:
    """Rates >= 0 and the Frobenius distance of their slot from the channel."""

    def cleaned(rates: Matrix) -> tuple[Matrix, float]:
        kept = np.where(rates > 1e-13, rates, 0.0)  # rounding of nnls; part of the distance
        return kept, float(np.linalg.norm(_composed(jumps, kept) - channel))

    basis = np.stack([jump.generator.ravel() for jump in jumps], axis=1)
    best = cleaned(nnls(basis, log.ravel())[0])
    kinds = {jump.kind for jump in jumps}
    if best[1] < EXACT or not (kinds & {"down", "up"} and kinds & {"depolarizing", "pauli"}):
        return best
    step = 1e-6 * np.eye(len(jumps))
    for _ in range(12):  # Gauss-Newton with rates >= 0: the kinds do not commute, so the logarithm is not their sum
        rates = best[0]
        here = _composed(jumps, rates)
        slopes = np.stack([(_composed(jumps, rates + s) - here).ravel() / 1e-6 for s in step], axis=1)
        new = cleaned(nnls(slopes, slopes @ rates + (channel - here).ravel())[0])
        if new[1] >= best[1]:
            break
        best = new
    return best


class ChannelFits:
    """Aer errors turned into terms, with the largest distance met."""

    def __init__(self, tolerance: float) -> None:
        if not (math.isfinite(tolerance) and tolerance > 0):
            raise NoiseError(f"'tolerance' must be a positive number such as 1e-8, got {tolerance!r}.")
        self.tolerance = tolerance
        self.count = 0
        self.worst = 0.0
        self._ladders: dict[int, list[list[_Jump]]] = {}

    def terms(self, gate: str, qubits: tuple[int, ...], error: Any) -> list[NoiseTerm]:
        """The terms of one error of ``gate`` on circuit qubits."""
        n = len(qubits)
        what = f"the Aer error of gate {gate!r} on qubits {list(qubits)}"
        if n not in (1, 2) or error.num_qubits != n:
            raise NoiseError(f"{what} acts on {error.num_qubits} qubits; errors on one or two qubits are supported.")
        channel = transfer_matrix(error)
        eigenvalues = np.linalg.eigvals(channel)
        if np.any((np.abs(eigenvalues.imag) < 1e-9) & (eigenvalues.real < 1e-9)):
            raise NoiseError(
                f"{what} has no finite rates: it erases or flips part of the state (a transfer eigenvalue <= 0). "
                "Use a weaker error. Nothing was dropped."
            )
        log = np.asarray(logm(channel)).real
        tried: list[tuple[list[_Jump], Matrix, float]] = []
        for jumps in self._ladders.setdefault(n, _ladder(n)):
            rates, missed = _fit(channel, log, jumps)
            tried.append((jumps, rates, missed))
            if missed < min(EXACT, self.tolerance):
                break
        best = min(missed for _, _, missed in tried)
        if best < self.tolerance:
            # Of equally good fits the simplest: a tiny gain is not worth a jump that breaks the charge.
            close = min(max(1.5 * best, EXACT), self.tolerance)
            jumps, rates, missed = next(one for one in tried if one[2] <= close)
            self.count += 1
            self.worst = max(self.worst, missed)
            return _terms(jumps, rates, gate, qubits)
        raise NoiseError(f"{what} {_why(log)}; the closest fit misses it by {best:.2g}. {_REMEDY}")

    def notes(self) -> list[str]:
        """How many errors were fitted, and how well."""
        if not self.count:
            return []
        return [f"Aer: {self.count} gate errors as noise terms, superoperators off by at most {self.worst:.1g}"]


_REMEDY = (
    "Supported are dephasing, ZZ dephasing, relaxation, depolarizing and Pauli jumps, applied in this order (compose "
    "thermal relaxation first, then depolarizing). A larger 'tolerance' accepts that distance. Nothing was dropped."
)


def _why(log: Matrix) -> str:
    """Names the Pauli strings P whose rotations -i h [P, .] the channel's logarithm contains, if any."""
    n = 1 if len(log) == 4 else 2
    eye = np.eye(2**n)
    turning = []
    for label in ("".join(reversed(letters)) for letters in product("IXYZ", repeat=n)):
        matrix = Pauli(label).to_matrix()
        rotation = PTM(SuperOp(-1j * (np.kron(eye, matrix) - np.kron(matrix.T, eye)))).data.real
        size = float(np.sum(rotation**2))
        if size > 0 and abs(np.sum(rotation * log)) / size > 1e-6:
            turning.append(label)
    if turning:
        return f"is coherent: it rotates about {', '.join(turning)} (Qiskit label order), which no noise term does"
    return "is no sequence of the supported terms"


def _terms(jumps: Sequence[_Jump], rates: Matrix, gate: str, qubits: tuple[int, ...]) -> list[NoiseTerm]:
    place: dict[str, Any] = {"gate": gate, "on": qubits}
    flow: dict[int, dict[str, Any]] = {}
    out: list[NoiseTerm] = []
    for jump, value in zip(jumps, rates, strict=True):
        rate = float(value)
        if rate == 0:
            continue
        if jump.kind == "dephasing":
            out.append(Dephasing(rate, ((qubits[jump.where], 1.0),), **place))
        elif jump.kind in ("down", "up"):
            flow.setdefault(qubits[jump.where], {})[jump.kind] = rate
        elif jump.kind == "depolarizing":
            out.append(Depolarizing(tuple(qubits[q] for q in jump.where), rate, **place))
        else:
            out.append(PauliJump(tuple((qubits[q], letter) for q, letter in jump.where), rate, **place))
    out += [Relaxation(qubit, **both, **place) for qubit, both in flow.items()]
    return out
