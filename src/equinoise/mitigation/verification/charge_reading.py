"""What is measured when the charge of all qubits is read beside the readout, assignment errors included.

Without errors the outcomes of O and Q belong to the operators O P_q, P_q and O^2 P_q. With them, a state |x> is read as
y with probability prod_i p(y_i | x_i), and a readout diagonal in that basis becomes

    f_A(x) = sum over y with |y| = q of prod_i p(y_i | x_i) A(y),

a coefficient of a polynomial that grows by one factor a qubit: the number of ones read so far is all that has to be
remembered. A hopping term on a pair commutes with the charge; a conserving gate on the pair turns it into Z_b - Z_a.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import Operator, SparsePauliOp
from scipy.sparse import csr_matrix, diags_array, eye_array

from equinoise.problem import Problem
from equinoise.reduction.operators import Entries, OperatorEntries, entries_of, operator_block
from equinoise.reduction.program import Program
from equinoise.reduction.sector import Occupations

__all__ = ["ChargeReading", "JointReading", "charge_reading", "joint_reading", "read_with_charge"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChargeReading:
    """The operators of a readout measured together with the charge of all qubits.

    Attributes:
        value: A_N with N = Tr[A_N rho] = sum over accepted outcomes of probability times readout.
        kept: A_D with D = Tr[A_D rho], the probability that the charge read is q.
        square: The same as ``value`` for the squared readout.
        notes: What was left out, in words.
    """

    value: OperatorEntries
    kept: OperatorEntries
    square: OperatorEntries
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class JointReading:
    """A readout in a basis in which it and the charge are diagonal.

    Attributes:
        operator: The readout there, a sum of Z strings.
        rotation: One conserving gate on each hopping pair leads there: (a, b, phase of the hopping amplitude), a < b.
    """

    operator: SparsePauliOp
    rotation: tuple[tuple[int, int, float], ...]


def joint_reading(readout: SparsePauliOp) -> JointReading | None:
    """How one setting reads a charge-conserving readout and the charge together; None if this one is not known.

    alpha (X_a X_b + Y_a Y_b) + beta (X_a Y_b - Y_a X_b) = 2 h |10><01| + h.c. with h = alpha - i beta (a first) becomes
    |h| (Z_b - Z_a) after the gate that sends (|10> + exp(-i arg h) |01>)/sqrt 2 to |10>, the other sign to |01>.
    Pairs must be disjoint, and Z strings hold both qubits of a pair or none.

    Args:
        readout: On all qubits.

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> joint_reading(SparsePauliOp(["XX", "YY"])).operator.to_list()
        [('ZI', (1+0j)), ('IZ', (-1+0j))]
    """
    n = readout.num_qubits
    diagonal: list[tuple[str, list[int], complex]] = []
    hops: dict[tuple[int, int], dict[str, float]] = {}
    for letters, qubits, coefficient in readout.simplify().to_sparse_list():
        if set(letters) <= {"Z"}:
            diagonal.append((letters, list(qubits), coefficient))
            continue
        if len(letters) != 2 or "Z" in letters:
            return None
        (a, first), (b, second) = sorted(zip(qubits, letters, strict=True))
        parts = hops.setdefault((a, b), {})
        parts[first + second] = parts.get(first + second, 0.0) + complex(coefficient).real
    taken = [q for pair in hops for q in pair]
    if len(set(taken)) < len(taken):
        return None
    if any(len(set(pair) & set(qubits)) == 1 for pair in hops for _, qubits, _ in diagonal):
        return None
    rotation = []
    for (a, b), parts in hops.items():
        # On the pair's one-excitation states the readout is the 2x2 matrix of a hopping amplitude, with eigenvalues
        # +-2|h|; |h| (Z_b - Z_a) has these on |10> and |01>. |00> and |11> have 0 in both, and the charge is kept.
        h = complex(parts.get("XX", 0.0), -parts.get("XY", 0.0))
        diagonal += [("Z", [b], abs(h)), ("Z", [a], -abs(h))]
        rotation.append((a, b, cmath.phase(h)))
    return JointReading(SparsePauliOp.from_sparse_list(diagonal, num_qubits=n), tuple(rotation))


def read_with_charge(
    operator: SparsePauliOp, occupations: Occupations, errors: dict[int, tuple[float, float]], charge: int
) -> Real:
    """f(x) = sum over y with |y| = q of prod_i p(y_i | x_i) A(y), for a sum A of Z strings.

    Args:
        operator: A.
        occupations: The states x, shape (D, n).
        errors: {qubit: (p01, p10)}: p01 the probability of reading 1 for |0>, p10 of reading 0 for |1>.
        charge: q.

    Returns:
        Shape (D,).

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> states = np.array([[0, 1], [1, 1]], dtype=np.uint8)
        >>> read_with_charge(SparsePauliOp("II"), states, {0: (0.0, 0.25)}, 1).tolist()
        [1.0, 0.25]
    """
    count, n = occupations.shape
    # Bits are read independently, so the sum over y with |y| = q is the coefficient of t^q in the product over qubits
    # of (p(0|x_i) +- p(1|x_i) t), minus where the string has a Z: ``ways[k]`` holds the coefficient of t^k so far.
    one = np.empty((n, count))
    for i in range(n):
        p01, p10 = errors.get(i, (0.0, 0.0))
        one[i] = np.where(occupations[:, i] == 1, 1 - p10, p01)
    out = np.zeros(count)
    for letters, qubits, coefficient in operator.to_sparse_list():
        signed = {q for _, q in zip(letters, qubits, strict=True)}
        ways = np.zeros((charge + 1, count))
        ways[0] = 1.0
        for i in range(n):
            raised = ways[:-1] * (-one[i] if i in signed else one[i])
            ways *= 1 - one[i]
            ways[1:] += raised
        out += complex(coefficient).real * ways[charge]
    return out


def charge_reading(program: Program, problem: Problem) -> ChargeReading:
    """The operators that a problem's readout and the charge of all qubits have when they are measured together.

    Args:
        program: Compiled with all qubits in its cone.
        problem: With a charge; its noise says the assignment errors.
    """
    readout, n = problem.readout, problem.num_qubits
    charge = 0 if problem.charge is None else problem.charge
    square = (readout @ readout).simplify()
    identity = SparsePauliOp("I" * n)
    errors = {q: p for q, p in problem.noise.readout_error if any(p)}
    joint = joint_reading(readout) if errors else None
    if joint is None:
        notes = (
            ()
            if not errors
            else (
                "assignment errors are left out: no single conserving setting that reads this readout and the charge "
                "together is known (disjoint hopping pairs, Z strings on both qubits of a pair or on neither)",
            )
        )
        value, kept, squared = (program.operator_entries(operator, charge) for operator in (readout, identity, square))
        return ChargeReading(value, kept, squared, notes)
    wanted = [joint.operator, identity, (joint.operator @ joint.operator).simplify()]
    found: list[dict[int | None, Entries]] = [{}, {}, {}]
    place = {q: q for q in range(n)}
    for block in program.charges:
        table = program.sectors[block]
        # What is really measured is the diagonal f(x) after the gate, so in the circuit's frame the operator is T^dag
        # f T.
        turn = csr_matrix(eye_array(table.dimension, dtype=np.complex128))
        for a, b, phase in joint.rotation:
            turn = operator_block(_pair_gate(a, b, phase, n), place, table) @ turn
        for operator, entries in zip(wanted, found, strict=True):
            values = read_with_charge(operator, table.occupations, errors, charge)
            seen = csr_matrix(turn.conj().T @ diags_array(values.astype(np.complex128)) @ turn)
            seen.eliminate_zeros()
            entries[block] = entries_of(seen)
    notes = ("the gates that rotate hopping pairs before they are read count as perfect",) if joint.rotation else ()
    return ChargeReading(found[0], found[1], found[2], notes)


def _pair_gate(a: int, b: int, phase: float, num_qubits: int) -> SparsePauliOp:
    """Sends (|10> + exp(-i phase) |01>)/sqrt 2 to |10> and (|10> - exp(-i phase) |01>)/sqrt 2 to |01>, a first."""
    matrix = np.eye(4, dtype=np.complex128)
    half = 1 / math.sqrt(2)
    # index a + 2 b
    matrix[1, 1], matrix[1, 2] = half, half * cmath.exp(1j * phase)
    matrix[2, 1], matrix[2, 2] = half, -half * cmath.exp(1j * phase)
    pair = (a, b)
    terms = [
        (letters, [pair[q] for q in qubits], coefficient)
        for letters, qubits, coefficient in SparsePauliOp.from_operator(Operator(matrix)).to_sparse_list()
    ]
    return SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)
