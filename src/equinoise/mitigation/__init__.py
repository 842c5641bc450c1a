"""Mitigation judged by gradients: symmetry verification and dynamical decoupling."""

from equinoise.mitigation.decoupling import Decoupled, compare, decouple
from equinoise.mitigation.symmetry_verification import Verified, verify
from equinoise.mitigation.verified_law import VerifiedLaw, verified_law

__all__ = ["Decoupled", "Verified", "VerifiedLaw", "compare", "decouple", "verified_law", "verify"]
