"""One slot's noise on cone qubits: equal terms merged, and the decay rate of every element of a charge block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from equinoise.noise.terms import NoiseTerm, Slot
from equinoise.noise.terms.actions import Diagonal, General, PairReset, PauliString, SiteMoves, joint_generators
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
        mechanism: "dephasing", "relaxation", "depolarizing", "pauli" or another kind of noise.
    """

    layer: int
    qubits: tuple[int, ...]
    mechanism: str


@dataclass(frozen=True)
class SlotProgram:
    """One slot's noise on cone qubits, equal terms merged, diagonal jumps first.

    A term's place in ``terms`` is its place in the slot's part of the budget. Below they are sorted by what they
    do; each action that is no diagonal jump comes with its term's place.

    Attributes:
        terms: On cone qubits, in the order in which they act (diagonal jumps commute with what is before them).
        jumps: Diagonal jumps, those of ``terms[:len(jumps)]``.
        sites: Noise of one qubit that moves populations.
        resets: Depolarizing of two qubits.
        strings: Pauli jumps with X or Y, full space only.
        general: All else, generators on one or two qubits.
        joint: What those are together, one generator for each set of qubits; they act last, in this order.
    """

    terms: tuple[NoiseTerm, ...]
    jumps: tuple[Diagonal, ...] = field(init=False, compare=False, repr=False)
    sites: tuple[tuple[int, SiteMoves], ...] = field(init=False, compare=False, repr=False)
    resets: tuple[tuple[int, PairReset], ...] = field(init=False, compare=False, repr=False)
    strings: tuple[tuple[int, PauliString], ...] = field(init=False, compare=False, repr=False)
    general: tuple[tuple[int, General], ...] = field(init=False, compare=False, repr=False)
    joint: tuple[General, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        terms = tuple(sorted(self.terms, key=lambda term: not isinstance(term.action, Diagonal)))
        actions = [(place, term.action) for place, term in enumerate(terms)]
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "jumps", tuple(a for _, a in actions if isinstance(a, Diagonal)))
        object.__setattr__(self, "sites", tuple((i, a) for i, a in actions if isinstance(a, SiteMoves)))
        object.__setattr__(self, "resets", tuple((i, a) for i, a in actions if isinstance(a, PairReset)))
        object.__setattr__(self, "strings", tuple((i, a) for i, a in actions if isinstance(a, PauliString)))
        object.__setattr__(self, "general", tuple((i, a) for i, a in actions if isinstance(a, General)))
        object.__setattr__(self, "joint", joint_generators([a for _, a in self.general]))

    @property
    def empty(self) -> bool:
        """Whether nothing acts."""
        return not self.terms

    @property
    def dephases_only(self) -> bool:
        """Whether every jump is diagonal."""
        return len(self.jumps) == len(self.terms)

    @property
    def changes_charge(self) -> tuple[bool, bool]:
        """Whether it can lower, and raise, the charge."""
        both = bool(self.resets or self.strings)
        others = [action.moves for _, action in self.general]
        return (
            both or any(moves.down > 0 for _, moves in self.sites) or any(lowers for lowers, _ in others),
            both or any(moves.up > 0 for _, moves in self.sites) or any(raises for _, raises in others),
        )

    @property
    def has_limit(self) -> bool:
        """Whether there is a limit s -> infinity; a Hamiltonian turns states forever."""
        return all(action.has_limit for action in self.joint)

    @property
    def largest_step(self) -> int:
        """By how much the charge may change at once; 0 if not at all."""
        return 2 if self.resets or self.general else int(any(self.changes_charge))


def compile_slot(slot: Slot, place: Mapping[int, int]) -> SlotProgram:
    """A slot's noise with equal terms merged.

    Args:
        slot: Restricted to the cone.
        place: Cone index of each circuit qubit.
    """
    kinds: dict[type[NoiseTerm], list[NoiseTerm]] = {}
    for term in slot.terms:
        kinds.setdefault(type(term), []).append(term.placed(place))
    return SlotProgram(tuple(term for kind, terms in kinds.items() for term in kind.merged(terms)))


def budget_terms(slots: Sequence[SlotProgram], qubits: Sequence[int]) -> tuple[BudgetTerm, ...]:
    """The additive parts of kappa, slot by slot in the order of their terms.

    Args:
        slots: Per layer.
        qubits: The circuit qubit of each cone index.
    """
    return tuple(
        BudgetTerm(layer, tuple(qubits[i] for i in term.sites), term.mechanism)
        for layer, slot in enumerate(slots)
        for term in slot.terms
    )


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
    c_i the decay of each qubit's coherence. Rates below 1e-13 of the largest are cancellation and set to 0.
    """
    # (phi_x - phi_y)^2/2 = (phi_x^2 + phi_y^2)/2 - phi_x phi_y and [x_i != y_i] = x_i + y_i - 2 x_i y_i: a sum of one
    # number for each row, one for each column, and a product of two thin matrices, instead of a D x D table per
    # mechanism.
    filled = sector.occupations.astype(np.float64)
    phi, rates = jump_phases(slot, sector)
    site = np.zeros(sector.width)
    for _, moves in slot.sites:
        site[moves.qubit] += moves.decay
    alone = (phi**2) @ rates / 2 + filled @ site
    gamma = alone[rows, None] + alone[None, :] - (phi[rows] * rates) @ phi.T - 2 * (filled[rows] * site) @ filled.T
    largest = 2 * float(alone.max(initial=0.0))
    for _, ((first, second), rate) in slot.resets:
        local = filled[:, first] + 2 * filled[:, second]
        gamma += rate * (local[rows, None] != local[None, :])
        largest += rate
    gamma[np.abs(gamma) < 1e-13 * largest] = 0.0
    return gamma
