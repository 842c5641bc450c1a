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
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp
from scipy.sparse import csr_matrix

from equinoise.engines.blocks import build_blocks
from equinoise.engines.draws import Draw
from equinoise.engines.engine import Cost, ExactAnswers
from equinoise.engines.exact import ExactEngine
from equinoise.errors import UnsupportedError
from equinoise.problem.blocks import Block, conserves_charge, unitary_and_generators
from equinoise.problem.gates import Gate
from equinoise.reduction.program import Entries, Program
from equinoise.reduction.slot_program import SlotProgram

__all__ = ["FreeFermionEngine", "cost", "obstacle"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Parts = dict[int | None, Entries]

_REMEDY = 'Use the exact engine (engine="exact").'
# blocks are trigonometric polynomials of the angles: a generic point decides, with probability 1
_POINTS = 2
_TOLERANCE = 1e-9
# the two-particle sector up to which <O^2> (and a superposed input's correlations) are worth their time: 49 qubits
_PAIRS = 1200
_SQUARED_TERMS = 200
# seconds per matrix element and layer, and per layer, measured on one processor of 2 GHz
_ELEMENT_SECONDS = 1e-7
_LAYER_SECONDS = 3e-4
# the amplitudes with which a letter fills, and empties, a site
_FILLS: dict[str, complex] = {"X": 1.0, "Y": 1j}
_EMPTIES: dict[str, complex] = {"X": 1.0, "Y": -1j}


@dataclass(frozen=True)
class _Operator:
    """A conserving operator as O_0 + O_1 + O_2.

    Attributes:
        constant: O_0.
        parts: {k: entries of O_k in the sector of charge k}, those that are not zero.
    """

    constant: float
    parts: Parts


@dataclass(frozen=True)
class _Form:
    """A problem in fermions.

    Attributes:
        order: Cone indices along the line.
        readout: The readout.
        square: O^2, None where it is out of reach.
    """

    order: tuple[int, ...]
    readout: _Operator
    square: _Operator | None


class _SharedSlot(SlotProgram):
    """A slot that equals itself alone: engines look slots up often, and a thousand jumps are long to compare."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @cached_property
    def on_one_particle(self) -> tuple[Real, csr_matrix]:
        """Rates, shape (J,), and weights, shape (J, w); a string of Z acts on one particle as its sites' sum."""
        weights = csr_matrix(np.array([weights for _, weights, _ in self.jumps]))
        return np.array([rate for rate, _, _ in self.jumps]), weights


class _FewBodyProgram(Program):
    """The compiled problem as the exact engine meets it: sectors of one or two particles, correlations as input.

    Args:
        program: The many-body program; blocks and tables are shared.
        order: Cone indices along the line.
        operators: {k: entries of the readout in the sector of charge k}.
        squares: Likewise of O^2, in the same sectors.
    """

    def __init__(self, program: Program, order: Sequence[int], operators: Parts, squares: Parts) -> None:
        vars(self).update(vars(program))
        shared = {slot: _SharedSlot(*(getattr(slot, f.name) for f in fields(slot))) for slot in set(program.slots)}
        self.slots = tuple(shared[slot] for slot in program.slots)
        self.order = tuple(order)
        self.charges = tuple(operators)
        self.input_charges = frozenset(self.charges)
        self.readout_entries = operators
        self.square_entries = squares
        self._correlations: dict[int | None, Entries] = {}

    def initial_entries(self, charge: int | None) -> Entries:
        """The input's correlations of ``charge`` particles, as rows, columns and values."""
        if charge not in self._correlations:
            self._correlations[charge] = _correlations(self, charge or 0)
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
        UnsupportedError: The problem is not one of free fermions (see :func:`obstacle`).
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
        self.program = program
        self._form = form = _form(program)
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
        """Why a problem is not for this engine, and which one serves; None if it is.

        Everything is computed from the operators: the blocks at generic angles, the noise, the readout's Pauli strings.
        """
        return obstacle(program)

    @classmethod
    def cost(cls, program: Program) -> Cost:
        """Seconds and bytes of one gradient, before any table is built."""
        return Cost(*cost(program))

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2> (or its bound)."""
        value, square = self._engine.value(theta, scale)
        return self._form.readout.constant + value, self._squared(square, theta, scale)

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> (or its bound) and gradient at one scale (0 to infinity)."""
        draw = self._engine.draw(theta, scale)
        square = self._squared(draw.square, theta, scale)
        return Draw(self._form.readout.constant + draw.value, square, draw.gradient)

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


def obstacle(program: Program) -> str | None:
    """Why the free-fermion engine cannot take a problem, and which engine can; None if it can.

    Everything is computed from the operators: the blocks at generic angles, the noise, the readout's Pauli strings.
    """
    try:
        _form(program)
    except UnsupportedError as error:
        return str(error)
    return None


def cost(program: Program) -> tuple[float, int]:
    """Estimated seconds of one gradient on one processor, and bytes; no table is built.

    Raises:
        UnsupportedError: The problem is not one of free fermions.
    """
    form = _form(program)
    depth, seconds, size = len(program.layers), 0.0, 0
    squares = form.square.parts if form.square else {}
    extra = [] if set(squares) <= set(form.readout.parts) else list(squares)
    for charge in (k for k in (*form.readout.parts, *extra) if k is not None):
        numbers = math.comb(program.width, charge) ** 2
        size += 16 * numbers * (depth + 3) + 8 * numbers
        seconds += depth * (_LAYER_SECONDS + _ELEMENT_SECONDS * charge * numbers)
    return seconds, size


# -- is it free fermions? ------------------------------------------------------------------------------------------


def _form(program: Program) -> _Form:
    """The problem in fermions, worked out once.

    Raises:
        UnsupportedError: It is none.
    """
    known: _Form | None = vars(program).get("_fermions")
    if known is None:
        known = vars(program)["_fermions"] = _worked_out(program)
    return known


def _worked_out(program: Program) -> _Form:
    problem = program.problem
    if program.full:
        raise UnsupportedError(
            "free fermions need a circuit, noise and readout that conserve the charge, in reduced form; this problem "
            f"is computed in the full space of its light cone. {_REMEDY}"
        )
    if getattr(program, "processes", ()):
        raise UnsupportedError(
            "the noise is correlated in time; the free-fermion engine takes dephasing that is independent in each slot."
        )
    _check_noise(program)
    if problem.initial.product is None:
        raise UnsupportedError(
            f"the input is an entangled state vector; the free-fermion engine takes bitstrings and products. {_REMEDY}"
        )
    if problem.projected and problem.initial.bits is None:
        raise UnsupportedError(
            "the readout is projected on one charge and the input holds several: the projector is no few-body "
            f"operator. {_REMEDY}"
        )
    local = {q: i for i, q in enumerate(program.cone.qubits)}
    place = {i: q for q, i in local.items()}
    terms = [
        (letters, tuple(local[q] for q in qubits), complex(c)) for letters, qubits, c in _sparse(problem.readout, local)
    ]
    order = _line(_bonds(program, local), [q for letters, q, _ in terms if _flips(letters) == len(q) == 2], place)
    readout = _few_body(terms, order, place)
    if 2 in readout.parts and problem.initial.bits is None and math.comb(program.width, 2) > _PAIRS:
        raise UnsupportedError(
            f"a two-body readout from an input without definite charge is taken up to {_PAIRS} pairs of qubits; the "
            f"light cone of {program.width} qubits has {math.comb(program.width, 2)}. Use a bitstring as input or a "
            "one-body readout."
        )
    return _Form(order, readout, _square(terms, order, place))


def _check_noise(program: Program) -> None:
    qubits = program.cone.qubits
    for number, slot in enumerate(program.slots):
        sites: dict[str, list[tuple[int, ...]]] = {
            "relaxation": [(i,) for i, _ in slot.relaxation],
            "depolarizing": [pair for pair, _ in slot.depolarizing],
            "bit-flip": [(i,) for i, _ in slot.flips],
            "Pauli": [tuple(i for i, _ in letters) for letters, _ in slot.paulis],
        }
        for kind, places in sites.items():
            if places:
                where = [qubits[i] for i in places[0]]
                raise UnsupportedError(
                    f"{kind} noise on qubits {where} (slot {number}) takes the state out of free fermions, which keep "
                    f"their form under diagonal dephasing alone. {_REMEDY}"
                )


def _bonds(program: Program, local: dict[int, int]) -> set[tuple[int, int]]:
    """The pairs of cone indices between which particles hop, every block of the cone being quadratic in fermions.

    With the vacuum's amplitude scaled to 1, a block that conserves the charge moves one particle by a 2x2 matrix u and
    gives two a phase; for free fermions the phase is det(u).
    """
    layers = list(zip(program.problem.layers, program.cone.blocks, strict=True))
    blocks = [(number, layer.blocks[i]) for number, (layer, kept) in enumerate(layers) for i in kept]
    pairs = np.array([len(block.qubits) == 2 for _, block in blocks], dtype=bool)
    hops = np.zeros(len(blocks), dtype=bool)
    rng = np.random.default_rng(20260630)
    for _ in range(_POINTS):
        u = build_blocks(program, rng.uniform(-3, 3, len(program.problem.parameters))).unitary
        off = _off_quadratic(u) > _TOLERANCE
        for b in np.flatnonzero(off & pairs):
            number, block = blocks[b]
            raise UnsupportedError(
                f"{_interaction(block)} (layer {number}) is not quadratic in fermions (an interaction between "
                f"particles, as RZZ, CPhase, CZ and SWAP hold). {_REMEDY}"
            )
        hops |= pairs & ((np.abs(u[:, 1, 2]) > _TOLERANCE) | (np.abs(u[:, 2, 1]) > _TOLERANCE))
    return {(local[a], local[b]) for a, b in {blocks[i][1].qubits for i in np.flatnonzero(hops)}}


def _off_quadratic(unitary: Complex) -> Real:
    """|u_00 u_33 - det(u)| of conserving two-qubit unitaries, shape (..., 4, 4): 0 for free fermions."""
    u = unitary
    determinant = u[..., 1, 1] * u[..., 2, 2] - u[..., 1, 2] * u[..., 2, 1]
    return np.asarray(np.abs(u[..., 0, 0] * u[..., 3, 3] - determinant), dtype=np.float64)


def _interaction(block: Block) -> str:
    """The gate of a block that by itself is not quadratic, or all of its gates."""

    def interacts(gate: Gate) -> bool:
        inside = [r for r in gate.rotations if set(r.qubits) <= set(block.qubits)]
        count = 1 + max((k for r in inside for k, _ in r.angle.coefficients), default=-1)
        theta = np.random.default_rng(20260630).uniform(-3, 3, count)
        unitary, _ = unitary_and_generators(inside, block.qubits, theta)
        return conserves_charge(inside, block.qubits) and bool(_off_quadratic(unitary) > _TOLERANCE)

    gates = [gate for gate in block.gates if interacts(gate)][:1] or list(block.gates)
    named = ", ".join(f"gate {g.name!r} at position {g.position}" for g in gates)
    return f"{named} on qubits {list(block.qubits)}"


def _line(
    bonds: Iterable[tuple[int, int]], wished: Iterable[tuple[int, ...]], place: dict[int, int]
) -> tuple[int, ...]:
    """Cone indices in an order in which every bond joins neighbours, and a readout's pair where nothing forbids it.

    Raises:
        UnsupportedError: Hopping forms a ring or a branching.
    """
    neighbours: dict[int, list[int]] = {i: [] for i in place}
    chain = {i: i for i in place}  # a forest: who leads to the same root stands on the same path

    def root(i: int) -> int:
        while chain[i] != i:
            chain[i] = chain[chain[i]]
            i = chain[i]
        return i

    def join(a: int, b: int) -> None:
        neighbours[a].append(b)
        neighbours[b].append(a)
        chain[root(a)] = root(b)

    for a, b in sorted(bonds):
        for one, other in ((a, b), (b, a)):
            if len(neighbours[one]) == 2:
                joined = sorted(place[i] for i in (*neighbours[one], other))
                raise UnsupportedError(
                    f"hopping joins qubit {place[one]} to the qubits {joined}: there is no order along a line in which "
                    f"all bonds join neighbours. {_REMEDY}"
                )
        if root(a) == root(b):
            raise UnsupportedError(
                f"hopping forms a ring that the bond of qubits {[place[a], place[b]]} closes: there is no order along "
                f"a line in which all bonds join neighbours. {_REMEDY}"
            )
        join(a, b)
    for a, b in sorted(wished):
        if len(neighbours[a]) < 2 and len(neighbours[b]) < 2 and root(a) != root(b):
            join(a, b)
    order: list[int] = []
    seen: set[int] = set()
    for end in sorted(i for i in place if len(neighbours[i]) < 2):
        here: int | None = None if end in seen else end
        while here is not None:
            order.append(here)
            seen.add(here)
            here = next((i for i in neighbours[here] if i not in seen), None)
    return tuple(order)


# -- operators -----------------------------------------------------------------------------------------------------

Terms = Iterable[tuple[str, tuple[int, ...], complex]]


def _sparse(operator: SparsePauliOp, known: dict[int, int]) -> Terms:
    """Letters, qubits (all of them known) and coefficient of each string."""
    x, z = operator.paulis.x, operator.paulis.z
    for i, coefficient in enumerate(operator.coeffs):
        qubits = tuple(int(q) for q in np.flatnonzero(x[i] | z[i]) if int(q) in known)
        yield "".join("Y" if x[i, q] and z[i, q] else "X" if x[i, q] else "Z" for q in qubits), qubits, coefficient


def _flips(letters: str) -> int:
    return len(letters) - letters.count("Z")


def _few_body(terms: Terms, order: Sequence[int], place: dict[int, int]) -> _Operator:
    """A conserving sum of Pauli strings on cone indices as O_0 + O_1 + O_2.

    With F the sites where a string has X or Y, in line order, it is a product of |F| fermions and of 1 - 2 n on the
    sites that its Zs and the Jordan-Wigner strings (between first and second of F, third and fourth) do not share.

    Raises:
        UnsupportedError: A string is of more than two bodies.
    """
    rank = {i: position for position, i in enumerate(order)}
    constant = 0.0
    one: dict[tuple[int, int], complex] = {}
    two: dict[tuple[int, int], complex] = {}

    def add(part: dict[tuple[int, int], complex], row: int, column: int, value: complex) -> None:
        part[row, column] = part.get((row, column), 0.0) + value

    for letters, sites, coefficient in terms:
        flips = sorted((rank[i], i, a) for a, i in zip(letters, sites, strict=True) if a != "Z")
        strings = [order[p] for a, b in zip(flips[::2], flips[1::2], strict=True) for p in range(a[0] + 1, b[0])]
        dressed = sorted({i for a, i in zip(letters, sites, strict=True) if a == "Z"} ^ set(strings))
        if len(flips) / 2 + len(dressed) > 2:
            label = "".join(f"{a}{place[i]}" for a, i in zip(letters, sites, strict=True))
            raise UnsupportedError(
                f"the readout's term {label} is an operator of {len(flips) // 2 + len(dressed)} bodies along the line "
                f"of the hopping gates; free fermions are taken up to two (Z, ZZ, hopping and current). {_REMEDY}"
            )
        if not flips:
            constant += float(coefficient.real)
            for i in dressed:
                add(one, i, i, -2 * coefficient)
            if len(dressed) == 2:
                pair = _pair(*dressed)
                add(two, pair, pair, 4 * coefficient)
        elif len(flips) == 2:
            for (_, row, fills), (_, column, empties) in (flips, flips[::-1]):
                value = coefficient * _FILLS[fills] * _EMPTIES[empties]
                add(one, row, column, value)
                for i in dressed:
                    sign = -1.0 if i in strings else 1.0
                    add(two, _pair(row, i), _pair(column, i), -2 * sign * value)
        else:
            for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
                c, d = (k for k in range(4) if k not in (a, b))
                value = coefficient * math.prod(_FILLS[flips[k][2]] for k in (a, b))
                value *= math.prod(_EMPTIES[flips[k][2]] for k in (c, d))
                add(two, _pair(flips[a][1], flips[b][1]), _pair(flips[c][1], flips[d][1]), value)
    parts: Parts = {k: _matrix(elements) for k, elements in ((1, one), (2, two)) if any(elements.values())}
    return _Operator(constant, parts)


def _pair(a: int, b: int) -> int:
    """The row of the sector of charge 2 in which two cone indices are filled."""
    low, high = sorted((a, b))
    return high * (high - 1) // 2 + low


def _matrix(elements: dict[tuple[int, int], complex]) -> Entries:
    kept = {where: value for where, value in elements.items() if value}
    rows, columns = np.array(list(kept), dtype=np.int64).T
    return rows, columns, np.array(list(kept.values()), dtype=np.complex128)


def _square(
    terms: Sequence[tuple[str, tuple[int, ...], complex]], order: Sequence[int], place: dict[int, int]
) -> _Operator | None:
    """O^2, or None where it is out of reach."""
    width = len(order)
    if len(terms) > (_SQUARED_TERMS if math.comb(width, 2) <= _PAIRS else 2):
        return None
    operator = SparsePauliOp.from_sparse_list([(a, list(q), c) for a, q, c in terms], num_qubits=width)
    squared = (operator @ operator).simplify()
    try:
        out = _few_body(_sparse(squared, place), order, place)
    except UnsupportedError:
        return None
    return None if 2 in out.parts and math.comb(width, 2) > _PAIRS else out


# -- inputs --------------------------------------------------------------------------------------------------------


def _correlations(program: _FewBodyProgram, charge: int) -> Entries:
    """<x| D |y> = <c_y^dag c_x> of the input, c_x the product of the fermions of x: rows, columns and values.

    In a product state it is the product over the sites of <n> (in both x and y), <|0><1|> (in x), <|1><0|> (in y), and
    <Z> where an odd number of sites that are in one of x and y alone came before.
    """
    state = program.problem.initial
    occupations = program.sectors[charge].occupations
    if state.bits is not None:
        filled = np.array([state.bits[q] for q in program.cone.qubits], dtype=np.uint8)
        inside = np.flatnonzero((occupations <= filled).all(axis=1))
        return inside, inside, np.ones(inside.size, dtype=np.complex128)
    product = np.asarray(state.product)[list(program.cone.qubits)]
    number, empties = np.abs(product[:, 1]) ** 2, product[:, 0].conj() * product[:, 1]
    matrix = np.ones((occupations.shape[0],) * 2, dtype=np.complex128)
    odd = np.zeros(matrix.shape, dtype=bool)
    for i in program.order:
        x = occupations[:, i].astype(bool)
        ket, bra = x[:, None], x[None, :]
        matrix[np.ix_(x, x)] *= number[i]
        matrix[np.ix_(x, ~x)] *= empties[i]
        matrix[np.ix_(~x, x)] *= empties[i].conj()
        matrix[odd & ~ket & ~bra] *= 1 - 2 * number[i]
        odd ^= ket ^ bra
    rows, columns = np.nonzero(matrix)
    return rows, columns, matrix[rows, columns]
