"""Whether a problem is one of free fermions, its line order, and its readout and input as few-body operators.

Everything is computed from the operators: the blocks at generic angles, the noise, the readout's Pauli strings. What
this means for the evolution is derived in :mod:`equinoise.engines.fermion.free_fermion`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.blocks import Block, conserves_charge, generic_parameters, unitary_and_generators
from equinoise.circuit.gates import Gate
from equinoise.engines.sector.block_unitaries import build_blocks
from equinoise.errors import UnsupportedError
from equinoise.reduction.operators import Entries
from equinoise.reduction.program import Program

__all__ = ["FermionForm", "FewBody", "correlations", "fermion_form"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Parts = dict[int | None, Entries]

# blocks are trigonometric polynomials of the angles: a generic point decides, with probability 1
_POINTS = 2
_TOLERANCE = 1e-9
# the two-particle sector up to which <O^2> (and a superposed input's correlations) are worth their time: 49 qubits
_PAIRS = 1200
_SQUARED_TERMS = 200
# the amplitudes with which a letter fills, and empties, a site
_FILLS: dict[str, complex] = {"X": 1.0, "Y": 1j}
_EMPTIES: dict[str, complex] = {"X": 1.0, "Y": -1j}


@dataclass(frozen=True)
class FewBody:
    """A conserving operator as O_0 + O_1 + O_2.

    Attributes:
        constant: O_0.
        parts: {k: entries of O_k in the sector of charge k}, those that are not zero.
    """

    constant: float
    parts: Parts


@dataclass(frozen=True)
class FermionForm:
    """A problem in fermions.

    Attributes:
        order: Cone indices along the line.
        readout: The readout.
        square: O^2, None where it is out of reach.
    """

    order: tuple[int, ...]
    readout: FewBody
    square: FewBody | None


# -- is it free fermions? ------------------------------------------------------------------------------------------


def fermion_form(program: Program) -> FermionForm:
    """The problem in fermions, worked out once.

    Raises:
        UnsupportedError: It is none.
    """
    with program.kept as values:
        if "fermion form" not in values:
            values["fermion form"] = _worked_out(program)
        form: FermionForm = values["fermion form"]
    return form


def _worked_out(program: Program) -> FermionForm:
    problem = program.problem
    if program.full:
        raise UnsupportedError(
            "free fermions need a circuit, noise and readout that conserve the charge, in reduced form; this problem "
            "is computed in the full space of its light cone"
        )
    if program.processes:
        raise UnsupportedError(
            "the noise is correlated in time; the free-fermion engine takes dephasing that is independent in each slot"
        )
    if program.has_wide_blocks:
        raise UnsupportedError(
            "a block acts on more than two qubits; the free-fermion engine takes hops of one pair of qubits and phases"
        )
    _check_noise(program)
    if problem.initial.product is None:
        raise UnsupportedError(
            "the input is an entangled state vector; the free-fermion engine takes bitstrings and products"
        )
    if problem.projected and problem.initial.bits is None:
        raise UnsupportedError(
            "the readout is projected on one charge and the input holds several: the projector is no few-body operator"
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
            f"light cone of {program.width} qubits has {math.comb(program.width, 2)} (a bitstring as input or a "
            "one-body readout has no such limit)"
        )
    return FermionForm(order, readout, _square(terms, order, place))


def _check_noise(program: Program) -> None:
    qubits = program.cone.qubits
    for number, slot in enumerate(program.slots):
        for term in slot.terms[len(slot.jumps) :]:
            where = [qubits[i] for i in term.sites]
            raise UnsupportedError(
                f"{term.noun} noise on qubits {where} (slot {number}) takes the state out of free fermions, which keep "
                f"their form under diagonal dephasing alone"
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
    rotations = [rotation for _, block in blocks for rotation in block.rotations]
    points = [generic_parameters(rotations, rng, len(program.problem.parameters)) for _ in range(_POINTS)]
    # blocks are mostly alike, and the first one needs no compiled kernels to be told from a quadratic one
    for b in np.flatnonzero(pairs)[:1]:
        unitary, _ = unitary_and_generators(blocks[b][1].rotations, blocks[b][1].qubits, points[0])
        if _off_quadratic(unitary) > _TOLERANCE:
            raise _not_quadratic(*blocks[b])
    for theta in points:
        u = build_blocks(program, theta).unitary
        for b in np.flatnonzero((_off_quadratic(u) > _TOLERANCE) & pairs):
            raise _not_quadratic(*blocks[b])
        hops |= pairs & ((np.abs(u[:, 1, 2]) > _TOLERANCE) | (np.abs(u[:, 2, 1]) > _TOLERANCE))
    return {(local[a], local[b]) for a, b in {blocks[i][1].qubits for i in np.flatnonzero(hops)}}


def _not_quadratic(layer: int, block: Block) -> UnsupportedError:
    return UnsupportedError(
        f"{_interaction(block)} (layer {layer}) is not quadratic in fermions (an interaction between particles, "
        "as RZZ, CPhase, CZ and SWAP hold)"
    )


def _off_quadratic(unitary: Complex) -> Real:
    """|u_00 u_33 - det(u)| of conserving two-qubit unitaries, shape (..., 4, 4): 0 for free fermions."""
    # A block exp(-i sum h_ij c_i^dag c_j) moves one particle by u and the filled pair, an antisymmetric state, by
    # det(u). Phases are relative to the vacuum's amplitude u_00: (u_33/u_00) = det(u/u_00), that is u_00 u_33 = det(u).
    u = unitary
    determinant = u[..., 1, 1] * u[..., 2, 2] - u[..., 1, 2] * u[..., 2, 1]
    return np.asarray(np.abs(u[..., 0, 0] * u[..., 3, 3] - determinant), dtype=np.float64)


def _interaction(block: Block) -> str:
    """The gate of a block that by itself is not quadratic, or all of its gates."""

    def interacts(gate: Gate) -> bool:
        inside = [r for r in gate.rotations if set(r.qubits) <= set(block.qubits)]
        theta = generic_parameters(inside, np.random.default_rng(20260630))
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
                    f"all bonds join neighbours"
                )
        if root(a) == root(b):
            raise UnsupportedError(
                f"hopping forms a ring that the bond of qubits {[place[a], place[b]]} closes: there is no order along "
                f"a line in which all bonds join neighbours"
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


def _few_body(terms: Terms, order: Sequence[int], place: dict[int, int]) -> FewBody:
    """A conserving sum of Pauli strings on cone indices as O_0 + O_1 + O_2.

    With F the sites where a string has X or Y, in line order, it is a product of |F| fermions and of 1 - 2 n on the
    sites that its Zs and the Jordan-Wigner strings (between first and second of F, third and fourth) do not share.

    Raises:
        UnsupportedError: A string is of more than two bodies.
    """
    # X = c + c^dag and Y = i (c^dag - c) up to Jordan-Wigner strings, Z = 1 - 2 n. Of the products of |F| fermions
    # those with as many created as destroyed conserve the charge; the others cancel in a conserving sum. A Z inside a
    # string between two flips cancels against the string's own, which is why ``dressed`` is a symmetric difference.
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
                f"of the hopping gates; free fermions are taken up to two (Z, ZZ, hopping and current)"
            )
        # c Z_i = c (1 - 2 n_i), and c Z_i Z_j = c (1 - 2 n_i - 2 n_j + 4 n_i n_j), by number of bodies.
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
            # Two of the four sites are filled and two emptied: the six matrix elements between pairs of sites.
            for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
                c, d = (k for k in range(4) if k not in (a, b))
                value = coefficient * math.prod(_FILLS[flips[k][2]] for k in (a, b))
                value *= math.prod(_EMPTIES[flips[k][2]] for k in (c, d))
                add(two, _pair(flips[a][1], flips[b][1]), _pair(flips[c][1], flips[d][1]), value)
    parts: Parts = {k: _matrix(elements) for k, elements in ((1, one), (2, two)) if any(elements.values())}
    return FewBody(constant, parts)


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
) -> FewBody | None:
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


def correlations(program: Program, order: Sequence[int], charge: int) -> Entries:
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
    for i in order:
        x = occupations[:, i].astype(bool)
        ket, bra = x[:, None], x[None, :]
        matrix[np.ix_(x, x)] *= number[i]
        matrix[np.ix_(x, ~x)] *= empties[i]
        matrix[np.ix_(~x, x)] *= empties[i].conj()
        matrix[odd & ~ket & ~bra] *= 1 - 2 * number[i]
        odd ^= ket ^ bra
    rows, columns = np.nonzero(matrix)
    return rows, columns, matrix[rows, columns]
