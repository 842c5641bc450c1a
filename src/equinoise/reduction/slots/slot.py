"""One slot's noise on cone qubits: equal terms merged, and the decay rate of every element of a charge block."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.noise.terms import Slot
from equinoise.reduction.sector import Sector

__all__ = [
    "BudgetTerm",
    "SlotProgram",
    "budget_terms",
    "coherence_rates",
    "compile_slot",
    "jump_phases",
    "jump_weights",
]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BudgetTerm:
    """One additive part of kappa.

    Attributes:
        layer: Slot, counted from 0.
        qubits: Circuit qubits (those inside the cone).
        mechanism: "dephasing", "relaxation", "depolarizing" or "pauli".
    """

    layer: int
    qubits: tuple[int, ...]
    mechanism: str


@dataclass(frozen=True)
class SlotProgram:
    """One slot's noise on cone qubits, equal terms merged.

    Attributes:
        jumps: ((rate, ((cone index, weight), ...), is_parity), ...) diagonal jumps K = sum_i weight Z_i, or prod_i Z_i;
            no weight is 0.
        relaxation: {qubit: (down, up)}.
        depolarizing: {qubits: rate} on one or two cone qubits.
        flips: {qubit: rate} of X and Y jumps with equal rates, which together conserve the charge weakly.
        paulis: ((((qubit, letter), ...), rate), ...) other jumps, full space only.
    """

    jumps: tuple[tuple[float, tuple[tuple[int, float], ...], bool], ...]
    relaxation: tuple[tuple[int, tuple[float, float]], ...]
    depolarizing: tuple[tuple[tuple[int, ...], float], ...]
    flips: tuple[tuple[int, float], ...]
    paulis: tuple[tuple[tuple[tuple[int, str], ...], float], ...]

    @property
    def empty(self) -> bool:
        """Whether nothing acts."""
        return not (self.jumps or self.relaxation or self.depolarizing or self.flips or self.paulis)

    @property
    def dephases_only(self) -> bool:
        """Whether every jump is diagonal."""
        return not (self.relaxation or self.depolarizing or self.flips or self.paulis)

    @property
    def changes_charge(self) -> tuple[bool, bool]:
        """Whether it can lower, and raise, the charge."""
        both = bool(self.depolarizing or self.flips or self.paulis)
        return (
            both or any(down > 0 for _, (down, _) in self.relaxation),
            both or any(up > 0 for _, (_, up) in self.relaxation),
        )


def compile_slot(slot: Slot, place: Mapping[int, int], width: int) -> SlotProgram:
    """A slot's noise with equal terms merged.

    Args:
        slot: Restricted to the cone.
        place: Cone index of each circuit qubit.
        width: Number of cone qubits.
    """
    jumps: dict[tuple[tuple[tuple[int, float], ...], bool], float] = {}
    for term in slot.dephasing:
        key = (tuple(sorted((place[q], w) for q, w in term.pairs if w)), False)
        jumps[key] = jumps.get(key, 0.0) + term.rate
    relaxation: dict[int, tuple[float, float]] = {}
    for r in slot.relaxation:
        down, up = relaxation.get(place[r.qubits[0]], (0.0, 0.0))
        relaxation[place[r.qubits[0]]] = (down + r.down, up + r.up)
    depolarizing: dict[tuple[int, ...], float] = {}
    for d in slot.depolarizing:
        qubits = tuple(sorted(place[int(q)] for q in d.qubits))
        depolarizing[qubits] = depolarizing.get(qubits, 0.0) + d.rate
    paulis: dict[tuple[tuple[int, str], ...], float] = {}
    for p in slot.pauli:
        letters = tuple((place[q], a) for q, a in p.pauli)
        if all(a == "Z" for _, a in letters):
            string = tuple(sorted((q, 1.0) for q, _ in letters))
            jumps[string, True] = jumps.get((string, True), 0.0) + p.rate
        else:
            paulis[letters] = paulis.get(letters, 0.0) + p.rate
    flips: dict[int, float] = {}
    for q in range(width):
        x, y = ((q, "X"),), ((q, "Y"),)
        if x in paulis and math.isclose(paulis[x], paulis.get(y, -1.0), rel_tol=1e-12):
            flips[q] = paulis.pop(x) + paulis.pop(y)
    return SlotProgram(
        tuple((rate, weights, parity) for (weights, parity), rate in jumps.items()),
        tuple(sorted(relaxation.items())),
        tuple(sorted(depolarizing.items())),
        tuple(sorted(flips.items())),
        tuple(paulis.items()),
    )


def budget_terms(slots: Sequence[SlotProgram], qubits: Sequence[int]) -> tuple[BudgetTerm, ...]:
    """The additive parts of kappa, in slot order: jumps, relaxation, depolarizing, flips, Paulis.

    Args:
        slots: Per layer.
        qubits: The circuit qubit of each cone index.
    """
    out: list[BudgetTerm] = []
    for layer, slot in enumerate(slots):
        for _, weights, _ in slot.jumps:
            where = tuple(qubits[i] for i, _ in weights)
            out.append(BudgetTerm(layer, where, "dephasing"))
        out += [BudgetTerm(layer, (qubits[i],), "relaxation") for i, _ in slot.relaxation]
        out += [BudgetTerm(layer, tuple(qubits[i] for i in pair), "depolarizing") for pair, _ in slot.depolarizing]
        out += [BudgetTerm(layer, (qubits[i],), "pauli") for i, _ in slot.flips]
        out += [BudgetTerm(layer, tuple(qubits[i] for i, _ in letters), "pauli") for letters, _ in slot.paulis]
    return tuple(out)


def jump_weights(slot: SlotProgram, width: int) -> Real:
    """The jumps' weights on each cone qubit, shape (J, w); 1 on the qubits of a product of Z."""
    out = np.zeros((len(slot.jumps), width))
    for row, (_, weights, _) in zip(out, slot.jumps, strict=True):
        for i, w in weights:
            row[i] = w
    return out


