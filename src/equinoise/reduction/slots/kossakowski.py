"""A slot's noise as a matrix over Pauli strings, in which a symmetry can be read off whatever the number of qubits.

E(rho) = sum_ab chi_ab (P_a rho P_b - {P_b P_a, rho}/2), P_a and P_b no identities. chi, the Kossakowski matrix, belongs
to the generator and not to a choice of jumps: E commutes with a symmetry's action if and only if chi is invariant.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from equinoise.circuit.pauli_sums import String, Sum
from equinoise.noise.terms import Slot
from equinoise.reduction.slots.slot_program import SlotProgram, compile_slot
from equinoise.reduction.slots.slot_terms import jump_operators
from equinoise.symmetry.groups import Charge, Generator, Permutation, Symmetry, change

__all__ = ["Kossakowski", "breaking_terms", "keeps_strongly", "keeps_weakly", "kossakowski", "visible_part"]

Kossakowski = dict[tuple[String, String], complex]

_TOLERANCE = 1e-9


def kossakowski(slot: SlotProgram) -> Kossakowski:
    """Chi of a slot."""
    out: Kossakowski = {}
    for rate, jump in jump_operators(slot):
        for (a, x), (b, y) in itertools.product(jump.items(), repeat=2):
            out[a, b] = out.get((a, b), 0.0) + rate * x * np.conj(y)
    # -i [H, rho]: the identity, the empty string, stands on the other side
    for term in slot.terms:
        for a, x in term.hamiltonian().items():
            out[a, ()] = out.get((a, ()), 0.0) - 1j * x
            out[(), a] = out.get(((), a), 0.0) + 1j * np.conj(x)
    return out


def _change(matrix: Kossakowski, generator: Generator) -> Kossakowski:
    """What the generator's action changes; empty where chi is invariant."""
    out: Kossakowski = {}
    floor = _TOLERANCE * max(map(abs, matrix.values()), default=0.0)
    if isinstance(generator, Charge):
        moved: dict[String, Sum] = {}
        for key, value in matrix.items():
            for side in (0, 1):
                if key[side] not in moved:
                    moved[key[side]] = change({key[side]: 1.0}, generator)
                for string, factor in moved[key[side]].items():
                    place = (string, key[1]) if side == 0 else (key[0], string)
                    out[place] = out.get(place, 0.0) + factor * value
    elif isinstance(generator, Permutation):
        images: dict[String, String] = {}
        for key, value in matrix.items():
            for string in key:
                if string not in images:
                    images[string] = tuple(sorted((generator.image[q], p) for q, p in string))
            place = (images[key[0]], images[key[1]])
            out[place] = out.get(place, 0.0) + value
            out[key] = out.get(key, 0.0) - value
    else:
        # P (string) P^dag = +- string: chi_ab gets the product of the signs of a and b, and is invariant where they
        # agree.
        odd = {s: bool(change({s: 1.0}, generator)) for key in matrix for s in key}
        out = {key: -2 * value for key, value in matrix.items() if odd[key[0]] != odd[key[1]]}
    return {key: value for key, value in out.items() if abs(value) > floor}


def keeps_weakly(matrix: Kossakowski, generator: Generator) -> bool:
    """Whether the noise commutes with the generator's action: E(g rho g^dag) = g E(rho) g^dag."""
    return not _change(matrix, generator)


def keeps_strongly(slot: SlotProgram, generator: Generator) -> bool:
    """Whether every jump commutes with the generator."""
    for jump in (*(k for _, k in jump_operators(slot)), *(term.hamiltonian() for term in slot.terms)):
        real = {s: v.real for s, v in jump.items() if v.real}
        imaginary = {s: v.imag for s, v in jump.items() if v.imag}
        if change(real, generator) or change(imaginary, generator):
            return False
    return True


def visible_part(slot: SlotProgram, symmetry: Symmetry, seen: frozenset[int]) -> SlotProgram:
    """The slot without the jumps that are invisible in the commutant: sums K of the symmetry's charges.

    [K, X] = 0 and K = K^dag give D[K](X) = 0, whether or not the noise commutes with the group's action: dephasing
    along the total spin costs an SU(2)-equivariant circuit nothing.

    Args:
        slot: Restricted to the qubits that the readout sees.
        symmetry: On the same numbers.
        seen: Those qubits.
    """
    charges = [g for g in symmetry.generators if isinstance(g, Charge)]
    if not charges or not slot.jumps:
        return slot
    place = {(q, p): i for i, (q, p) in enumerate(itertools.product(sorted(seen), "XYZ"))}
    rows = np.zeros((len(charges), len(place)))
    for row, charge in zip(rows, charges, strict=True):
        for q, p, c in charge.pairs:
            if q in seen:
                row[place[q, p]] += c
    # K is a real combination of the charges iff least squares leaves no rest: all are vectors of coefficients of X_q,
    # Y_q, Z_q.
    kept = []
    for term, (_, weights, product) in zip(slot.terms, slot.jumps, strict=False):
        wanted = np.zeros(len(place))
        for q, w in weights:
            wanted[place[q, "Z"]] = w
        if product and len(weights) > 1:
            kept.append(term)
            continue
        found = np.linalg.lstsq(rows.T, wanted, rcond=None)[0]
        if np.linalg.norm(rows.T @ found - wanted) > _TOLERANCE * np.linalg.norm(wanted):
            kept.append(term)
    return slot if len(kept) == len(slot.jumps) else SlotProgram((*kept, *slot.terms[len(slot.jumps) :]))


def breaking_terms(slot: Slot, place: Mapping[int, int], generator: Generator) -> tuple[str, ...]:
    """The terms of a slot, in words, that have a part in what the noise breaks of a generator.

    Args:
        slot: The noise on circuit qubits.
        place: The generator's number of each of them.
        generator: What the noise breaks.
    """
    broken = _change(kossakowski(compile_slot(slot, place)), generator)
    alone = ((t, _change(kossakowski(compile_slot(Slot((t,)), place)), generator)) for t in slot.terms)
    return tuple(dict.fromkeys(term.describe() for term, part in alone if part.keys() & broken))
