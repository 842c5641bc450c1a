"""Noise on the replicas: each mechanism's generator E (x) 1 + 1 (x) E on the six states of its sites.

Noise that has a name keeps x - y on every qubit, so that it commutes with the Z rotations' average. Diagonal jumps
decay an element at twice its rate in one replica; relaxation and depolarizing mix populations in each replica by
itself. What is stated by matrices may keep no more than the charge; then it goes through other elements too, and its
two ends alone are on the six states.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import expm

from equinoise.engines.replica.sites import DIFFERENCE, operator_from_elements, site_elements
from equinoise.noise.terms.actions import General, home_of
from equinoise.reduction.slots.slot_program import SlotProgram

__all__ = ["NoiseTerm", "jump_rates", "keeps_differences", "noise_at", "noise_series", "slot_terms"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# exp(-this) is nothing
_GONE = 80.0


@dataclass(frozen=True)
class NoiseTerm:
    """One mechanism of a slot.

    Attributes:
        sites: Cone qubits.
        index: Into ``Program.budget_terms``.
        rate: Of a diagonal jump K = sum_i weights[i] Z_i, or prod_i Z_i.
        weights: Of a diagonal jump; None for other mechanisms.
        parity: Whether the jump is a product of several Z.
        generator: Of other mechanisms, shape (6^k, 6^k), real coordinates, first site the slowest index.
        stated: What is stated by matrices on these sites together, one replica's; ``generator`` is its part on the six
            states.
        parts: Of that, each budget term's index and generator on the six states.
    """

    sites: tuple[int, ...]
    index: int
    rate: float = 0.0
    weights: tuple[float, ...] | None = None
    parity: bool = False
    generator: Real | None = None
    stated: General | None = None
    parts: tuple[tuple[int, Real], ...] = ()

    @property
    def budget(self) -> tuple[tuple[int, Real], ...]:
        """Index and generator of each budget term that it holds."""
        return self.parts or ((self.index, self.action),)

    @property
    def is_diagonal(self) -> bool:
        """Whether it multiplies each element by a number."""
        return self.weights is not None

    @property
    def is_level(self) -> bool:
        """Whether it is a jump that sees the sum of z on its sites alone."""
        return self.weights is not None and not self.parity and len(set(self.weights)) == 1

    @property
    def action(self) -> Real:
        """The generator: a diagonal of shape (6^k,) or a matrix of shape (6^k, 6^k)."""
        if self.weights is None:
            return np.asarray(self.generator)
        return jump_rates(self.rate, self.weights, self.parity)


def slot_terms(slot: SlotProgram, first: int) -> list[NoiseTerm]:
    """A slot's mechanisms in an order in which they may act one after the other.

    Args:
        slot: The noise; no Pauli jumps that break the charge.
        first: Index of the slot's first term in ``Program.budget_terms``.
    """
    terms: list[NoiseTerm] = []
    for place, jump in enumerate(slot.jumps):
        sites, weights = tuple(i for i, _ in jump.weights), tuple(w for _, w in jump.weights)
        terms.append(NoiseTerm(sites, first + place, jump.rate, weights, not jump.is_linear))
    for place, (i, down, up, decay) in slot.sites:
        terms.append(NoiseTerm((i,), first + place, generator=_site_generator(down, up, decay)))
    for place, (qubits, rate) in slot.resets:
        terms.append(NoiseTerm(qubits, first + place, generator=_pair_generator(rate)))
    for joint in slot.joint:
        whole: Real = np.zeros((6 ** len(joint.qubits),) * 2)
        parts: list[tuple[int, Real]] = []
        for place, action in slot.general:
            if home_of(action, slot.joint) is joint:
                parts.append((first + place, _sum_of_both(action.on(joint.qubits))))
                whole = whole + parts[-1][1]
        terms.append(NoiseTerm(joint.qubits, parts[0][0], generator=whole, stated=joint, parts=tuple(parts)))
    return terms


def keeps_differences(stated: General) -> bool:
    """Whether x - y stays as it is on every qubit: then it commutes with each qubit's own Z rotation."""
    sites, dim = len(stated.qubits), 2 ** len(stated.qubits)
    label = np.zeros(dim * dim, dtype=np.int64)
    for i in range(sites):
        bit = np.arange(dim) >> i & 1
        label = 3 * label + (bit[:, None] - bit[None, :]).ravel()
    moved = np.abs(stated.generator[label[:, None] != label[None, :]]).max(initial=0.0)
    return bool(moved <= 1e-12 * np.abs(stated.generator).max())