def jump_phases(slot: SlotProgram, sector: Sector) -> tuple[Real, Real]:
    """Jump eigenvalues phi_j(x) = v_j . z_x (or a parity), shape (D, J), and rates, shape (J,)."""
    signs = 1.0 - 2.0 * sector.occupations.astype(np.float64)
    phi = signs @ jump_weights(slot, sector.width).T
    for j, (_, weights, parity) in enumerate(slot.jumps):
        if parity:
            phi[:, j] = np.prod(signs[:, [i for i, _ in weights]], axis=1)
    return phi, np.array([rate for rate, _, _ in slot.jumps])


def coherence_rates(slot: SlotProgram, sector: Sector, rows: slice = slice(None)) -> Real:
    """Decay rate of each element |x><y| of a charge block, exclusive of population mixing: shape (rows, D).

    Gamma_xy = sum_jumps rate (phi_x - phi_y)^2 / 2 + sum_i c_i [x_i != y_i] + sum_ab r_ab [x_ab != y_ab], with
    c_i = (down + up)/2 + depolarizing + flips. Rates below 1e-13 of the largest are cancellation and set to 0.
    """
    # (phi_x - phi_y)^2/2 = (phi_x^2 + phi_y^2)/2 - phi_x phi_y and [x_i != y_i] = x_i + y_i - 2 x_i y_i: a sum of one
    # number for each row, one for each column, and a product of two thin matrices, instead of a D x D table per
    # mechanism.
    filled = sector.occupations.astype(np.float64)
    phi, rates = jump_phases(slot, sector)
    site = np.zeros(sector.width)
    for i, (down, up) in slot.relaxation:
        site[i] += (down + up) / 2
    for qubits, rate in slot.depolarizing:
        if len(qubits) == 1:
            site[qubits[0]] += rate
    for i, rate in slot.flips:
        site[i] += rate
    alone = (phi**2) @ rates / 2 + filled @ site
    gamma = alone[rows, None] + alone[None, :] - (phi[rows] * rates) @ phi.T - 2 * (filled[rows] * site) @ filled.T
    largest = 2 * float(alone.max(initial=0.0))
    for qubits, rate in slot.depolarizing:
        if len(qubits) == 2:
            local = filled[:, qubits[0]] + 2 * filled[:, qubits[1]]
            gamma += rate * (local[rows, None] != local[None, :])
            largest += rate
    gamma[np.abs(gamma) < 1e-13 * largest] = 0.0
    return gamma
