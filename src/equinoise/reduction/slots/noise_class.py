"""The symmetry class of noise, computed from its operators.

*Strong*: every jump commutes with the charge Q; one sector suffices. *Weak*: the generator commutes with the adjoint
action of Q; the state stays block-diagonal. *Broken*: neither; the full space is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.pauli_sums import PAULI
from equinoise.noise.terms import Dephasing, Depolarizing, NoiseTerm, PauliJump, Relaxation, Slot, describe_term
from equinoise.readout import commutes_with_charge

__all__ = ["NoiseClass", "noise_class"]

Matrix = npt.NDArray[np.complex128]

_LOWER = np.array([[0, 1], [0, 0]], dtype=np.complex128)


class NoiseClass(str):
    """One of "none", "strong", "weak", "broken", with the terms that break the charge.

    Attributes:
        breaking: Descriptions of the terms without which it would not be broken.
        blockwise: Whether the block-diagonal engine has the channel (a weak group of two-qubit Pauli jumps has not).
    """

    breaking: tuple[str, ...]
    blockwise: bool

    def __new__(cls, value: str, breaking: tuple[str, ...] = (), blockwise: bool = True) -> NoiseClass:
        """Makes the string and keeps its reasons."""
        self = super().__new__(cls, value)
        self.breaking = breaking
        self.blockwise = blockwise
        return self


def noise_class(slots: Iterable[Slot]) -> NoiseClass:
    """The symmetry class of all slots together.

    Jump operators are checked for [K, Q] = 0 (strong); generators, summed over terms on the same qubits, for
    commuting with the adjoint action of Q (weak).

    Example:
        >>> from equinoise.noise.terms import PauliJump, Slot
        >>> noise_class([Slot(pauli=(PauliJump("X0", 0.1), PauliJump("Y0", 0.1)))])
        'weak'
        >>> noise_class([Slot(pauli=(PauliJump("X0", 0.1),))])
        'broken'
    """
    different = {id(slot): slot for slot in slots}.values()
    terms = [(index, term) for index, slot in enumerate(different) for term in slot.terms if _strength(term) > 0]
    if not terms:
        return NoiseClass("none")
    if all(_commutes(term) for _, term in terms):
        return NoiseClass("strong")
    groups: dict[tuple[int, tuple[int, ...]], list[NoiseTerm]] = {}
    for index, term in terms:
        if not _commutes(term):
            groups.setdefault((index, tuple(sorted(_qubits(term)))), []).append(term)
    breaking: dict[str, None] = {}
    blockwise = True
    for group in groups.values():
        if not _generator_commutes(group):
            paulis = [t for t in group if isinstance(t, PauliJump)]
            breaking |= dict.fromkeys(describe_term(t) for t in paulis or group)
        elif any(isinstance(t, PauliJump) and len(t.pauli) > 1 for t in group):
            blockwise = False
    if breaking:
        return NoiseClass("broken", tuple(breaking), False)
    return NoiseClass("weak", (), blockwise)


def _strength(term: NoiseTerm) -> float:
    return term.down + term.up if isinstance(term, Relaxation) else term.rate


def _qubits(term: NoiseTerm) -> tuple[int, ...]:
    return tuple(q for q in term.qubits if isinstance(q, int))


def _commutes(term: NoiseTerm) -> bool:
    """Whether every jump operator of the term commutes with the charge, whatever its rate, place and qubit numbers."""
    place = {q: i for i, q in enumerate(sorted(_qubits(term)))}
    if isinstance(term, Dephasing):
        return _jumps_commute("Z", tuple(w for _, w in term.pairs))
    if isinstance(term, PauliJump):
        return _jumps_commute("".join(p for _, p in sorted((place[q], p) for q, p in term.pauli)), None)
    if isinstance(term, Depolarizing):
        return all(_jumps_commute("".join(p), None) for p in itertools.product("IXYZ", repeat=len(place)))
    lower = SparsePauliOp(["X", "Y"], [0.5, 0.5j])
    return all(commutes_with_charge(j) for rate, j in ((term.down, lower), (term.up, lower.adjoint())) if rate > 0)


@lru_cache(maxsize=4096)
def _jumps_commute(letters: str, weights: tuple[float, ...] | None) -> bool:
    """Whether a Pauli string, or with weights the sum of one-qubit Paulis of that letter, commutes with the charge."""
    if weights is None:
        jump = SparsePauliOp(letters[::-1])
    else:
        terms = [(letters, [i], w) for i, w in enumerate(weights)]
        jump = SparsePauliOp.from_sparse_list(terms, num_qubits=len(weights))
    return commutes_with_charge(jump)


def _generator_commutes(group: list[NoiseTerm]) -> bool:
    """Whether the summed generator of terms on the same few qubits commutes with the adjoint action of Q."""
    # The adjoint action of Q multiplies |x><y| by q_x - q_y. A generator commutes with it iff it has no element
    # between two such operators of different q_x - q_y.
    n = len(_qubits(group[0]))
    dim = 2**n
    total = np.zeros((dim * dim, dim * dim), dtype=np.complex128)
    for term in group:
        total += _superoperator(term, dim)
    charge = np.array([bin(x).count("1") for x in range(dim)])
    difference = (charge[:, None] - charge[None, :]).ravel()
    leak = np.abs(total[difference[:, None] != difference[None, :]]).max(initial=0.0)
    return bool(leak < 1e-12 * max(1.0, float(np.abs(total).max())))


def _superoperator(term: NoiseTerm, dim: int) -> Matrix:
    """A relaxation, Pauli or depolarizing generator on row-major vectorised matrices; first qubit least significant."""
    eye = np.eye(dim)

    def dissipator(jump: Matrix) -> Matrix:
        square = jump.conj().T @ jump
        out = np.kron(jump, jump.conj()) - (np.kron(square, eye) + np.kron(eye, square.T)) / 2
        return np.asarray(out, dtype=np.complex128)

    if isinstance(term, PauliJump):
        jump = np.ones((1, 1), dtype=np.complex128)
        for _, letter in term.pauli:
            jump = np.asarray(np.kron(PAULI[letter], jump), dtype=np.complex128)
        return np.asarray(term.rate * dissipator(jump), dtype=np.complex128)
    if isinstance(term, Relaxation):
        return term.down * dissipator(_LOWER) + term.up * dissipator(_LOWER.T)
    identity = eye.ravel()
    return np.asarray(term.rate * (np.outer(identity, identity) / dim - np.eye(dim * dim)), dtype=np.complex128)
