r"""The free-fermion engine: hopping along a line, Z rotations and diagonal dephasing, at the cost of a few particles.

Number the cone's qubits along the line on which the hopping gates act and fill site i with the fermion
c_i^dag = Z_1 ... Z_{i-1} |1><0|_i (Jordan-Wigner). Hopping between neighbours and Z rotations are then exponentials of
sum h_ij c_i^dag c_j, so U^dag c_i U = sum_j u_ij c_j with the w x w matrix u by which U moves one particle. Hence the
correlation matrix D_ij = <c_j^dag c_i> becomes u D u^dag: it moves as the density matrix of one particle, whatever the
filling. A diagonal jump commutes with every n_i and multiplies c_j^dag c_i by a number: for K = sum v_i Z_i by
exp(-s rate (2 v_i - 2 v_j)^2 / 2), for a string of Z by exp(-2 s rate) if exactly one of i, j is in it, as it does the
element |i><j| of one particle. So gates and noise act on D as they do in the sector of charge 1, and on the matrix of
two particles <c_k^dag c_l^dag c_j c_i> as in the sector of charge 2: what the exact engine does there is all it takes.

Only what goes in and out differs. In: the input's correlations, of trace C(N, k) for N particles. Out: the readout, as
the sum of a number, a one-body and a two-body operator, C = O_0 + Tr(O_1 D_1) + Tr(O_2 D_2), by n = (1 - Z)/2:
Z_i = 1 - 2 n_i, Z_i Z_j = 1 - 2 n_i - 2 n_j + 4 n_i n_j, and between neighbours
(X_i X_j + Y_i Y_j)/2 = c_i^dag c_j + c_j^dag c_i. A two-particle basis state |i j> is c_i^dag c_j^dag |0> with i before
j on the line, so it carries no sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from equinoise.engines.contract import Cost, ExactAnswers, check_serves
from equinoise.engines.draws import Draw, NoisyDraw
from equinoise.engines.fermion.fermions import Parts, correlations, fermion_form
from equinoise.engines.sector.exact import ExactEngine
from equinoise.errors import UnsupportedError
from equinoise.reduction.operators import Entries
from equinoise.reduction.prepared import Kept
from equinoise.reduction.program import Program
from equinoise.reduction.slots.slot_program import SlotProgram

__all__ = ["FreeFermionEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# seconds per matrix element and layer, per layer, and per call; fitted to 6 to 160 qubits on one core
_ELEMENT_SECONDS = 4.5e-8
_LAYER_SECONDS = 2e-5
_CALL_SECONDS = 2e-4


@dataclass(frozen=True, eq=False)
class _SharedSlot(SlotProgram):
    """A slot compared by identity: engines look slots up often, and comparing a thousand jumps takes long."""

    width: int

    # identity, not the generated comparison of SlotProgram
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @cached_property
    def on_one_particle(self) -> tuple[Real, csr_matrix]:
        """Rates, shape (J,), and weights, shape (J, w); a string of Z acts on one particle as its sites' sum."""
        rows = [j for j, (_, weights, _) in enumerate(self.jumps) for _ in weights]
        columns = [i for _, weights, _ in self.jumps for i, _ in weights]
        values = [w for _, weights, _ in self.jumps for _, w in weights]
        shape = (len(self.jumps), self.width)
        return np.array([rate for rate, _, _ in self.jumps]), csr_matrix((values, (rows, columns)), shape=shape)


class _FewBodyProgram(Program):
    """The compiled problem as the exact engine meets it: sectors of one or two particles, correlations as input.

    Args:
        program: The many-body program; blocks and tables are shared.
        order: Cone indices along the line.
        operators: {k: entries of the readout in the sector of charge k}.
        squares: Likewise of O^2, in the same sectors.
    """

    def __init__(self, program: Program, order: Sequence[int], operators: Parts, squares: Parts) -> None:
        self._whole = program
        self.kept = Kept()
        self.problem, self.cone, self.width = program.problem, program.cone, program.width
        self.parameters, self.processes, self.noise_class = program.parameters, program.processes, program.noise_class
        self.full, self.sectors = program.full, program.sectors
        self.layers, self.kind, self.table, self.tables = program.layers, program.kind, program.table, program.tables
        self.num_blocks, self.block_size, self.rotations = program.num_blocks, program.block_size, program.rotations
        self.slot_parameter, self.slot_block = program.slot_parameter, program.slot_block
        shared = {slot: _SharedSlot(slot.terms, width=program.width) for slot in set(program.slots)}
        self.slots = tuple(shared[slot] for slot in program.slots)
        self.order = tuple(order)
        self.charges = tuple(operators)
        self.input_charges = frozenset(self.charges)
        self.readout_entries = operators
        self.square_entries = squares
        self._correlations: dict[int | None, Entries] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._whole, self.order, self.readout_entries, self.square_entries)

    def initial_entries(self, charge: int | None, theta: Real | None = None) -> Entries:
        """The input's correlations of ``charge`` particles, as rows, columns and values."""
        if charge not in self._correlations:
            self._correlations[charge] = correlations(self, self.order, charge or 0)
        return self._correlations[charge]

    def phases(self, slot: SlotProgram, charge: int | None) -> tuple[Real, Real]:
        """Jump eigenvalues, but for what all states have in common, and rates."""
        if charge != 1 or not isinstance(slot, _SharedSlot) or not slot.jumps:
            return super().phases(slot, charge)
        rates, weights = slot.on_one_particle
        return -2.0 * weights.toarray().T, rates

    def coherence_rates(self, slot: SlotProgram, charge: int | None, rows: slice = slice(None)) -> Real:
        """Decay rates rate * (2 v_i - 2 v_j)^2 / 2 of the elements c_j^dag c_i, shape (rows, D)."""
        if charge != 1 or not isinstance(slot, _SharedSlot) or not slot.jumps:
            return super().coherence_rates(slot, charge, rows)
        rates, weights = slot.on_one_particle
        # On |i> the jump K = sum v_j Z_j is (sum v) - 2 v_i, so gamma_ij = sum rate (2 v_i - 2 v_j)^2/2 = 2 sum rate
        # (v_i^2 + v_j^2) - 4 sum rate v_i v_j. The cross term is a product of the few jumps on several qubits; all
        # others give the row and column sums alone.
        alone: Real = 2 * (weights.power(2).T @ rates)
        gamma = alone[rows, None] + alone[None, :]
        several = np.diff(weights.indptr) > 1  # jumps on one qubit have no cross term
        shared = weights[several].toarray()
        gamma -= 4 * (shared[:, rows].T * rates[several]) @ shared
        gamma[gamma < 1e-13 * 2 * alone.max()] = 0.0  # cancellation
        here = np.arange(alone.size)[rows]
        gamma[np.arange(here.size), here] = 0.0
        return gamma


