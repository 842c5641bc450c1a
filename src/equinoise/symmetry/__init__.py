"""Symmetries that a circuit may keep, as the user names them; their groups, generators and invariant operators."""

from equinoise.symmetry.groups import (
    NAMES,
    Charge,
    Generator,
    PauliString,
    Permutation,
    Symmetry,
    charge,
    charges,
    parity,
    parse_symmetry,
    permutation,
    reflection,
    su2,
    translation,
)

__all__ = [
    "NAMES",
    "Charge",
    "Generator",
    "PauliString",
    "Permutation",
    "Symmetry",
    "charge",
    "charges",
    "parity",
    "parse_symmetry",
    "permutation",
    "reflection",
    "su2",
    "translation",
]
