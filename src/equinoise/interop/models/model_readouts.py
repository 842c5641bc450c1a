"""What is read out, as a model has it: probabilities of outcomes as mean values of Z strings, and the sector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from equinoise.errors import ReadoutError, UnsupportedError

__all__ = ["outcome_projectors", "sector_of"]

_MOST = 10


def outcome_projectors(
    qubits: Sequence[int],
    num_qubits: int,
    number: Callable[[int], int] | None = None,
    count: int | None = None,
) -> list[SparsePauliOp]:
    """Operators whose means are the probabilities of numbers that are read from qubits.

    A function d(b) of the bits is sum_S c_S prod_(i in S) Z_i with c_S = 2^-m sum_b (-1)^(b.S) d(b), its Walsh-Hadamard
    transform.

    Args:
        qubits: Those measured, m of them, the least significant bit first.
        num_qubits: Of the circuit.
        number: Which number an outcome b of 0..2^m - 1 stands for; b itself by default.
        count: How many numbers there are; 2^m by default.

    Raises:
        UnsupportedError: More than 10 qubits.
        ReadoutError: A number that no outcome stands for.

    Example:
        >>> from equinoise.interop.models.model_readouts import outcome_projectors
        >>> outcome_projectors([0, 1], 3, number=lambda b: b.bit_count() % 2, count=2)[1]
        SparsePauliOp(['III', 'IZZ'],
                      coeffs=[ 0.5+0.j, -0.5+0.j])
    """
    m = len(qubits)
    if m > _MOST:
        raise UnsupportedError(
            f"probabilities of {m} qubits are 2^{m} readouts: at most {_MOST} qubits are taken. Measure expectation "
            "values, or fewer qubits."
        )
    outcomes = np.arange(2**m)
    stands_for = outcomes if number is None else np.array([number(int(b)) for b in outcomes])
    out = []
    for each in range(2**m if count is None else count):
        coefficients = (stands_for == each).astype(np.float64)
        for bit in range(m):
            pairs = coefficients.reshape(-1, 2, 2**bit)
            coefficients = np.stack([pairs.sum(axis=1), pairs[:, 0] - pairs[:, 1]], axis=1).ravel() / 2
        if not coefficients.any():
            raise ReadoutError(
                f"no outcome of the {m} qubits measured is number {each}: its probability is 0 always. Give interpret= "
                "and output_shape= that fit what is measured."
            )
        terms = [
            ("Z" * int(s).bit_count(), [q for i, q in enumerate(qubits) if s >> i & 1], coefficients[s])
            for s in np.flatnonzero(coefficients)
        ]
        out.append(SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits))
    return out


def sector_of(primitive: Any) -> dict[str, Any]:
    """The options of a model by those of an equinoise device or estimator.

    Raises:
        UnsupportedError: It post-selects.
    """
    options = dict(primitive.sector)
    if options.pop("postselected"):
        raise UnsupportedError("postselected=True: a model's readouts are means over all runs. Leave it out.")
    return options