class FreeFermionEngine(ExactAnswers):
    """Exact noisy values and gradients of free fermions: w^2 numbers a state, C(w, 2)^2 with a two-body readout.

    Args:
        program: The compiled problem; none of its many-body sectors is built.
        workers: Draws run at once, as in :class:`ExactEngine`.

    Attributes:
        square_kind: "exact", or "bound" where <O^2> is out of reach and (sum |coefficients|)^2 stands for it.

    Raises:
        UnsupportedError: The problem is not one of free fermions (see :meth:`obstacle`).
        MemoryLimitError: Not even one draw fits in memory.

    Source:
        Terhal and DiVincenzo, arXiv:quant-ph/0108010 (hopping gates as free fermions); that dephasing closes on the
        correlations is derived above.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.reduction.program import compile_problem
        >>> circuit = eq.circuits.brickwork(40, depth=4, interaction="none")
        >>> problem = eq.Problem(circuit, readout="Z20", initial="neel", noise="dephasing:0.02")
        >>> engine = FreeFermionEngine(compile_problem(problem))
        >>> draw = engine.draw(problem.theta([0.3] * len(problem.parameters)), 1.0)
        >>> round(draw.value, 6), draw.square
        (-0.696946, 1.0)
    """

    name = "free-fermion"

    def __init__(self, program: Program, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self._form = form = fermion_form(program)
        square = form.square.parts if form.square else {}
        together = set(square) <= set(form.readout.parts)
        view = _FewBodyProgram(program, form.order, form.readout.parts, square if together else {})
        self._engine = ExactEngine(view, workers)
        self._square_engine: ExactEngine | None = None
        if not together:
            self._square_engine = ExactEngine(_FewBodyProgram(program, form.order, square, {}), workers)
        coefficients = np.abs(np.asarray(program.problem.readout.coeffs, dtype=np.complex128))
        self._bound = float(coefficients.sum()) ** 2
        self.square_kind = "exact" if form.square else "bound"
        engines = [e for e in (self._engine, self._square_engine) if e is not None]
        self.workers = min(e.workers for e in engines)
        self.memory_bytes = sum(e.memory_bytes for e in engines)

    @classmethod
    def obstacle(cls, program: Program) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        try:
            fermion_form(program)
        except UnsupportedError as error:
            others = "" if program.full else ", 'trajectories' at any width"
            return f"{error}; engine 'exact' takes it while it fits in memory{others}"
        return None

    @classmethod
    def cost(cls, program: Program) -> Cost:
        """Seconds and bytes of one gradient, before any table is built."""
        form = fermion_form(program)
        depth = len(program.layers)
        squares = form.square.parts if form.square else {}
        extra = [] if set(squares) <= set(form.readout.parts) else list(squares)

        def swept(charges: Iterable[int | None]) -> tuple[float, int]:
            numbers = {k: math.comb(program.width, k) ** 2 for k in charges if k is not None}
            seconds = sum(_LAYER_SECONDS + _ELEMENT_SECONDS * k * count for k, count in numbers.items()) * depth
            return _CALL_SECONDS + seconds, sum(numbers.values())

        gradient, _ = swept(form.readout.parts)
        seconds, numbers = swept((*form.readout.parts, *extra))
        return Cost(seconds, 16 * numbers * (depth + 3) + 8 * numbers, gradient)

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2> (or its bound)."""
        value, square = self._engine.value(theta, scale)
        return self._form.readout.constant + value, self._squared(square, theta, scale)

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> (or its bound; NaN where it takes a sweep of its own) and gradient at one scale."""
        draw = self._engine.draw(theta, scale)
        square = math.nan if self._square_engine is not None else self._squared(draw.square, theta, scale)
        return Draw(self._form.readout.constant + draw.value, square, draw.gradient)

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator | None = None) -> list[NoisyDraw]:
        """g_k^2, C^2 and <O^2> (or its bound) at each scale."""
        found = super().noisy(theta, scales, rng)
        if self._square_engine is None:
            return found
        return [replace(one, square=self._squared(0.0, theta, s)) for one, s in zip(found, scales, strict=True)]

    def _squared(self, together: float, theta: Real, scale: float) -> float:
        if self._form.square is None:
            return self._bound
        if self._square_engine is not None:
            together, _ = self._square_engine.value(theta, scale)
        return self._form.square.constant + together

    def series(self, theta: Real) -> Real:
        """Taylor coefficients of the gradient in s at s = 0, shape (3, K)."""
        return self._engine.series(theta)

    def budget(self, theta: Real, direction: Real) -> Real:
        """Derivative along ``direction`` of <<O_l| E_j |rho_l>> for each of ``program.budget_terms``, at s = 0."""
        return self._engine.budget(theta, direction)
