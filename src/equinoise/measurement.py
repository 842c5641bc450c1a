"""How a sum of Pauli terms is measured: settings, and the operators of mean and second moment as they are really read.

In one setting every qubit is read in one basis, so that it estimates terms that agree on each qubit (qubit-wise
commuting). Its estimator is a function of the bits that were read, f(z) = sum_t c_t prod_{q in t} z_q. Assignment
errors act on bits, not on operators: the second moment is that of f^2, multiplied out as a function of bits first
(z_q^2 = 1, whatever was read) and attenuated afterwards, term by term. <O^2> of the ideal readout leaves cross terms
unattenuated, the square of the attenuated readout attenuates even z_q^2.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.pauli_sums import Sum, from_operator, to_operator
from equinoise.readout import attenuated

__all__ = ["Setting", "charge_conserving_part", "measurement_settings"]


@dataclass(frozen=True)
class Setting:
    """One basis per qubit, and what is estimated in it.

    Attributes:
        ideal: The terms of the readout that it estimates.
        mean: Their sum as it is read, E f(z) = Tr[mean rho].
        square: The second moment likewise, E f(z)^2 = Tr[square rho].
    """

    ideal: SparsePauliOp
    mean: SparsePauliOp
    square: SparsePauliOp


def measurement_settings(readout: SparsePauliOp, errors: dict[int, tuple[float, float]]) -> tuple[Setting, ...]:
    """The settings in which a readout is measured, its terms sorted into them with the largest coefficient first.

    From N shots in each setting the readout's estimate has variance sum_g (<square_g> - <mean_g>^2) / N.

    Args:
        readout: A sum of Pauli terms.
        errors: Assignment errors {qubit: (p01, p10)}.

    Source:
        Sorted insertion of qubit-wise commuting terms: arXiv:1908.06942.

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> (both,) = measurement_settings(SparsePauliOp(["IZ", "ZI"]), {0: (0.1, 0.1), 1: (0.2, 0.2)})
        >>> {label: round(c.real, 12) for label, c in both.square.to_list()}
        {'II': 2.0, 'ZZ': 0.96}
        >>> len(measurement_settings(SparsePauliOp(["XX", "YY"]), {}))
        2
    """
    groups: list[tuple[dict[int, str], Sum]] = []
    terms = from_operator(readout)
    for string in sorted(terms, key=lambda s: (-abs(terms[s]), s)):
        letters = dict(string)
        fitting = (g for g in groups if all(g[0].get(q, p) == p for q, p in letters.items()))
        group = next(fitting, None)
        if group is None:
            groups.append(group := ({}, {}))
        group[0].update(letters)
        group[1][string] = terms[string]
    return tuple(_setting(held, readout.num_qubits, errors) for _, held in groups)


def _setting(terms: Sum, num_qubits: int, errors: dict[int, tuple[float, float]]) -> Setting:
    ideal = to_operator(terms, num_qubits)
    # strings of one setting commute and agree where they meet: the product keeps what only one of them has
    square: Sum = {(): sum(c * c for c in terms.values())}
    for (one, a), (two, b) in itertools.combinations(terms.items(), 2):
        string = tuple(sorted(set(one) ^ set(two)))
        square[string] = square.get(string, 0.0) + 2 * a * b
    second = to_operator(square, num_qubits)
    if not errors:
        return Setting(ideal, ideal, second)
    return Setting(ideal, attenuated(ideal, errors), attenuated(second, errors))


def charge_conserving_part(operator: SparsePauliOp) -> SparsePauliOp:
    """The part that commutes with sum_i (1 - Z_i)/2: all that a state without coherence between charges shows.

    The mean over turns by phi of all qubits around Z, X -> X cos phi + Y sin phi and Y -> Y cos phi - X sin phi.

    Args:
        operator: A Hermitian sum of Pauli terms.

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> charge_conserving_part(SparsePauliOp(["XX", "IX"])).sort().to_list()
        [('XX', (0.5+0j)), ('YY', (0.5+0j))]
    """
    out: Sum = {}
    for string, value in from_operator(operator).items():
        turned = [(q, p) for q, p in string if p != "Z"]
        kept = tuple((q, p) for q, p in string if p == "Z")
        if len(turned) % 2:
            continue
        for letters in itertools.product("XY", repeat=len(turned)):
            # a letter that stays gives cos, X -> Y gives sin, Y -> X gives -sin
            changed = sum(new != old for new, (_, old) in zip(letters, turned, strict=True))
            sign = (-1) ** sum(new == "X" and old == "Y" for new, (_, old) in zip(letters, turned, strict=True))
            weight = _mean_of_powers(len(turned) - changed, changed)
            if weight:
                placed = tuple((q, new) for new, (q, _) in zip(letters, turned, strict=True))
                key = tuple(sorted((*kept, *placed)))
                out[key] = out.get(key, 0.0) + sign * weight * value
    return to_operator({s: v for s, v in out.items() if abs(v) > 1e-14}, operator.num_qubits)


def _mean_of_powers(cosines: int, sines: int) -> float:
    """The mean of cos^a sin^b over a turn: 0 for odd powers, else (a-1)!! (b-1)!! / (a+b)!!."""
    if cosines % 2 or sines % 2:
        return 0.0
    return _double(cosines - 1) * _double(sines - 1) / _double(cosines + sines)


def _double(number: int) -> float:
    return float(math.prod(range(number, 0, -2)))