def jump_rates(rate: float, weights: tuple[float, ...], parity: bool) -> Real:
    """-2 Gamma of a diagonal jump on each element of its sites, shape (6^k,): both replicas have the same dz."""
    count = len(weights)
    # Both replicas hold the same difference x - y on each site, so the two rates are equal and add: -2 rate (1 -
    # (-1)^m) for a product of Z with m differing sites, -2 (rate/2) (v . dz)^2 for a sum of Z.
    if parity:
        moved = np.sum(np.meshgrid(*[np.abs(DIFFERENCE)] * count, indexing="ij"), axis=0)
        return np.asarray(-rate * (2 - 2 * (-1.0) ** moved)).ravel()
    change: Real = np.zeros((1,) * count)
    for i, weight in enumerate(weights):
        change = change + np.expand_dims(2.0 * weight * DIFFERENCE, [a for a in range(count) if a != i])
    return np.asarray(-rate * np.square(change)).ravel()


def _site_generator(down: float, up: float, decay: float) -> Real:
    """Populations moved at the rates down and up, coherences lost at ``decay``, in both replicas."""
    single = np.zeros((2, 2, 2, 2))  # (x, y) from (a, b)
    for x in (0, 1):
        lost = down if x else up
        single[x, x, x, x] = -lost
        single[1 - x, 1 - x, x, x] = lost
        single[x, 1 - x, x, 1 - x] = -decay
    return _both(single, 1)


def _pair_generator(rate: float) -> Real:
    """The generator rate (Tr_A(r) (x) 1/4 - r) in both replicas."""
    single = np.zeros((4, 4, 4, 4))
    for x in range(4):
        for y in range(4):
            single[x, y, x, y] -= rate
        for a in range(4):
            single[a, a, x, x] += rate / 4
    return _both(single, 2)


def _sum_of_both(generator: Complex) -> Real:
    """E (x) 1 + 1 (x) E* on the six states, for a superoperator E of shape (4^k, 4^k)."""
    one = np.eye(generator.shape[0], dtype=np.complex128)
    return _product(generator, one) + _product(one, generator)


def _product(left: Complex, right: Complex) -> Real:
    """A (x) B* on the six states, for superoperators of one replica."""
    dim = round(math.sqrt(left.shape[0]))
    sites = round(math.log2(dim))
    x, y, x2, y2 = (e[:, None] for e in site_elements(sites))
    a, b, a2, b2 = (e[None, :] for e in site_elements(sites))
    first, second = left.reshape((dim,) * 4), right.reshape((dim,) * 4).conj()
    return operator_from_elements(first[x, y, a, b] * second[x2, y2, a2, b2])


def _both(single: Real, sites: int) -> Real:
    # (E (x) 1 + 1 (x) E) between the six states of each site: one replica moves by E while the other stays.
    x, y, x2, y2 = (e[:, None] for e in site_elements(sites))
    a, b, a2, b2 = (e[None, :] for e in site_elements(sites))
    same, same2 = (x == a) & (y == b), (x2 == a2) & (y2 == b2)
    elements = single[x, y, a, b] * same2 + single[x2, y2, a2, b2] * same
    return operator_from_elements(elements.astype(np.complex128))


def noise_at(term: NoiseTerm, scale: float) -> Real:
    """exp(s E) of a mechanism in both replicas, its limit at infinity: a diagonal of shape (6^k,) or a matrix."""
    if term.stated is not None:
        # the exponential in one replica, whatever elements it goes through; its ends alone are on the six states
        channel = term.stated.channel(scale)
        return _product(channel, channel)
    generator = term.action
    if term.is_diagonal:
        if math.isinf(scale):
            return np.asarray(generator > -1e-13 * np.abs(generator).max(initial=0.0), dtype=np.float64)
        return np.asarray(np.exp(scale * generator))
    # The limit s = infinity is reached, to rounding, once the slowest mode has decayed by e^{-80}: a longer time
    # changes nothing, and expm of a very large matrix would lose accuracy.
    decays = -np.linalg.eigvals(generator).real
    slowest = float(np.min(decays[decays > 1e-9 * decays.max(initial=1e-300)], initial=math.inf))
    return np.asarray(expm(min(scale, _GONE / slowest) * generator))


def noise_series(term: NoiseTerm, unit: float) -> tuple[Real, Real, Real]:
    """Coefficients of 1, s/unit and (s/unit)^2 of exp(s E) in both replicas."""
    generator = unit * term.action
    if generator.ndim == 1:
        return np.ones_like(generator), generator, generator**2 / 2
    one = np.eye(generator.shape[0])
    if term.stated is None:
        return one, generator, generator @ generator / 2
    # (1 + sG + s^2 G^2/2) in each replica
    g = unit * term.stated.generator
    half = g @ g / 2
    eye = np.eye(g.shape[0], dtype=np.complex128)
    return one, generator, _product(half, eye) + _product(g, g) + _product(eye, half)
