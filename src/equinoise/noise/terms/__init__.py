"""The noise terms: Lindblad generators on named qubits, one file a kind, and the slot that holds those of one layer.

With D[K](r) = K r K^dag - {K^dag K, r}/2; rates are dimensionless, per slot. Dephasing that is correlated in time
belongs to no single slot; it becomes a :class:`PhaseProcess` over all of them.
"""

from equinoise.noise.correlations import STATIC
from equinoise.noise.terms.coherent import Coherent
from equinoise.noise.terms.dephasing import Dephasing
from equinoise.noise.terms.depolarizing import Depolarizing
from equinoise.noise.terms.jump import Jump
from equinoise.noise.terms.kinds import KINDS
from equinoise.noise.terms.pauli_jump import PauliJump
from equinoise.noise.terms.phase_process import PhaseProcess, describe_jump
from equinoise.noise.terms.relaxation import Relaxation
from equinoise.noise.terms.slot import Slot
from equinoise.noise.terms.term import ALL, EACH, NoiseTerm

__all__ = [
    "ALL",
    "EACH",
    "KINDS",
    "STATIC",
    "Coherent",
    "Dephasing",
    "Depolarizing",
    "Jump",
    "NoiseTerm",
    "PauliJump",
    "PhaseProcess",
    "Relaxation",
    "Slot",
    "describe_jump",
]
